//! Text to targets. No network.
//!
//! Grammar:
//!
//! ```text
//! target   = host [":" ports]            example.com:443   [2001:db8::1]:22,80   10.0.0.0/29:22
//! host     = name | address | block | range
//! block    = address "/" bits            every address of it, first and last included
//! range    = address "-" address         10.0.0.1-10.0.0.9, or 10.0.0.1-9
//! ports    = item *("," item)
//! item     = (number | number "-" number | service | "all") ["/" ("tcp" | "udp")]
//! ```
//!
//! An IPv6 address needs brackets only before `:ports`; it may carry a zone
//! (`fe80::1%eth0`). Transport is TCP where none is given. Blocks are never
//! expanded in memory. Start reading at [`parse_target`].

mod file;
mod host;
mod port;

pub use file::{FileError, parse_file};
pub use host::{Host, Hosts};
pub use port::{PortSpec, parse_ports, service_port};

use std::collections::HashSet;
use std::sync::Arc;

use crate::model::Family;

/// What to probe: hosts, and ports on each of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetSpec {
    /// The host part as the user wrote it, without brackets.
    pub text: Arc<str>,
    /// Where.
    pub host: Host,
    /// What, in the user's order, without repetition. Empty when none was given.
    pub ports: Arc<[PortSpec]>,
    /// Which addresses of a name count; the run may want fewer.
    pub family: Family,
}

/// Why a text is no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Nothing there.
    #[error("empty target")]
    Empty,
    /// The host part is no name, address, block or range.
    #[error("'{text}' is no host name, address, block or range: {why}")]
    Host {
        /// The part that is wrong.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A port item cannot be understood.
    #[error("'{text}' is no port: {why}")]
    Port {
        /// The item.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// No ports were given.
    #[error("no ports for '{text}': {hint}")]
    NoPorts {
        /// The target.
        text: String,
        /// What to write instead.
        hint: String,
    },
    /// A word that can only be ports, and no target to take them.
    #[error("'{text}' is a port, and no target is before it: portscan HOST {text}")]
    NoTarget {
        /// The word.
        text: String,
    },
    /// An address of a browser.
    #[error("'{text}' is a URL: write {host}:{scheme}")]
    Url {
        /// As typed.
        text: String,
        /// Its host, and its port where it names one.
        host: String,
        /// Its service, or its port.
        scheme: String,
    },
    /// Ports were given twice: with the target and as words of their own.
    #[error("'{text}' names its ports already; put all of them in one place")]
    PortsTwice {
        /// The target.
        text: String,
    },
}

/// Reads one target, with or without ports.
///
/// # Errors
/// Names the part that is wrong and why.
pub fn parse_target(text: &str) -> Result<TargetSpec, TargetError> {
    let (host, ports) = split_ports(text.trim())?;
    let ports = match ports {
        Some(ports) => parse_ports(ports)?,
        None => Vec::new(),
    };
    let (text, host) = (host.into(), Host::parse(host)?);
    Ok(TargetSpec { text, host, ports: ports.into(), family: Family::Any })
}

/// Reads the words of a command line: `HOST PORT...`, or targets that name
/// their own ports.
///
/// A word without ports takes the words after it that can only be ports.
///
/// # Errors
/// The first word that fits nowhere.
pub fn parse_words(words: &[String]) -> Result<Vec<TargetSpec>, TargetError> {
    let mut targets: Vec<TargetSpec> = Vec::new();
    for word in words {
        if let Some(error) = url(word) {
            return Err(error);
        }
        if targets.is_empty() && words_ports(word).is_ok_and(|ports| ports.is_some()) {
            return Err(TargetError::NoTarget { text: word.clone() });
        }
        if let Some(last) = targets.last_mut()
            && let Some(ports) = words_ports(word)?
        {
            // Looked up, not searched for: 65,535 ports against each other take 0.6 s.
            let known: HashSet<PortSpec> = last.ports.iter().copied().collect();
            let new = ports.into_iter().filter(|port| !known.contains(port));
            last.ports = last.ports.iter().copied().chain(new).collect();
            continue;
        }
        targets.push(parse_target(word)?);
    }
    match targets.iter().position(|t| t.ports.is_empty()) {
        Some(at) => Err(TargetError::NoPorts {
            text: targets[at].text.to_string(),
            hint: ports_hint(&targets[at], targets.get(at + 1)),
        }),
        None => Ok(targets),
    }
}

/// What to write for a target without ports; the word after it may be a service
/// with a slip in it, which made it look like a target.
fn ports_hint(target: &TargetSpec, next: Option<&TargetSpec>) -> String {
    let meant = next.and_then(|next| Some((&next.text, port::nearest_service(&next.text)?)));
    if let Some((typed, (service, port))) = meant {
        return format!("did you mean '{service}' ({port}) by '{typed}'?");
    }
    let text = &target.text;
    match target.host {
        Host::Address { ip: std::net::IpAddr::V6(_), .. } => {
            format!("say which, for example [{text}]:443 or {text} 22,443,53/udp")
        }
        _ => format!("say which, for example {text}:443 or {text} 22,443,53/udp"),
    }
}

/// `https://example.com:8443/login`, which people paste.
fn url(word: &str) -> Option<TargetError> {
    let (scheme, rest) = word.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
            (host, port)
        }
        _ => (authority, scheme),
    };
    Some(TargetError::Url { text: word.into(), host: host.into(), scheme: port.into() })
}

