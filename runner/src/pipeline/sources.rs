//! From targets to endpoints, lazily.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::Arc;

use crate::model::{Family, Transport, Unresolved};
use crate::plan::Block;
use crate::resolve::{Config, Resolution, resolve_names, zone_index};
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
}

/// Resolves names and makes blocks.
///
/// # Errors
/// A sentence: a zone that this machine does not have, no runtime.
pub(super) fn sources(
    targets: &[TargetSpec],
    family: Family,
    first_address: bool,
) -> Result<Sources, String> {
    let names: Vec<Arc<str>> = targets
        .iter()
        .filter_map(|t| match &t.host {
            Host::Name(name) => Some(name.as_str().into()),
            _ => None,
        })
        .collect();
    // No configuration is read, and no runtime made, for addresses alone.
    let mut answers = match names.is_empty() {
        true => Vec::new(),
        false => resolve_names(&Config::system(), &names, family)
            .map_err(|e| format!("cannot resolve names: {e}"))?,
    }
    .into_iter();
    let mut all = Sources::default();
    for target in targets {
        match &target.host {
            Host::Name(_) => all.add_name(target, answers.next(), first_address),
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
    Ok(all)
}

impl Sources {
    fn add_name(&mut self, target: &TargetSpec, answer: Option<Resolution>, first: bool) {
        match answer {
            Some(Ok(found)) => {
                let addresses = found.addresses;
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
