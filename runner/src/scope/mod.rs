//! Which addresses may be probed, when, and how fast.
//!
//! A scope is a file that somebody wrote for a user or a directory. What it does not
//! allow is refused before a packet leaves, with the rule named. Without one, more
//! than a handful of addresses outside private networks need a word.
//!
//! Pure: files are read in `settings`. Start reading at [`Guard::admit`].

mod file;

use std::net::IpAddr;

use ipnet::IpNet;
use thiserror::Error;

/// Addresses outside private networks that nobody is asked about.
const HANDFUL: u64 = 16;

/// Networks that are nobody else's: loopback, private (RFC 1918, RFC 4193), link-local
/// (RFC 3927, RFC 4291), shared (RFC 6598), for documentation and benchmarks (RFC 5737,
/// RFC 3849, RFC 2544).
const PRIVATE: [&str; 15] = [
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "100.64.0.0/10",
    "192.0.2.0/24",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "198.18.0.0/15",
    "0.0.0.0/32",
    "::1/128",
    "fc00::/7",
    "fe80::/10",
    "2001:db8::/32",
];

/// One network of a scope, with where the file says so.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    network: IpNet,
    place: String,
}

/// Hours of a day, in minutes since midnight, local time. May go over midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hours {
    from: u16,
    to: u16,
}

/// One file.
#[derive(Clone, Debug, PartialEq)]
pub struct Scope {
    name: String,
    /// Networks that may be probed; every one when the file has no such list.
    allow: Option<Vec<Rule>>,
    never: Vec<Rule>,
    hours: Vec<Hours>,
    /// Most packets a second.
    pub highest_rate: Option<f64>,
}

/// Why something may not be probed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// A rule forbids it.
    #[error("{target} may not be probed: never {network} ({place})")]
    Never {
        /// What was asked for.
        target: String,
        /// The network.
        network: IpNet,
        /// File and line.
        place: String,
    },
    /// No rule allows it.
    #[error("{target} may not be probed: {address} is in no network that {file} allows")]
    Outside {
        /// What was asked for.
        target: String,
        /// The first address that is outside.
        address: IpAddr,
        /// The file.
        file: String,
    },
    /// It is not the time.
    #[error("nothing may be probed now: {file} allows {hours}")]
    Hours {
        /// The file.
        file: String,
        /// The hours.
        hours: String,
    },
    /// Too many of other people's addresses, and nobody said that it is right.
    #[error(
        "{count} addresses outside private networks: --i-am-authorised says that you may probe them, \
         or a scope.toml does (docs/SCOPE.md)"
    )]
    Many {
        /// How many.
        count: u64,
    },
}

/// Holds a run to its scopes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Guard {
    scopes: Vec<Scope>,
    authorised: bool,
}

impl Guard {
    /// A guard over a run; `authorised` is the user's own word.
    pub fn new(scopes: Vec<Scope>, authorised: bool) -> Guard {
        Guard { scopes, authorised }
    }

    /// The lowest of the highest rates, in packets a second.
    pub fn highest_rate(&self) -> Option<f64> {
        self.scopes.iter().filter_map(|scope| scope.highest_rate).min_by(f64::total_cmp)
    }

    /// Whether somebody said that these addresses may be probed: the user, or a scope.
    pub fn is_authorised(&self) -> bool {
        self.authorised || self.has_scope()
    }

    /// Whether there is a scope.
    pub fn has_scope(&self) -> bool {
        !self.scopes.is_empty()
    }

    /// Whether it is the time; `minute` counts from midnight, local time.
    ///
    /// # Errors
    /// [`Refusal::Hours`].
    pub fn is_time(&self, minute: impl FnOnce() -> u16) -> Result<(), Refusal> {
        // The time of day is read from files of its own.
        if self.scopes.iter().all(|scope| scope.hours.is_empty()) {
            return Ok(());
        }
        let minute = minute();
        let closed = self.scopes.iter().find(|scope| {
            !scope.hours.is_empty() && !scope.hours.iter().any(|hours| hours.holds(minute))
        });
        match closed {
            None => Ok(()),
            Some(scope) => {
                let hours: Vec<String> = scope.hours.iter().map(Hours::to_string).collect();
                Err(Refusal::Hours { file: scope.name.clone(), hours: hours.join(", ") })
            }
        }
    }

    /// Whether all addresses from `first` to `last` may be probed for `target`. `public`
    /// counts those outside private networks over a run.
    ///
    /// # Errors
    /// [`Refusal`], with the rule.
    pub fn admit(
        &self,
        target: &str,
        first: IpAddr,
        last: IpAddr,
        public: &mut u64,
    ) -> Result<(), Refusal> {
        for scope in &self.scopes {
            let hit = scope.never.iter().find(|rule| overlaps(&rule.network, first, last));
            if let Some(Rule { network, place }) = hit {
                let (target, place) = (target.to_owned(), place.clone());
                return Err(Refusal::Never { target, network: *network, place });
            }
            let Some(allow) = &scope.allow else { continue };
            let allowed: Vec<IpNet> = allow.iter().map(|rule| rule.network).collect();
            if let Some(address) = uncovered(&allowed, first, last) {
                let (target, file) = (target.to_owned(), scope.name.clone());
                return Err(Refusal::Outside { target, address, file });
            }
        }
        if self.authorised || !self.scopes.is_empty() {
            return Ok(());
        }
        let private: Vec<IpNet> = PRIVATE.iter().filter_map(|text| text.parse().ok()).collect();
        if uncovered(&private, first, last).is_some() {
            let count = number(last).saturating_sub(number(first)).saturating_add(1);
            *public = public.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        }
        match *public > HANDFUL {
            true => Err(Refusal::Many { count: *public }),
            false => Ok(()),
        }
    }
}

