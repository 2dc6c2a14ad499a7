//! From targets to endpoints, lazily.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::model::{Transport, Unresolved, UnresolvedReason};
use crate::plan::Block;
use crate::resolve::{Families, Resolved, resolve, with_zone};
use crate::settings::Family;
use crate::target::{Host, TargetSpec};

/// Everything there is to probe.
pub(super) struct Sources {
    /// Blocks, in the user's order.
    pub blocks: Vec<Block>,
    /// Names without an address.
    pub unresolved: Vec<Unresolved>,
    /// Endpoints in all; saturates.
    pub total: u64,
    /// Names with more than one address.
    pub plural: Vec<Arc<str>>,
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
    let names: Vec<String> = targets
        .iter()
        .filter_map(|t| match &t.host {
            Host::Name(name) => Some(name.clone()),
            _ => None,
        })
        .collect();
    let families = match family {
        Family::Any => Families::Both,
        Family::V4 => Families::V4,
        Family::V6 => Families::V6,
    };
    // No runtime is made, and no configuration read, for addresses alone.
    let answers = match names.is_empty() {
        true => HashMap::new(),
        false => resolve(&names, families).map_err(|e| format!("cannot resolve names: {e}"))?,
    };
    let mut all = Sources { blocks: vec![], unresolved: vec![], total: 0, plural: vec![] };
    for target in targets {
        match &target.host {
            Host::Name(name) => all.add_name(target, answers.get(name), first_address),
            Host::Address { ip, zone } => {
                let socket = with_zone(*ip, zone.as_deref()).map_err(|zone| {
                    format!("'{}': this machine has no interface '{zone}'", target.text)
                })?;
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
    fn add_name(&mut self, target: &TargetSpec, answer: Option<&Resolved>, first: bool) {
        match answer {
            Some(Ok(addresses)) => {
                let count = if first { 1 } else { addresses.len() };
                if count > 1 {
                    self.plural.push(target.text.clone());
                }
                let hosts: Vec<SocketAddr> =
                    addresses.iter().take(count).map(|ip| SocketAddr::new(*ip, 0)).collect();
                self.add(target, Box::new(hosts.into_iter()), count as u64);
            }
            Some(Err(reason)) => {
                self.unresolved.push(Unresolved { target: target.text.clone(), reason: *reason });
            }
            None => self.unresolved.push(Unresolved {
                target: target.text.clone(),
                reason: UnresolvedReason::Timeout,
            }),
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
        self.blocks.push(Block { target: target.text.clone(), hosts, ports: ports.into() });
    }
}
