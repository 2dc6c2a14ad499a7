//! What a TLS session says, the same way in every plugin.

use crate::{Certificate, Conclusion, Health, TlsOptions, TlsSession, Trust};

/// Seconds of a day.
const DAY: i64 = 86_400;

impl TlsOptions {
    /// TLS for the target's own name, offering these protocols by ALPN.
    pub fn offering(protocols: &[&str]) -> TlsOptions {
        let alpn = protocols.iter().map(|protocol| (*protocol).to_owned()).collect();
        TlsOptions { server_name: None, alpn }
    }
}

impl Certificate {
    /// Whole days until it expires at the time `now`, in seconds since 1970;
    /// negative when it has.
    pub fn days_left(&self, now: i64) -> i64 {
        self.not_after.saturating_sub(now).div_euclid(DAY)
    }
}

impl TlsSession {
    /// The peer's own certificate.
    pub fn leaf(&self) -> Option<&Certificate> {
        self.certificates.first()
    }

    /// Why a client that verifies would not go on: how bad, and in words for a
    /// summary. Dates that are over or not begun are unhealthy, because they are
    /// so for every client; a chain that is not trusted here is degraded, because
    /// the service's own clients may trust it.
    ///
    /// The dates come first: they are the flaw that time brings by itself, and
    /// they are what one renews.
    pub fn flaw(&self, now: i64) -> Option<(Health, String)> {
        let days = self.leaf().map(|leaf| (leaf.days_left(now), leaf.not_before));
        match (days, &self.trust) {
            (Some((left, _)), _) if left < 0 => {
                let ago = days_in_words(-left);
                Some((Health::Unhealthy, format!("its certificate expired {ago} ago")))
            }
            (Some((_, from)), _) if now < from => {
                Some((Health::Unhealthy, "its certificate is not valid yet".to_owned()))
            }
            (_, Trust::Untrusted(why)) => {
                Some((Health::Degraded, format!("its certificate is not trusted: {why}")))
            }
            _ => None,
        }
    }
}

fn days_in_words(days: i64) -> String {
    if days == 1 { "less than a day".to_owned() } else { format!("{} days", days - 1) }
}

impl Conclusion {
    /// Adds the findings `tls.version`, `tls.cipher`, `tls.alpn`, `tls.subject`,
    /// `tls.issuer`, `tls.days-left`, `tls.fingerprint`, `tls.trusted` and `tls.untrusted-because`,
    /// as far as there is something to say.
    pub fn tls_findings(self, session: &TlsSession, now: i64) -> Conclusion {
        let mut conclusion = self
            .finding("tls.version", session.version.as_str())
            .finding("tls.cipher", session.cipher.as_str())
            .maybe_finding("tls.alpn", session.alpn.as_deref());
        if let Some(leaf) = session.leaf() {
            conclusion = conclusion
                .finding("tls.subject", leaf.subject.as_str())
                .finding("tls.issuer", leaf.issuer.as_str())
                .finding("tls.days-left", leaf.days_left(now))
                .finding("tls.fingerprint", leaf.fingerprint.as_str());
        }
        match &session.trust {
            Trust::Trusted => conclusion.finding("tls.trusted", true),
            Trust::Untrusted(why) => conclusion
                .finding("tls.trusted", false)
                .finding("tls.untrusted-because", why.as_str()),
            Trust::NoRoots => conclusion,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(not_before: i64, not_after: i64, trust: Trust) -> TlsSession {
        let leaf = Certificate {
            subject: "CN=a".to_owned(),
            issuer: "CN=b".to_owned(),
            names: Vec::new(),
            serial: "01".to_owned(),
            not_before,
            not_after,
            key: "EC P-256".to_owned(),
            signature_algorithm: "ecdsa-with-SHA256".to_owned(),
            fingerprint: String::new(),
            self_signed: false,
        };
        TlsSession {
            version: "TLSv1.3".to_owned(),
            cipher: "TLS13_AES_128_GCM_SHA256".to_owned(),
            alpn: None,
            certificates: vec![leaf],
            trust,
        }
    }

    #[test]
    fn a_certificate_that_ended_an_hour_ago_has_minus_one_day_left() {
        let session = session(0, 10 * DAY, Trust::Untrusted("expired".to_owned()));
        assert_eq!(session.leaf().map(|leaf| leaf.days_left(10 * DAY + 3600)), Some(-1));
        let flaw = session.flaw(10 * DAY + 3600);
        let expected = "its certificate expired less than a day ago".to_owned();
        assert_eq!(flaw, Some((Health::Unhealthy, expected)));
    }

    #[test]
    fn a_certificate_of_the_future_is_a_flaw_and_a_trusted_one_is_none() {
        let future = session(5 * DAY, 10 * DAY, Trust::Trusted).flaw(DAY);
        assert_eq!(
            future,
            Some((Health::Unhealthy, "its certificate is not valid yet".to_owned()))
        );
        let private = session(0, 10 * DAY, Trust::Untrusted("unknown issuer".to_owned())).flaw(DAY);
        assert_eq!(private.map(|(health, _)| health), Some(Health::Degraded));
        assert_eq!(session(0, 10 * DAY, Trust::Trusted).flaw(DAY), None);
    }

    #[test]
    fn without_roots_nothing_is_said_about_trust() {
        let session = session(0, 10 * DAY, Trust::NoRoots);
        let conclusion = Conclusion::confirmed("").tls_findings(&session, DAY);
        assert!(conclusion.findings.iter().all(|finding| !finding.name.contains("trust")));
        assert_eq!(session.flaw(DAY), None);
    }
}
