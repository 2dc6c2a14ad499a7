//! What can go wrong at the site, and what `portscan check` must say about it.

/// A mistake of somebody. No two of them touch the same expectation, so any of them
/// may come together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mistake {
    /// A service is stopped.
    SshStopped,
    /// Another is bound to an address that nobody reaches.
    WebBoundToLoopback,
    /// A firewall's rule is gone.
    RuleGone,
    /// A REJECT is a DROP now.
    RejectIsDrop,
    /// A certificate has expired.
    CertificateExpired,
    /// A port is open of which nobody knows.
    UnknownPortOpen,
    /// A name leads to an address of the past.
    StaleName,
    /// The cache asks for a password.
    PasswordAsked,
    /// The firewall rejects with another code.
    OtherCode,
    /// A way has become slow.
    SlowWay,
    /// The database is stopped.
    DatabaseStopped,
    /// Nobody tells the time.
    TimeStopped,
    /// A developer's server runs where there ought to be none.
    DevelopersServer,
    /// Somebody answers to the management protocol.
    ManagementOpen,
    /// A name is back that was given up.
    OldNameBack,
    /// The firewall drops questions for names.
    NamesDropped,
}

use Mistake::*;

impl Mistake {
    pub const ALL: [Mistake; 16] = [
        SshStopped,
        WebBoundToLoopback,
        RuleGone,
        RejectIsDrop,
        CertificateExpired,
        UnknownPortOpen,
        StaleName,
        PasswordAsked,
        OtherCode,
        SlowWay,
        DatabaseStopped,
        TimeStopped,
        DevelopersServer,
        ManagementOpen,
        OldNameBack,
        NamesDropped,
    ];

    /// The one expectation that is not met: target, port and transport (none for the
    /// name itself), what differs, and a part of what is found.
    pub fn expected(self) -> (&'static str, u64, &'static str, &'static str, &'static str) {
        match self {
            SshStopped => ("10.99.2.11", 22, "tcp", "state", "closed (reset)"),
            WebBoundToLoopback => ("web.test", 80, "tcp", "state", "closed (reset)"),
            RuleGone => ("web.test", 22, "tcp", "state", "closed (reset)"),
            RejectIsDrop => ("10.99.2.12", 3306, "tcp", "state", "filtered (no-response)"),
            CertificateExpired => ("web.test", 443, "tcp", "tls.days-left", "-"),
            UnknownPortOpen => ("10.99.2.14", 23, "tcp", "state", "open (syn-ack)"),
            StaleName => ("api.test", 0, "", "addresses", "10.99.2.16"),
            PasswordAsked => ("10.99.2.11", 6379, "tcp", "redis.reply", "NOAUTH"),
            OtherCode => ("10.99.2.12", 1433, "tcp", "code", "port-unreach"),
            SlowWay => ("10.99.2.17", 9000, "tcp", "rtt", "ms"),
            DatabaseStopped => ("10.99.2.12", 5432, "tcp", "state", "closed (reset)"),
            TimeStopped => ("10.99.2.13", 123, "udp", "state", "closed (port-unreach from"),
            DevelopersServer => ("web.test", 8080, "tcp", "state", "open (syn-ack)"),
            ManagementOpen => ("10.99.2.13", 161, "udp", "state", "open (udp-response)"),
            OldNameBack => ("old.test", 0, "", "addresses", "10.99.2.16"),
            NamesDropped => ("10.99.2.13", 53, "udp", "state", "open|filtered (no-response)"),
        }
    }

    /// Expectations that say nothing any more: the ports behind a stale name are not
    /// those of the machine that is meant.
    pub fn skips(self) -> u64 {
        if self == StaleName { 2 } else { 0 }
    }
}

/// Ten of them, drawn by a seed.
pub fn ten(mut seed: u64) -> Vec<Mistake> {
    let mut all = Mistake::ALL.to_vec();
    let mut drawn = Vec::new();
    while drawn.len() < 10 {
        // SplitMix64's step.
        seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        drawn.push(all.swap_remove((z % all.len() as u64) as usize));
    }
    drawn
}
