//! From targets to endpoints, lazily.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::Arc;

use crate::expect::Resolved;
use crate::model::{Family, Transport, Unresolved};
use crate::plan::Block;
use crate::resolve::{Config, Resolution, resolve_names, zone_index};
use crate::scope::{Guard, Refusal};
use crate::target::{Host, TargetSpec};

/// Everything there is to probe.
#[derive(Default)]
pub(super) struct Sources {
    /// Blocks, in the user's order.
    pub blocks: Vec<Block>,
    /// Names without an address.
    pub unresolved: Vec<Unresolved>,
    /// Endpoints in all; saturates.
    pub total: u64,
    /// Names with more than one address.
    pub plural: Vec<Arc<str>>,
    /// What a reader must know of names that were found only in part.
    pub remarks: Vec<String>,
    /// What each name led to.
    pub resolved: HashMap<String, Resolved>,
}

/// Resolves names and makes blocks.
///
/// # Errors
/// A sentence: a zone that this machine does not have, no runtime.
pub(super) fn sources(
    targets: &[TargetSpec],
    family: Family,
    first_address: bool,
    guard: &Guard,
) -> Result<Sources, String> {
    // What is written as addresses is refused before a name is asked for.
    let mut public = admit_written(targets, guard)?;
    let mut answers = lookups(targets, family)?;
    let mut all = Sources::default();
    for target in targets {
        match &target.host {
            Host::Name(_) => {
                let answer = answers.get_mut(&family_of(target, family)).and_then(Iterator::next);
                all.add_name(target, answer, first_address);
            }
            Host::Address { ip, zone } => {
                let socket = with_zone(*ip, zone.as_deref())
                    .map_err(|error| format!("'{}': {error}", target.text))?;
                all.add(target, Box::new(std::iter::once(socket)), 1);
            }
            host => {
                let hosts = host.addresses().map(|ip| SocketAddr::new(ip.to_canonical(), 0));
                all.add(target, Box::new(hosts), host.count());
            }
        }
    }
    for (name, found) in &all.resolved {
        for address in &found.addresses {
            guard.admit(name, *address, *address, &mut public).map_err(|r| r.to_string())?;
        }
    }
    Ok(all)
}

/// Holds the hour, and what is written as addresses, to the scope. Returns how many of
/// them are outside private networks.
///
/// # Errors
/// A sentence with the rule.
pub(super) fn admit_written(targets: &[TargetSpec], guard: &Guard) -> Result<u64, String> {
    let refused = |refusal: Refusal| refusal.to_string();
    guard.is_time(minute_of_day).map_err(refused)?;
    let mut public = 0;
    for target in targets {
        let (first, last) = match &target.host {
            Host::Name(_) => continue,
            Host::Address { ip, .. } => (*ip, *ip),
            Host::Range { first, last } => (*first, *last),
        };
        guard.admit(&target.text, first, last, &mut public).map_err(refused)?;
    }
    Ok(public)
}

/// Minutes since midnight, local time.
fn minute_of_day() -> u16 {
    let now = jiff::ZonedDateTime::now();
    now.hour() as u16 * 60 + now.minute() as u16
}

/// What became of names, in the order of the targets.
type Answers = std::vec::IntoIter<Resolution>;

/// The family that a target is looked up in.
fn family_of(target: &TargetSpec, run: Family) -> Family {
    if run == Family::Any { target.family } else { run }
}

/// Looks up all names, those of one family at once.
fn lookups(targets: &[TargetSpec], family: Family) -> Result<HashMap<Family, Answers>, String> {
    let mut names: HashMap<Family, Vec<Arc<str>>> = HashMap::new();
    for target in targets {
        if let Host::Name(name) = &target.host {
            names.entry(family_of(target, family)).or_default().push(name.as_str().into());
        }
    }
    // No configuration is read, and no runtime made, for addresses alone.
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let config = Config::system();
    let mut answers = HashMap::new();
    for (family, names) in names {
        let found = resolve_names(&config, &names, family)
            .map_err(|e| format!("cannot resolve names: {e}"))?;
        answers.insert(family, found.into_iter());
    }
    Ok(answers)
}

impl Sources {
    fn add_name(&mut self, target: &TargetSpec, answer: Option<Resolution>, first: bool) {
        match answer {
            Some(Ok(found)) => {
                let addresses = found.addresses;
                self.resolved.insert(
                    target.text.to_string(),
                    Resolved {
                        addresses: addresses.clone(),
                        failed: found.failed.map(|(_, reason)| reason),
                    },
                );
                if let Some((family, reason)) = found.failed {
                    self.remarks.push(format!(
                        "{}: its {} addresses could not be looked up: {}",
                        target.text,
                        family.name(),
                        reason.name()
                    ));
                }
                let count = if first { 1 } else { addresses.len() };
                if count > 1 {
                    self.plural.push(target.text.clone());
                }
                let hosts: Vec<SocketAddr> =
                    addresses.iter().take(count).map(|ip| SocketAddr::new(*ip, 0)).collect();
                self.add(target, Box::new(hosts.into_iter()), count as u64);
            }
            Some(Err(reason)) => {
                let nothing = Resolved { addresses: Vec::new(), failed: Some(reason) };
                self.resolved.insert(target.text.to_string(), nothing);
                self.unresolved.push(Unresolved { target: target.text.clone(), reason });
            }
            // One answer comes for each name that was asked.
            None => {}
        }
    }

    fn add(
        &mut self,
        target: &TargetSpec,
        hosts: Box<dyn Iterator<Item = SocketAddr> + Send>,
        count: u64,
    ) {
        let ports: Vec<(u32, u16, Transport)> =
            target.ports.iter().enumerate().map(|(n, p)| (n as u32, p.port, p.transport)).collect();
        self.total = self.total.saturating_add(count.saturating_mul(ports.len() as u64));
        self.blocks.push(Block { target: target.text.clone(), hosts, count, ports: ports.into() });
    }
}

/// An address with its zone: an interface's name or number.
fn with_zone(ip: IpAddr, zone: Option<&str>) -> Result<SocketAddr, crate::resolve::UnknownZone> {
    Ok(match (ip, zone) {
        (IpAddr::V6(v6), Some(zone)) => SocketAddrV6::new(v6, 0, 0, zone_index(zone)?.get()).into(),
        (ip, _) => SocketAddr::new(ip, 0),
    })
}