impl Hours {
    fn holds(self, minute: u16) -> bool {
        match self.from <= self.to {
            true => (self.from..self.to).contains(&minute),
            false => minute >= self.from || minute < self.to,
        }
    }
}

impl std::fmt::Display for Hours {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (a, b) = (self.from, self.to);
        write!(f, "{:02}:{:02}-{:02}:{:02}", a / 60, a % 60, b / 60, b % 60)
    }
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

fn address(number: u128, like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::V4(u32::try_from(number).unwrap_or(u32::MAX).into()),
        IpAddr::V6(_) => IpAddr::V6(number.into()),
    }
}

fn overlaps(network: &IpNet, first: IpAddr, last: IpAddr) -> bool {
    network.addr().is_ipv4() == first.is_ipv4()
        && number(network.network()) <= number(last)
        && number(first) <= number(network.broadcast())
}

/// The first address from `first` to `last` that is in none of the networks.
fn uncovered(networks: &[IpNet], first: IpAddr, last: IpAddr) -> Option<IpAddr> {
    let mut at = number(first);
    while at <= number(last) {
        let here = address(at, first);
        let furthest = networks
            .iter()
            .filter(|network| network.contains(&here))
            .map(|network| number(network.broadcast()))
            .max();
        match furthest {
            Some(end) if end < u128::MAX => at = end + 1,
            Some(_) => return None,
            None => return Some(here),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(text: &str) -> Guard {
        Guard::new(vec![Scope::parse("scope.toml", text).unwrap()], false)
    }

    fn admit(guard: &Guard, first: &str, last: &str) -> Result<(), Refusal> {
        guard.admit("target", first.parse().unwrap(), last.parse().unwrap(), &mut 0)
    }

    #[test]
    fn what_is_outside_or_forbidden_is_refused_with_the_rule() {
        let guard = guard(
            "allow = [\"10.0.0.0/24\", \"10.0.1.0/24\", \"fd00::/8\"]\nnever = [\"10.0.0.7\"]\n",
        );
        assert_eq!(admit(&guard, "10.0.0.8", "10.0.1.255"), Ok(()));
        assert_eq!(admit(&guard, "fd00::1", "fd00::2"), Ok(()));
        let never = admit(&guard, "10.0.0.1", "10.0.0.20").unwrap_err().to_string();
        assert!(never.contains("never 10.0.0.7/32 (scope.toml:2)"), "{never}");
        let outside = admit(&guard, "10.0.1.200", "10.0.2.5").unwrap_err().to_string();
        assert!(outside.contains("10.0.2.0 is in no network that scope.toml allows"), "{outside}");
        assert!(admit(&guard, "192.0.2.1", "192.0.2.1").is_err());
        assert!(admit(&guard, "::ffff", "::ffff").is_err());
    }

    #[test]
    fn an_empty_list_allows_nothing() {
        for text in ["allow = []", "allow = []\nnever = []"] {
            let refused = admit(&guard(text), "127.0.0.1", "127.0.0.1").unwrap_err();
            assert!(matches!(refused, Refusal::Outside { .. }), "{refused}");
        }
        assert_eq!(admit(&guard("never = []"), "127.0.0.1", "127.0.0.1"), Ok(()));
    }

    #[test]
    fn many_public_addresses_need_a_word() {
        let nobody = Guard::default();
        let mut public = 0;
        let mut ask = |first: &str, last: &str| {
            nobody.admit("t", first.parse().unwrap(), last.parse().unwrap(), &mut public)
        };
        assert_eq!(ask("10.0.0.0", "10.255.255.255"), Ok(()));
        assert_eq!(ask("::1", "::1"), Ok(()));
        assert_eq!(ask("8.8.8.0", "8.8.8.15"), Ok(()));
        assert_eq!(ask("9.9.9.9", "9.9.9.9"), Err(Refusal::Many { count: 17 }));
        let whole = ("0.0.0.0".parse().unwrap(), "255.255.255.255".parse().unwrap());
        assert!(nobody.admit("t", whole.0, whole.1, &mut 0).is_err());
        assert_eq!(Guard::new(vec![], true).admit("t", whole.0, whole.1, &mut 0), Ok(()));
    }

    #[test]
    fn hours_may_go_over_midnight_and_the_lowest_rate_counts() {
        let day = guard("hours = [\"08:00-12:00\", \"22:00-06:00\"]\nhighest-rate = 50\n");
        for (minute, open) in
            [(0, true), (359, true), (360, false), (480, true), (720, false), (1320, true)]
        {
            assert_eq!(day.is_time(|| minute).is_ok(), open, "{minute}");
        }
        let said = day.is_time(|| 400).unwrap_err().to_string();
        assert!(said.contains("08:00-12:00, 22:00-06:00"), "{said}");
        assert_eq!(day.highest_rate(), Some(50.0));
        assert_eq!(Guard::default().highest_rate(), None);
    }

    #[test]
    fn mistakes_name_file_line_and_fix() {
        for (text, says) in [
            ("alow = []", "scope.toml:1:1: unknown key 'alow': did you mean 'allow'?"),
            ("allow = [\n\"10.0.0.0/33\"]", "scope.toml:2:1: '10.0.0.0/33' is no network"),
            ("hours = [\"8-25\"]", "write 08:00-18:00"),
            ("highest-rate = 0", "packets a second, more than 0"),
            ("allow = 3", "a list"),
            ("allow = [", "scope.toml:1"),
        ] {
            let said = Scope::parse("scope.toml", text).unwrap_err();
            assert!(said.contains(says), "{text}: {said}");
        }
    }
}
