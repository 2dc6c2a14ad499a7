//! What a response says about the server.

use portscan_plugin::{Conclusion, Health, TlsSession};

use crate::response::Answer;

/// Sentences by which a server says, in the body of a 400, that it wants TLS:
/// nginx, Apache httpd, Go's net/http.
const WANTS_TLS: [&str; 3] = [
    "The plain HTTP request was sent to HTTPS port",
    "speaking plain HTTP to an SSL-enabled server port",
    "Client sent an HTTP request to an HTTPS server",
];

/// A session, and what its certificate is measured by.
pub struct Tls<'a> {
    /// What the server presented.
    pub session: &'a TlsSession,
    /// Seconds since 1970.
    pub now: i64,
    /// Days before the end from which on it is a flaw.
    pub expiry_days: i64,
}

/// The conclusion from a response.
pub fn conclude(answer: &Answer, tls: Option<Tls>) -> Conclusion {
    let (health, what) = by_status(answer, tls.is_some());
    let flaw = tls.as_ref().and_then(certificate);
    let summary = match &flaw {
        Some((_, flaw)) => format!("{what}; {flaw}"),
        None => what,
    };
    let conclusion = Conclusion::confirmed(summary)
        .with_health(worse(health, flaw.map_or(Health::Healthy, |(health, _)| health)))
        .finding("http.status", answer.status)
        .finding("http.version", answer.version.as_str())
        .maybe_finding("http.server", answer.server.as_deref())
        .maybe_finding("http.location", answer.location.as_deref())
        .finding("http.tls", tls.is_some());
    match tls {
        Some(tls) => conclusion.tls_findings(tls.session, tls.now),
        None => conclusion,
    }
}

/// Something else answered, beginning with `bytes`.
pub fn mismatch(bytes: &[u8]) -> Conclusion {
    // Record type alert or handshake, version 3.x: RFC 8446 5.1.
    if matches!(bytes, [0x15 | 0x16, 3, ..]) {
        return Conclusion::mismatch(
            "it speaks TLS, and was asked in plaintext: set http.tls=true",
        );
    }
    Conclusion::mismatch("it answered, but not as a web server")
}

/// TLS was due and did not come about.
pub fn no_handshake(why: &str) -> Conclusion {
    Conclusion::inconclusive(format!("the TLS handshake fails: {why}")).unhealthy()
}

fn by_status(answer: &Answer, over_tls: bool) -> (Health, String) {
    let status = answer.status;
    let body = String::from_utf8_lossy(&answer.body);
    match status {
        400 if !over_tls && WANTS_TLS.iter().any(|sentence| body.contains(sentence)) => {
            (Health::Degraded, "it wants TLS, and was asked without: set http.tls=true".to_owned())
        }
        300..400 => match &answer.location {
            Some(location) => (Health::Healthy, format!("it answers {status}, see {location}")),
            None => (Health::Healthy, format!("it answers {status}")),
        },
        400..500 => (Health::Healthy, format!("it answers {status}, which is the client's matter")),
        500.. => (Health::Unhealthy, format!("it answers {status}, a failure of its own")),
        _ => (Health::Healthy, format!("it answers {status}")),
    }
}

fn certificate(tls: &Tls) -> Option<(Health, String)> {
    let leaf = tls.session.leaf()?;
    let left = leaf.days_left(tls.now);
    if let Some(flaw) = tls.session.flaw(tls.now) {
        return Some(flaw);
    }
    // A certificate that lives for a week is renewed later than a week before its end.
    let life = leaf.not_after.saturating_sub(leaf.not_before) / 86_400;
    let early = tls.expiry_days.min(life / 3);
    (left < early).then(|| (Health::Degraded, format!("its certificate expires in {left} days")))
}

fn worse(a: Health, b: Health) -> Health {
    let rank = |health: Health| match health {
        Health::Unhealthy => 2,
        Health::Degraded => 1,
        Health::Healthy | Health::Unknown => 0,
    };
    if rank(b) > rank(a) { b } else { a }
}
