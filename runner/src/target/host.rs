use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::TargetError;

/// The host part of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A name to resolve.
    Name(String),
    /// One address, with a zone if it has one.
    Address {
        /// The address, unmapped.
        ip: IpAddr,
        /// Interface name or number after `%`.
        zone: Option<String>,
    },
    /// Every address from the first to the last.
    Range {
        /// First address.
        first: IpAddr,
        /// Last address, of the same family and not smaller.
        last: IpAddr,
    },
}

impl Host {
    /// Reads a name, address, block or range.
    ///
    /// # Errors
    /// Says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Host, TargetError> {
        let bad = |why| TargetError::Host { text: text.to_string(), why };
        if text.is_empty() {
            return Err(bad("it is empty"));
        }
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Host::Address { ip: ip.to_canonical(), zone: None });
        }
        if text.contains('/') {
            let net: IpNet = text.parse().map_err(|_| bad(block_flaw(text)))?;
            let (first, last) = (net.network(), net.broadcast());
            return Ok(Host::Range { first, last });
        }
        if let Some((address, zone)) = text.split_once('%') {
            let ip: Ipv6Addr =
                address.parse().map_err(|_| bad("only an IPv6 address has a zone"))?;
            let plain = !zone.is_empty() && zone.chars().all(|c| c.is_ascii_graphic());
            return match plain {
                true => Ok(Host::Address { ip: IpAddr::V6(ip), zone: Some(zone.to_string()) }),
                false => Err(bad("the zone after '%' is the name of an interface")),
            };
        }
        if let Some(range) = parse_range(text) {
            return range.ok_or_else(|| bad("the range ends before it begins, or mixes families"));
        }
        parse_name(text)
    }

    /// Addresses of a block or range, without expanding it; one for an address;
    /// none for a name.
    pub fn addresses(&self) -> Hosts {
        match self {
            Host::Name(_) => Hosts { next: None, last: IpAddr::V4(Ipv4Addr::UNSPECIFIED) },
            Host::Address { ip, .. } => Hosts { next: Some(*ip), last: *ip },
            Host::Range { first, last } => Hosts { next: Some(*first), last: *last },
        }
    }

    /// How many addresses that is; saturates.
    pub fn count(&self) -> u64 {
        match self {
            Host::Name(_) | Host::Address { .. } => 1,
            Host::Range { first: IpAddr::V4(a), last: IpAddr::V4(b) } => {
                u64::from(u32::from(*b) - u32::from(*a)) + 1
            }
            Host::Range { first: IpAddr::V6(a), last: IpAddr::V6(b) } => {
                u64::try_from(u128::from(*b) - u128::from(*a)).unwrap_or(u64::MAX).saturating_add(1)
            }
            Host::Range { .. } => 0,
        }
    }
}

/// What is wrong with a text that has a slash in it.
fn block_flaw(text: &str) -> &'static str {
    match text.split_once('/').map(|(address, _)| address.parse::<IpAddr>()) {
        Some(Ok(IpAddr::V4(_))) => "the bits of an IPv4 block are 0 to 32",
        Some(Ok(IpAddr::V6(_))) => "the bits of an IPv6 block are 0 to 128",
        _ => "a block is ADDRESS/BITS, for example 10.0.0.0/24",
    }
}

/// `A-B` with full addresses, or `10.0.0.1-9`. None when it is no range at
/// all; `Some(None)` when it is a wrong one.
fn parse_range(text: &str) -> Option<Option<Host>> {
    let (from, to) = text.split_once('-')?;
    let first: IpAddr = from.parse().ok()?;
    let last = match (first, to.parse::<u8>()) {
        (IpAddr::V4(v4), Ok(octet)) => {
            let [a, b, c, _] = v4.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, octet))
        }
        _ => match to.parse::<IpAddr>() {
            Ok(last) => last,
            Err(_) => return Some(None),
        },
    };
    let fits = first.is_ipv4() == last.is_ipv4() && first <= last;
    Some(fits.then_some(Host::Range { first, last }))
}

/// A host name: RFC 1123 2.1, and the underscore that people use all the same.
fn parse_name(text: &str) -> Result<Host, TargetError> {
    let bad = |why| Err(TargetError::Host { text: text.to_string(), why });
    let name = text.strip_suffix('.').unwrap_or(text);
    if name.len() > 253 {
        return bad("a name has at most 253 characters");
    }
    if name.contains('*') {
        return bad("write a block (10.0.0.0/24) or a range (10.0.0.1-254)");
    }
    if name.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return bad("it looks like an IPv4 address but is none");
    }
    for label in name.split('.') {
        let plain = label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_');
        if label.is_empty()
            || label.len() > 63
            || !plain
            || label.starts_with('-')
            || label.ends_with('-')
        {
            return bad("labels hold letters, digits and inner hyphens, at most 63 of them");
        }
    }
    Ok(Host::Name(text.to_string()))
}

/// Walks the addresses of a block, one at a time.
#[derive(Clone, Debug)]
pub struct Hosts {
    next: Option<IpAddr>,
    last: IpAddr,
}

impl Iterator for Hosts {
    type Item = IpAddr;

    fn next(&mut self) -> Option<IpAddr> {
        let current = self.next?;
        self.next = (current < self.last)
            .then(|| match current {
                IpAddr::V4(v4) => u32::from(v4).checked_add(1).map(|n| IpAddr::V4(n.into())),
                IpAddr::V6(v6) => u128::from(v6).checked_add(1).map(|n| IpAddr::V6(n.into())),
            })
            .flatten();
        Some(current)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<String> {
        Host::parse(text).unwrap().addresses().map(|ip| ip.to_string()).collect()
    }

    #[test]
    fn blocks_include_their_first_and_last_address() {
        assert_eq!(all("10.0.0.5/30"), ["10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7"]);
        assert_eq!(all("2001:db8::/127"), ["2001:db8::", "2001:db8::1"]);
        assert_eq!(all("255.255.255.254/31"), ["255.255.255.254", "255.255.255.255"]);
    }

    #[test]
    fn a_huge_block_costs_nothing() {
        let host = Host::parse("2001:db8::/32").unwrap();
        assert_eq!(host.count(), u64::MAX);
        assert_eq!(host.addresses().nth(1).unwrap().to_string(), "2001:db8::1");
    }

    #[test]
    fn ranges_have_a_short_form() {
        assert_eq!(all("10.0.0.8-10"), ["10.0.0.8", "10.0.0.9", "10.0.0.10"]);
        assert!(Host::parse("10.0.0.9-8").is_err());
        assert!(Host::parse("10.0.0.9-::1").is_err());
    }

    #[test]
    fn mapped_addresses_are_ipv4() {
        assert_eq!(all("::ffff:10.0.0.1"), ["10.0.0.1"]);
    }

    #[test]
    fn names_and_zones_are_told_from_addresses() {
        assert_eq!(Host::parse("a_b.example."), Ok(Host::Name("a_b.example.".into())));
        let zone = Some("eth0".to_string());
        assert_eq!(
            Host::parse("fe80::1%eth0"),
            Ok(Host::Address { ip: "fe80::1".parse().unwrap(), zone })
        );
        for bad in ["1.2.3", "1.2.3.4.5", "a..b", "-a", "a b", "10.0.0.1%eth0"] {
            assert!(Host::parse(bad).is_err(), "{bad}");
        }
    }
}
