//! Names to addresses, each name once.
//!
//! Reads the system's configuration (resolv.conf with its search list and
//! options, the hosts file) and asks for both families side by side, so that a
//! family whose servers do not answer hides nothing of the other. Other
//! sources of names (mDNS, LDAP, nsswitch.conf) are not consulted.
//!
//! Not here: what to probe at the addresses.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use tokio::sync::Semaphore;

use crate::model::UnresolvedReason;

/// Names asked for at once.
const CONCURRENT: usize = 64;

/// Which families are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Families {
    /// Both.
    Both,
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// What became of a name: its addresses, IPv4 first, without repetition, or
/// why there are none.
pub type Resolved = Result<Vec<IpAddr>, UnresolvedReason>;

/// Resolves all `names`, each once.
///
/// # Errors
/// When no runtime can be made; a name that does not resolve is an answer.
pub fn resolve(names: &[String], families: Families) -> std::io::Result<HashMap<String, Resolved>> {
    resolve_by(system_configuration(), names, families)
}

/// The system's resolver configuration; without one, as glibc does, a server
/// on this machine.
fn system_configuration() -> (ResolverConfig, ResolverOpts) {
    hickory_resolver::system_conf::read_system_conf().unwrap_or_else(|_| {
        let local = NameServerConfig::udp_and_tcp(IpAddr::V4(Ipv4Addr::LOCALHOST));
        (ResolverConfig::from_parts(None, vec![], vec![local]), ResolverOpts::default())
    })
}

fn resolve_by(
    configuration: (ResolverConfig, ResolverOpts),
    names: &[String],
    families: Families,
) -> std::io::Result<HashMap<String, Resolved>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async move {
        let resolver = |strategy| make(&configuration, strategy).map(Arc::new);
        let v4 = resolver(LookupIpStrategy::Ipv4Only);
        let v6 = resolver(LookupIpStrategy::Ipv6Only);
        let turns = Arc::new(Semaphore::new(CONCURRENT));
        let mut asked = Vec::new();
        let mut distinct: Vec<&String> = names.iter().collect();
        distinct.sort_unstable();
        distinct.dedup();
        for name in distinct {
            let (name, turns) = (name.clone(), turns.clone());
            let (v4, v6) = (v4.clone(), v6.clone());
            asked.push(tokio::spawn(async move {
                let _turn = turns.acquire().await;
                let resolved = one(&name, families, v4.as_deref(), v6.as_deref()).await;
                (name, resolved)
            }));
        }
        let mut answers = HashMap::new();
        for task in asked {
            if let Ok((name, resolved)) = task.await {
                answers.insert(name, resolved);
            }
        }
        Ok(answers)
    })
}

fn make(
    (config, options): &(ResolverConfig, ResolverOpts),
    strategy: LookupIpStrategy,
) -> Option<TokioResolver> {
    let mut options = options.clone();
    options.ip_strategy = strategy;
    let provider = TokioRuntimeProvider::default();
    TokioResolver::builder_with_config(config.clone(), provider).with_options(options).build().ok()
}

async fn one(
    name: &str,
    families: Families,
    v4: Option<&TokioResolver>,
    v6: Option<&TokioResolver>,
) -> Resolved {
    // RFC 6761 6.3: localhost is this machine, whatever a server says.
    if name.trim_end_matches('.').eq_ignore_ascii_case("localhost") {
        let both = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)];
        return Ok(both.into_iter().filter(|ip| families.wants(*ip)).collect());
    }
    let ask = async |resolver: Option<&TokioResolver>, wanted: bool| match resolver {
        Some(resolver) if wanted => Some(lookup(resolver, name).await),
        _ => None,
    };
    let (a, aaaa) =
        tokio::join!(ask(v4, families != Families::V6), ask(v6, families != Families::V4));
    let mut addresses = Vec::new();
    let mut reasons = Vec::new();
    for answer in [a, aaaa].into_iter().flatten() {
        match answer {
            Ok(found) => addresses.extend(found),
            Err(reason) => reasons.push(reason),
        }
    }
    let mut seen = std::collections::HashSet::new();
    addresses.retain(|ip| seen.insert(*ip));
    match addresses.is_empty() {
        false => Ok(addresses),
        true => Err(conclude(&reasons)),
    }
}

impl Families {
    fn wants(self, ip: IpAddr) -> bool {
        match self {
            Families::Both => true,
            Families::V4 => ip.is_ipv4(),
            Families::V6 => ip.is_ipv6(),
        }
    }
}

async fn lookup(resolver: &TokioResolver, name: &str) -> Result<Vec<IpAddr>, UnresolvedReason> {
    // Attempts at each server have their own time; this ends a chain of them.
    const LONGEST: Duration = Duration::from_secs(30);
    match tokio::time::timeout(LONGEST, resolver.lookup_ip(name)).await {
        Ok(Ok(found)) => Ok(found.iter().map(|ip| ip.to_canonical()).collect()),
        Ok(Err(error)) => Err(reason_of(&error)),
        Err(_) => Err(UnresolvedReason::Timeout),
    }
}

fn reason_of(error: &NetError) -> UnresolvedReason {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => UnresolvedReason::Nxdomain,
            ResponseCode::NoError => UnresolvedReason::NoData,
            _ => UnresolvedReason::Servfail,
        },
        NetError::Dns(DnsError::ResponseCode(ResponseCode::NXDomain)) => UnresolvedReason::Nxdomain,
        NetError::Timeout | NetError::NoConnections | NetError::Io(_) => UnresolvedReason::Timeout,
        _ => UnresolvedReason::Servfail,
    }
}

/// One reason for both families: what is certain of the name itself first,
/// then what kept us from knowing.
fn conclude(reasons: &[UnresolvedReason]) -> UnresolvedReason {
    use UnresolvedReason::{NoData, Nxdomain, Servfail, Timeout};
    [Nxdomain, Servfail, Timeout, NoData]
        .into_iter()
        .find(|reason| reasons.contains(reason))
        .unwrap_or(Timeout)
}

/// Gives an address its zone: an interface's name or number.
///
/// # Errors
/// The zone, when this machine has no such interface.
pub fn with_zone(ip: IpAddr, zone: Option<&str>) -> Result<SocketAddr, String> {
    let Some(zone) = zone else { return Ok(SocketAddr::new(ip, 0)) };
    let index = match zone.parse::<u32>() {
        Ok(number) => number,
        Err(_) => nix::net::if_::if_nametoindex(zone).map_err(|_| zone.to_string())?,
    };
    match ip {
        IpAddr::V6(v6) => Ok(std::net::SocketAddrV6::new(v6, 0, 0, index).into()),
        IpAddr::V4(_) => Ok(SocketAddr::new(ip, 0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use UnresolvedReason::{NoData, Nxdomain, Servfail, Timeout};

    #[test]
    fn what_is_certain_of_a_name_comes_first() {
        assert_eq!(conclude(&[NoData, Nxdomain]), Nxdomain);
        assert_eq!(conclude(&[NoData, Timeout]), Timeout);
        assert_eq!(conclude(&[NoData, NoData]), NoData);
        assert_eq!(conclude(&[Timeout, Servfail]), Servfail);
    }

    #[test]
    fn localhost_needs_no_server() {
        let answers = resolve(&["localhost".into()], Families::V6).unwrap();
        assert_eq!(answers["localhost"], Ok(vec!["::1".parse().unwrap()]));
    }

    #[test]
    fn an_unknown_zone_is_named() {
        let ip = "fe80::1".parse().unwrap();
        assert_eq!(with_zone(ip, Some("no-such-if0")), Err("no-such-if0".into()));
    }
}
