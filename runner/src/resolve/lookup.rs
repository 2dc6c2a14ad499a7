use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::config::Config;
use super::search::{Candidates, candidates};
use super::{Addresses, MAX_NAMES_IN_FLIGHT, Resolution};
use crate::model::{Family, UnresolvedReason};

/// What one family of a name led to.
type Answer = Result<Vec<IpAddr>, UnresolvedReason>;

/// Looks up all names, some at a time; the results are in the names' order.
pub(super) async fn lookup_all(
    config: &Config,
    names: Vec<String>,
    family: Family,
) -> Vec<Resolution> {
    let client = Arc::new(Client::new(config));
    let permits = Arc::new(Semaphore::new(MAX_NAMES_IN_FLIGHT));
    // Stays where a lookup dies of a fault of its own: not known is not "no such name".
    let mut found: Vec<Resolution> = vec![Err(UnresolvedReason::Servfail); names.len()];
    let mut tasks = JoinSet::new();
    for (place, name) in names.into_iter().enumerate() {
        let Ok(name) = Name::from_utf8(&name) else {
            // What is no domain name, not even in its xn-- form, cannot exist.
            found[place] = Err(UnresolvedReason::Nxdomain);
            continue;
        };
        if let Some(addresses) = local(config, &name, family) {
            found[place] = Ok(addresses);
            continue;
        }
        let candidates = candidates(&name, &config.search, config.ndots);
        let (client, permit) = (client.clone(), permits.clone().acquire_owned().await);
        tasks.spawn(async move {
            let _held_until_done = permit;
            (place, client.search(&candidates, family).await)
        });
    }
    while let Some(done) = tasks.join_next().await {
        if let Ok((place, resolution)) = done {
            found[place] = resolution;
        }
    }
    found
}

/// Answers that no server is asked for: the hosts file, then `localhost` and
/// all names below it (RFC 6761 section 6.3).
///
/// A name that the hosts file holds for one family has no addresses of the
/// other, as the C library sees it.
fn local(config: &Config, name: &Name, family: Family) -> Option<Addresses> {
    let listed = |kind| {
        let found = config.hosts.lookup_static_host(&Query::query(name.clone(), kind));
        found.map_or_else(Vec::new, |lookup| addresses(lookup.answers().iter().map(|r| &r.data)))
    };
    let from_file = combine(
        family.allows(Family::Ipv4).then(|| Ok(listed(RecordType::A))),
        family.allows(Family::Ipv6).then(|| Ok(listed(RecordType::AAAA))),
    );
    if let Ok(addresses) = from_file {
        return Some(addresses);
    }
    let last = name.iter().next_back()?;
    if !last.eq_ignore_ascii_case(b"localhost") {
        return None;
    }
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let addresses = loopback.into_iter().filter(|a| family.allows(Family::of(*a))).collect();
    Some(Addresses { addresses, failed: None })
}

/// The name servers, each behind a library resolver of its own.
///
/// One resolver over all of them would ask two at once and take the first
/// answer, even if it is a failure. The C library asks them in turn, and the
/// next one when one fails; so does this.
struct Client {
    servers: Vec<TokioResolver>,
    attempts: usize,
}

impl Client {
    fn new(config: &Config) -> Client {
        let servers = config.servers.iter().filter_map(|server| resolver(config, *server));
        Client { servers: servers.collect(), attempts: config.attempts }
    }

    /// The first candidate that has an address, or why none has.
    async fn search(&self, candidates: &Candidates, family: Family) -> Resolution {
        let mut tried = Vec::with_capacity(candidates.names.len());
        for name in &candidates.names {
            match self.both_families(name, family).await {
                Ok(addresses) => return Ok(addresses),
                Err(reason) => tried.push(reason),
            }
            // Servers that do not answer for one name keep silent for the next
            // too, and each costs the whole wait.
            if tried.last() == Some(&UnresolvedReason::Timeout) {
                break;
            }
        }
        Err(candidates.judge(&tried))
    }

    /// Asks for both families at once: neither waits for the other's answer.
    async fn both_families(&self, name: &Name, family: Family) -> Resolution {
        let ask = async |of, kind| match family.allows(of) {
            true => Some(self.ask(name, kind).await),
            false => None,
        };
        let (v4, v6) =
            tokio::join!(ask(Family::Ipv4, RecordType::A), ask(Family::Ipv6, RecordType::AAAA));
        combine(v4, v6)
    }

    /// Asks the servers in turn until one knows; a failure is not knowing.
    async fn ask(&self, name: &Name, kind: RecordType) -> Answer {
        let mut reason = UnresolvedReason::Timeout;
        for _ in 0..self.attempts {
            for server in &self.servers {
                let error = match server.lookup(name.clone(), kind).await {
                    Ok(lookup) => {
                        let found = addresses(lookup.answers().iter().map(|r| &r.data));
                        return if found.is_empty() {
                            Err(UnresolvedReason::NoData)
                        } else {
                            Ok(found)
                        };
                    }
                    Err(error) => reason_of(&error),
                };
                match error {
                    UnresolvedReason::Nxdomain | UnresolvedReason::NoData => return Err(error),
                    UnresolvedReason::Servfail => reason = UnresolvedReason::Servfail,
                    UnresolvedReason::Timeout => {}
                }
            }
        }
        Err(reason)
    }
}

