//! What the server's answer says about it.

use portscan_plugin::{Conclusion, Health, TlsSession};

use crate::message::Report;

/// Most characters of a server's message that go into a summary.
const MAX_QUOTE: usize = 200;

/// What `report_fork_failure_to_client` of the postmaster begins with.
const CANNOT_FORK: &str = "could not fork new process for connection";

/// It wants a password, or another proof, before it lets us in.
pub fn asks_password(method: u32, mechanisms: &[String]) -> Conclusion {
    let method = match method {
        2 => "kerberos-5".to_owned(),
        3 => "password".to_owned(),
        5 => "md5".to_owned(),
        7 => "gssapi".to_owned(),
        9 => "sspi".to_owned(),
        // The plainest one; a variant bound to the TLS channel may stand before it.
        10 => mechanisms.last().map_or("sasl".to_owned(), |name| name.to_ascii_lowercase()),
        other => format!("method-{other}"),
    };
    Conclusion::confirmed(format!("it accepts connections and asks who we are ({method})"))
        .healthy()
        .finding("postgres.authentication", method)
}

/// It let us in without a password.
pub fn lets_in(version: Option<String>) -> Conclusion {
    Conclusion::confirmed("it accepts connections, and this user without a password")
        .healthy()
        .finding("postgres.authentication", "trust")
        .maybe_finding("postgres.server-version", version)
}

/// It refused the start-up for the reason given. SQLSTATEs: appendix A.
pub fn error(report: &Report, database: &str) -> Conclusion {
    let (health, what) = match report.sqlstate.as_str() {
        "57P03" => (Health::Unhealthy, "it accepts no connections now"),
        "57P01" | "57P02" => (Health::Unhealthy, "it is being shut down"),
        "53300" => (Health::Unhealthy, "it has no connection left"),
        code if code.starts_with("53") => (Health::Unhealthy, "it is out of a resource"),
        code if code.starts_with("28") => (Health::Healthy, "it is up, and refuses this user"),
        "3D000" if database == "postgres" => (Health::Healthy, "it is up, without this database"),
        "3D000" => (Health::Degraded, "it does not have this database"),
        _ => (Health::Degraded, "it answers with an error"),
    };
    let quote: String = report.message.chars().take(MAX_QUOTE).collect();
    Conclusion::confirmed(format!("{what}: {quote}"))
        .with_health(health)
        .finding("postgres.sqlstate", report.sqlstate.as_str())
        .finding("postgres.message", report.message.as_str())
}

/// An error in the format before protocol 3.0, which a current postmaster uses
/// in one case only: it cannot start a process for us.
pub fn fork_failure(text: &[u8]) -> Conclusion {
    let text = String::from_utf8_lossy(text);
    let text = text.trim_end_matches(['\0', '\n']);
    if CANNOT_FORK.starts_with(text) {
        return Conclusion::inconclusive("it began to report an error and stopped");
    }
    if !text.starts_with(CANNOT_FORK) {
        return mismatch();
    }
    Conclusion::confirmed(format!("it cannot start a process for us: {text}"))
        .unhealthy()
        .finding("postgres.message", text)
}

/// Bytes came back that the protocol does not have.
pub fn mismatch() -> Conclusion {
    Conclusion::mismatch("it answered, but not as PostgreSQL")
}

/// Adds what TLS has shown. libpq does not verify by default: an untrusted
/// certificate is what most installations have and no flaw, and an expired one
/// stops only the clients that verify, so it degrades and no more.
pub fn with_tls(conclusion: Conclusion, session: &TlsSession, now: i64) -> Conclusion {
    let expired = session.leaf().is_some_and(|leaf| leaf.days_left(now) < 0);
    let mut conclusion = conclusion.tls_findings(session, now);
    if expired && conclusion.health == Health::Healthy {
        conclusion.health = Health::Degraded;
        conclusion.summary = format!("{}; its certificate has expired", conclusion.summary);
    }
    conclusion
}