/// The ports that a word stands for, or none when it is a target.
///
/// A word that starts with a digit and holds no dot or colon is ports; so is
/// a list of service names. A single name is a service if it is a known one.
fn words_ports(word: &str) -> Result<Option<Vec<PortSpec>>, TargetError> {
    if word.contains([':', '.', '[', '%']) {
        return Ok(None);
    }
    let numeric = word.starts_with(|c: char| c.is_ascii_digit());
    let listed = word.contains(',') || word.ends_with("/udp") || word.ends_with("/tcp");
    if numeric || listed || port::is_service(word) || word == "all" {
        return parse_ports(word).map(Some);
    }
    Ok(None)
}

/// Splits `host:ports`, leaving IPv6 colons alone.
fn split_ports(text: &str) -> Result<(&str, Option<&str>), TargetError> {
    if text.is_empty() {
        return Err(TargetError::Empty);
    }
    if let Some(rest) = text.strip_prefix('[') {
        let bad = |why| TargetError::Host { text: text.into(), why };
        let (host, after) = rest.split_once(']').ok_or_else(|| bad("the bracket is not closed"))?;
        return match after.strip_prefix(':') {
            Some(ports) => Ok((host, Some(ports))),
            None if after.is_empty() => Ok((host, None)),
            // [2001:db8::]/64 and [..]/64:80
            None => Err(bad("after ']' comes ':' and ports")),
        };
    }
    match text.matches(':').count() {
        0 => Ok((text, None)),
        1 => {
            let (host, ports) = text.split_once(':').unwrap_or((text, ""));
            Ok((host, Some(ports)))
        }
        // A bare IPv6 address or block.
        _ => Ok((text, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Transport;
    use proptest::prelude::*;

    fn words(list: &[&str]) -> Result<Vec<TargetSpec>, TargetError> {
        parse_words(&list.iter().map(|w| w.to_string()).collect::<Vec<_>>())
    }

    fn ports(spec: &TargetSpec) -> Vec<String> {
        spec.ports.iter().map(|p| format!("{}/{}", p.port, p.transport)).collect()
    }

    #[test]
    fn a_host_takes_the_ports_after_it() {
        let specs = words(&["db.example.com", "5432", "53/udp", "https", "8000-8002"]).unwrap();
        assert_eq!(specs.len(), 1);
        assert_eq!(
            ports(&specs[0]),
            ["5432/tcp", "53/udp", "443/tcp", "8000/tcp", "8001/tcp", "8002/tcp"]
        );
    }

    #[test]
    fn targets_with_their_own_ports_stand_side_by_side() {
        let specs =
            words(&["example.com:443", "[2001:db8::1]:22", "10.0.0.0/29:22,80,8000-8001"]).unwrap();
        assert_eq!(
            specs.iter().map(|s| &*s.text).collect::<Vec<_>>(),
            ["example.com", "2001:db8::1", "10.0.0.0/29"]
        );
        assert_eq!(ports(&specs[2]), ["22/tcp", "80/tcp", "8000/tcp", "8001/tcp"]);
    }

    #[test]
    fn a_bare_ipv6_address_takes_ports_as_words() {
        let specs = words(&["2001:db8::1", "53/udp"]).unwrap();
        assert_eq!(ports(&specs[0]), ["53/udp"]);
    }

    #[test]
    fn service_names_work_with_both_transports() {
        assert_eq!(ports(&words(&["h", "domain/udp,domain"]).unwrap()[0]), ["53/udp", "53/tcp"]);
    }

    #[test]
    fn missing_ports_are_an_error_that_shows_the_fix() {
        let error = words(&["example.com"]).unwrap_err().to_string();
        assert!(error.contains("example.com:443"), "{error}");
    }

    #[test]
    fn an_unknown_service_is_named_with_a_neighbour() {
        let error = parse_target("h:htps").unwrap_err().to_string();
        assert!(error.contains("htps") && error.contains("https"), "{error}");
    }

    #[test]
    fn transports_and_ranges_are_checked() {
        for bad in [
            "h:70000",
            "h:9-3",
            "h:0-65536",
            "h:80/sctp",
            "h:",
            "h:1,,2",
            "[::1",
            "[::1]80",
            "10.0.0.0/33:1",
        ] {
            assert!(parse_target(bad).is_err(), "{bad}");
        }
        assert_eq!(parse_target("h:all").unwrap().ports.len(), 65_535);
        assert_eq!(parse_target("h:0").unwrap().ports[0].transport, Transport::Tcp);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = parse_target(&text);
            let _ = words(&[&text, &text]);
        }

        #[test]
        fn no_address_like_text_panics(text in "[0-9a-f:.%/\\[\\],-]{0,30}") {
            let _ = parse_target(&text);
        }
    }
}