fn resolver(config: &Config, server: SocketAddr) -> Option<TokioResolver> {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = server.port();
        connection
    });
    let server = NameServerConfig::new(server.ip(), true, connections.into());
    let servers = ResolverConfig::from_name_servers(vec![server]);
    let mut builder = TokioResolver::builder_with_config(servers, TokioRuntimeProvider::default());
    let options = builder.options_mut();
    options.timeout = config.timeout;
    options.edns0 = config.edns;
    // Attempts, search list and hosts file are this room's own work.
    options.attempts = 0;
    options.num_concurrent_reqs = 1;
    options.use_hosts_file = ResolveHosts::Never;
    builder.build().ok()
}

/// The addresses among the records, without the aliases that led to them.
fn addresses<'a>(records: impl Iterator<Item = &'a RData>) -> Vec<IpAddr> {
    records.filter_map(RData::ip_addr).collect()
}

/// Why a question has no answer. Never by the text of an error.
fn reason_of(error: &NetError) -> UnresolvedReason {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => UnresolvedReason::Nxdomain,
            ResponseCode::NoError => UnresolvedReason::NoData,
            _ => UnresolvedReason::Servfail,
        },
        // An error of the socket means that the server cannot be reached or that
        // nothing listens there: no server answered.
        NetError::Timeout | NetError::Io(_) | NetError::NoConnections | NetError::Busy => {
            UnresolvedReason::Timeout
        }
        // It answered, with a refusal or with what cannot be read.
        _ => UnresolvedReason::Servfail,
    }
}

/// Joins the answers of both families; `None` was not asked for.
///
/// What one family has is kept whatever becomes of the other. Where both have
/// nothing: "no such name" denies both families (RFC 8020) and goes before a
/// failure; a failure goes before "no data" of the other, for addresses may be
/// behind it.
fn combine(v4: Option<Answer>, v6: Option<Answer>) -> Resolution {
    use UnresolvedReason::{NoData, Nxdomain, Servfail, Timeout};
    let mut found: Vec<IpAddr> = Vec::new();
    let mut reasons = Vec::new();
    // An IPv4-mapped AAAA record is an IPv4 address, which may not be wanted.
    let wants_v4 = v4.is_some();
    for (family, answer) in [(Family::Ipv4, v4), (Family::Ipv6, v6)] {
        match answer {
            None => {}
            Some(Err(reason)) => reasons.push((family, reason)),
            Some(Ok(addresses)) => {
                for address in addresses.iter().map(IpAddr::to_canonical) {
                    if (wants_v4 || address.is_ipv6()) && !found.contains(&address) {
                        found.push(address);
                    }
                }
            }
        }
    }
    if !found.is_empty() {
        let failed = reasons.into_iter().find(|(_, reason)| *reason != NoData);
        return Ok(Addresses { addresses: found, failed });
    }
    let said = |reason| reasons.iter().any(|(_, said)| *said == reason);
    Err(match (said(Nxdomain), said(NoData), said(Servfail), said(Timeout)) {
        // Servers that deny a name for one family and know it for the other are
        // broken (RFC 4074 section 4.2); the name exists.
        (true, true, _, _) => NoData,
        (true, false, _, _) => Nxdomain,
        (false, _, true, _) => Servfail,
        (false, _, false, true) => Timeout,
        (false, _, false, false) => NoData,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_family_has_is_kept_whatever_becomes_of_the_other() {
        let v4: IpAddr = "10.0.0.1".parse().unwrap();
        for reason in
            [UnresolvedReason::Timeout, UnresolvedReason::Servfail, UnresolvedReason::Nxdomain]
        {
            let found = combine(Some(Ok(vec![v4, v4])), Some(Err(reason))).unwrap();
            assert_eq!(
                found,
                Addresses { addresses: vec![v4], failed: Some((Family::Ipv6, reason)) }
            );
        }
        let found = combine(Some(Ok(vec![v4])), Some(Err(UnresolvedReason::NoData))).unwrap();
        assert_eq!(found.failed, None);
    }

    #[test]
    fn mapped_addresses_are_unmapped_and_come_once() {
        let v4: IpAddr = "10.0.0.1".parse().unwrap();
        let mapped: IpAddr = "::ffff:10.0.0.1".parse().unwrap();
        let mapped = Some(Ok(vec![mapped]));
        assert_eq!(combine(Some(Ok(vec![v4])), mapped.clone()).unwrap().addresses, [v4]);
        assert_eq!(combine(None, mapped), Err(UnresolvedReason::NoData));
    }

    #[test]
    fn two_families_without_addresses_have_one_reason() {
        use UnresolvedReason::{NoData, Nxdomain, Servfail, Timeout};
        for (a, b, expected) in [
            (Nxdomain, Nxdomain, Nxdomain),
            (NoData, NoData, NoData),
            (Servfail, Servfail, Servfail),
            (Timeout, Timeout, Timeout),
            (Nxdomain, NoData, NoData),
            (Nxdomain, Servfail, Nxdomain),
            (Nxdomain, Timeout, Nxdomain),
            (NoData, Servfail, Servfail),
            (NoData, Timeout, Timeout),
            (Servfail, Timeout, Servfail),
        ] {
            assert_eq!(combine(Some(Err(a)), Some(Err(b))), Err(expected), "{a:?} {b:?}");
            assert_eq!(combine(Some(Err(b)), Some(Err(a))), Err(expected), "{b:?} {a:?}");
        }
        assert_eq!(combine(None, Some(Err(Timeout))), Err(Timeout));
        assert_eq!(combine(Some(Ok(Vec::new())), None), Err(NoData));
    }
}
