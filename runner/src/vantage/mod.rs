//! Where and as whom we looked: this machine's names, addresses, routes and
//! listeners. Reads interface lists and /proc; sends nothing.

mod listeners;

pub use listeners::{Listener, Listeners};

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The place from which a run saw what it saw.
#[derive(Clone, Debug, Default)]
pub struct Vantage {
    /// The machine's name.
    pub hostname: String,
    /// The user's name, or number.
    pub user: String,
    /// Root, or CAP_NET_RAW or CAP_NET_ADMIN.
    pub privileged: bool,
    /// Addresses of this machine, without loopback and link-local ones.
    pub source_addresses: Vec<IpAddr>,
    own: HashSet<IpAddr>,
    gateways: HashSet<IpAddr>,
}

impl Vantage {
    /// Looks at this machine.
    pub fn observe() -> Vantage {
        let own = own_addresses();
        let mut source_addresses: Vec<IpAddr> =
            own.iter().copied().filter(|ip| !ip.is_loopback() && !is_link_local(*ip)).collect();
        source_addresses.sort();
        let uid = nix::unistd::geteuid();
        let user = nix::unistd::User::from_uid(uid).ok().flatten().map(|u| u.name);
        Vantage {
            hostname: nix::unistd::gethostname()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default(),
            user: user.unwrap_or_else(|| uid.to_string()),
            privileged: uid.is_root() || has_network_capability(),
            source_addresses,
            gateways: gateways(),
            own,
        }
    }

    /// Whether an address belongs to this machine. All of 127.0.0.0/8 does.
    pub fn is_own(&self, ip: IpAddr) -> bool {
        ip.is_loopback() || self.own.contains(&ip.to_canonical())
    }

    /// Whether an address is the first router on a way out of here.
    pub fn is_first_hop(&self, ip: IpAddr) -> bool {
        self.gateways.contains(&ip.to_canonical())
    }
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

fn own_addresses() -> HashSet<IpAddr> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else { return HashSet::new() };
    interfaces
        .filter_map(|interface| {
            let address = interface.address?;
            let v4 = address.as_sockaddr_in().map(|a| IpAddr::V4(a.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip())))
        })
        .collect()
}

/// CAP_NET_ADMIN (12) or CAP_NET_RAW (13) among the effective ones
/// (capabilities(7), proc_pid_status(5)).
fn has_network_capability() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = line.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
    bits & (1 << 12 | 1 << 13) != 0
}

/// Gateways of the routing tables (proc_pid_net(5): /proc/net/route in host
/// byte order, /proc/net/ipv6_route in hexadecimal).
fn gateways() -> HashSet<IpAddr> {
    let v4 = std::fs::read_to_string("/proc/net/route").unwrap_or_default();
    let v6 = std::fs::read_to_string("/proc/net/ipv6_route").unwrap_or_default();
    let v4 = v4.lines().skip(1).filter_map(|line| {
        let raw = u32::from_str_radix(line.split_whitespace().nth(2)?, 16).ok()?;
        (raw != 0).then(|| IpAddr::V4(Ipv4Addr::from(u32::from_be(raw))))
    });
    let v6 = v6.lines().filter_map(|line| {
        let raw = u128::from_str_radix(line.split_whitespace().nth(4)?, 16).ok()?;
        (raw != 0).then(|| IpAddr::V6(Ipv6Addr::from(raw)))
    });
    v4.chain(v6).collect()
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
}
