//! Where and as whom we looked: this machine's names, addresses, routes and
//! listeners. Reads interface lists and /proc; sends nothing.

mod listeners;

pub(crate) use listeners::parse_line;
pub use listeners::{Listener, Listeners};

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The place from which a run saw what it saw.
#[derive(Clone, Debug, Default)]
pub struct Vantage {
    /// What the user calls the place.
    pub name: Option<String>,
    /// The machine's name.
    pub hostname: String,
    /// The user's name, or number.
    pub user: String,
    /// Root, or CAP_NET_RAW or CAP_NET_ADMIN.
    pub privileged: bool,
    /// Addresses of this machine, sorted, without loopback and link-local ones
    /// unless there are no others.
    pub source_addresses: Vec<IpAddr>,
    /// The interfaces that hold them: a name for each, in the same order.
    pub interfaces: Vec<String>,
    /// The name servers as they are configured, in the order in which they are asked.
    pub name_servers: Vec<SocketAddr>,
    own: HashSet<IpAddr>,
    gateways: BTreeSet<IpAddr>,
}

impl Vantage {
    /// Looks at this machine. Costs a fraction of a millisecond; what cannot
    /// be read is taken as absent. Name servers are for the caller to fill in.
    pub fn observe() -> Vantage {
        let held = held_addresses();
        let own: HashSet<IpAddr> = held.keys().copied().collect();
        let source_addresses = source_addresses(&own);
        let uid = nix::unistd::geteuid();
        let user = nix::unistd::User::from_uid(uid).ok().flatten().map(|u| u.name);
        Vantage {
            name: None,
            hostname: nix::unistd::gethostname()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default(),
            user: user.unwrap_or_else(|| uid.to_string()),
            privileged: uid.is_root() || has_network_capability(),
            interfaces: source_addresses.iter().map(|ip| held[ip].clone()).collect(),
            source_addresses,
            name_servers: Vec::new(),
            gateways: gateways(),
            own,
        }
    }

    /// Whether an address belongs to this machine. All of 127.0.0.0/8 does.
    pub fn is_own(&self, ip: IpAddr) -> bool {
        ip.is_loopback() || self.own.contains(&ip.to_canonical())
    }

    /// Whether an address is the first router on a way out of here.
    ///
    /// An IPv6 gateway is mostly known by its link-local address and signs its
    /// ICMPv6 errors with another one (RFC 4443 2.2), so "no" proves nothing.
    pub fn is_first_hop(&self, ip: IpAddr) -> bool {
        self.gateways.contains(&ip.to_canonical())
    }

    /// The first routers on the ways out of here, sorted.
    pub fn gateways(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.gateways.iter().copied()
    }
}

/// The addresses that others may see us under.
fn source_addresses(own: &HashSet<IpAddr>) -> Vec<IpAddr> {
    let far = |ip: &&IpAddr| !ip.is_loopback() && !is_link_local(**ip);
    let mut addresses: Vec<IpAddr> = own.iter().filter(far).copied().collect();
    if addresses.is_empty() {
        addresses = own.iter().copied().collect();
    }
    addresses.sort();
    addresses
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// The addresses of this machine, each with the interface that holds it: the first
/// one, where several do.
fn held_addresses() -> HashMap<IpAddr, String> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else { return HashMap::new() };
    let mut held = HashMap::new();
    for interface in interfaces {
        let Some(address) = interface.address else { continue };
        let v4 = address.as_sockaddr_in().map(|a| IpAddr::V4(a.ip()));
        let ip = v4.or_else(|| address.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip())));
        if let Some(ip) = ip {
            held.entry(ip).or_insert(interface.interface_name);
        }
    }
    held
}

/// CAP_NET_ADMIN (12) or CAP_NET_RAW (13) among the effective ones
/// (capabilities(7), proc_pid_status(5)).
fn has_network_capability() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = line.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
    bits & (1 << 12 | 1 << 13) != 0
}

fn gateways() -> BTreeSet<IpAddr> {
    let v4 = std::fs::read_to_string("/proc/net/route").unwrap_or_default();
    let v6 = std::fs::read_to_string("/proc/net/ipv6_route").unwrap_or_default();
    parse_gateways_v4(&v4).chain(parse_gateways_v6(&v6)).collect()
}

/// The third column of /proc/net/route, a 32-bit word as the machine stores it
/// (proc_pid_net(5)). Zero is a route without a gateway.
fn parse_gateways_v4(text: &str) -> impl Iterator<Item = IpAddr> + '_ {
    text.lines().skip(1).filter_map(|line| {
        let raw = u32::from_str_radix(line.split_whitespace().nth(2)?, 16).ok()?;
        (raw != 0).then(|| IpAddr::V4(Ipv4Addr::from(raw.to_ne_bytes())))
    })
}

/// The fifth column of /proc/net/ipv6_route, in network byte order.
fn parse_gateways_v6(text: &str) -> impl Iterator<Item = IpAddr> + '_ {
    text.lines().filter_map(|line| {
        let raw = u128::from_str_radix(line.split_whitespace().nth(4)?, 16).ok()?;
        (raw != 0).then(|| IpAddr::V6(Ipv6Addr::from(raw)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_always_ours() {
        let vantage = Vantage::observe();
        assert!(vantage.is_own("127.8.9.1".parse().unwrap()));
        assert!(vantage.is_own("::1".parse().unwrap()));
        assert!(!vantage.is_own("192.0.2.1".parse().unwrap()));
        assert!(!vantage.hostname.is_empty());
    }

    #[test]
    fn every_source_address_has_its_interface() {
        let vantage = Vantage::observe();
        assert_eq!(vantage.interfaces.len(), vantage.source_addresses.len());
        assert!(vantage.interfaces.iter().all(|name| !name.is_empty()));
        let held = held_addresses();
        assert_eq!(held.get(&"127.0.0.1".parse().unwrap()).map(String::as_str), Some("lo"));
    }

    #[test]
    fn a_machine_with_nothing_but_loopback_looks_from_there() {
        let own = HashSet::from(["127.0.0.1".parse().unwrap()]);
        assert_eq!(source_addresses(&own), ["127.0.0.1".parse::<IpAddr>().unwrap()]);
        let both = HashSet::from(["127.0.0.1".parse().unwrap(), "10.0.0.5".parse().unwrap()]);
        assert_eq!(source_addresses(&both), ["10.0.0.5".parse::<IpAddr>().unwrap()]);
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn gateways_are_read_from_the_routing_tables() {
        let v4 = "Iface\tDestination\tGateway\tFlags\n\
                  eth0\t00000000\t0101A8C0\t0003\n\
                  eth0\t0001A8C0\t00000000\t0001\n\
                  short\nbad\tx\tnothex\n";
        let found: Vec<IpAddr> = parse_gateways_v4(v4).collect();
        assert_eq!(found, ["192.168.1.1".parse::<IpAddr>().unwrap()]);
        let v6 = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
                  fe800000000000000000000000000001 00000400 00000000 00000000 00000003 eth0\n";
        let found: Vec<IpAddr> = parse_gateways_v6(v6).collect();
        assert_eq!(found, ["fe80::1".parse::<IpAddr>().unwrap()]);
    }
}
