//! What a file asks for, ready to be scanned and compared.

use std::net::IpAddr;
use std::sync::Arc;

use super::{Expectation, Place};
use crate::model::{Family, Transport};
use crate::target::{Host, PortSpec, TargetSpec};

/// A file, read and checked.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// In the order of the file.
    pub targets: Vec<Planned>,
    /// What a reader should know, with its place: a role that nobody has.
    pub warnings: Vec<String>,
}

/// One target of a file.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Where it is written.
    pub place: Place,
    /// As it is written, variables put in.
    pub text: Arc<str>,
    /// What that is.
    pub host: Host,
    /// Which of its addresses count.
    pub family: Family,
    /// What the name must resolve to.
    pub addresses: Vec<Addresses>,
    /// What is expected of its ports, in the order of the file.
    pub ports: Vec<PlannedPort>,
}

/// The addresses that a name must have.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// Where it is written.
    pub place: Place,
    /// The vantage point that it holds from; none for all.
    pub from: Option<String>,
    /// All of them; none when the name must not exist.
    pub all: Vec<IpAddr>,
}

/// What is expected of one port.
#[derive(Clone, Debug)]
pub struct PlannedPort {
    /// The port.
    pub port: PortSpec,
    /// The role that says so, unless the target does itself.
    pub role: Option<Arc<str>>,
    /// What is expected.
    pub expectation: Arc<Expectation>,
}

impl Planned {
    /// The addresses that it must have, seen from a vantage point.
    pub fn addresses_from(&self, vantage: Option<&str>) -> Option<&Addresses> {
        self.addresses.iter().find(|all| holds_from(all.from.as_slice(), vantage))
    }
}

/// Whether something holds for whoever looks from `vantage`.
pub(super) fn holds_from(from: &[String], vantage: Option<&str>) -> bool {
    from.is_empty() || from.iter().any(|name| Some(name.as_str()) == vantage)
}

impl Plan {
    /// What to probe from a vantage point: each target with its ports and family.
    ///
    /// A target without ports is there all the same when its addresses are expected.
    pub fn targets_from(&self, vantage: Option<&str>) -> Vec<TargetSpec> {
        let spec = |planned: &Planned| {
            let mut seen = std::collections::HashSet::new();
            let holds = |port: &&PlannedPort| holds_from(&port.expectation.from, vantage);
            let ports: Vec<PortSpec> = planned
                .ports
                .iter()
                .filter(holds)
                .map(|port| port.port)
                .filter(|port| seen.insert(*port))
                .collect();
            let wanted = !ports.is_empty() || planned.addresses_from(vantage).is_some();
            wanted.then(|| TargetSpec {
                text: planned.text.clone(),
                host: planned.host.clone(),
                ports: ports.into(),
                family: planned.family,
            })
        };
        self.targets.iter().filter_map(spec).collect()
    }

    /// Plugins that the file names: target, port, plugin, settings.
    pub fn plugins_from<'a>(
        &'a self,
        vantage: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a Arc<str>, u16, Transport, &'a Expectation)> {
        self.targets.iter().flat_map(move |planned| {
            planned
                .ports
                .iter()
                .filter(move |port| holds_from(&port.expectation.from, vantage))
                .filter(|port| port.expectation.plugin.is_some())
                .map(|port| {
                    (&planned.text, port.port.port, port.port.transport, &*port.expectation)
                })
        })
    }
}
