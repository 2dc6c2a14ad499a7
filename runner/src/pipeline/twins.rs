//! Rows that wait for the same port of the other transport.
//!
//! A refusal comes in a millisecond, and the answer that explains it (the service is
//! there, and speaks the other transport) may come later.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use crate::model::{Outcome, PortState, Transport};
use crate::plan::Block;

type Key = (IpAddr, u16, Transport);

/// The ports that are asked in both transports.
pub(super) fn asked_twice(blocks: &[Block]) -> HashSet<u16> {
    let ports = |wanted: Transport| -> HashSet<u16> {
        let all = blocks.iter().flat_map(|block| block.ports.iter());
        all.filter(|(.., transport)| *transport == wanted).map(|(_, port, _)| *port).collect()
    };
    let udp = ports(Transport::Udp);
    // Most requests have none.
    if udp.is_empty() { udp } else { udp.intersection(&ports(Transport::Tcp)).copied().collect() }
}

/// Who waits for whom.
#[derive(Default)]
pub(super) struct Twins {
    ports: HashSet<u16>,
    probed: HashSet<Key>,
    /// By the endpoint that they wait for.
    waiting: HashMap<Key, Vec<Outcome>>,
}

impl Twins {
    /// Of ports that are asked in both transports.
    pub fn new(ports: HashSet<u16>) -> Twins {
        Twins { ports, ..Twins::default() }
    }

    /// Takes what was measured of an endpoint, and gives back the rows that waited for it.
    pub fn probed(&mut self, outcome: &Outcome) -> Vec<Outcome> {
        let endpoint = outcome.endpoint;
        if !self.ports.contains(&endpoint.port()) {
            return Vec::new();
        }
        let key = (endpoint.ip(), endpoint.port(), endpoint.transport);
        self.probed.insert(key);
        self.waiting.remove(&key).unwrap_or_default()
    }

    /// Keeps a row whose other transport is not measured yet; gives back any other.
    pub fn hold(&mut self, outcome: Outcome) -> Option<Outcome> {
        let endpoint = outcome.endpoint;
        let key = (endpoint.ip(), endpoint.port(), endpoint.transport.other());
        let is_awaited = outcome.state != PortState::Open
            && self.ports.contains(&endpoint.port())
            && !self.probed.contains(&key);
        if !is_awaited {
            return Some(outcome);
        }
        self.waiting.entry(key).or_default().push(outcome);
        None
    }

    /// Those that wait in vain: the run is over.
    pub fn rest(&mut self) -> Vec<Outcome> {
        std::mem::take(&mut self.waiting).into_values().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::{closed, closed_udp, open};

    #[test]
    fn a_row_waits_for_its_twin_and_for_nothing_else() {
        let mut twins = Twins::new(HashSet::from([53]));
        let other = closed(80);
        assert!(twins.probed(&other).is_empty());
        assert!(twins.hold(other).is_some());
        let udp = closed_udp(53);
        assert!(twins.probed(&udp).is_empty());
        assert!(twins.hold(udp).is_none());
        let tcp = open(53);
        assert_eq!(twins.probed(&tcp).len(), 1);
        assert!(twins.hold(tcp).is_some());
        assert!(twins.hold(closed_udp(53)).is_some());
    }

    #[test]
    fn a_twin_that_never_comes_keeps_no_row() {
        let mut twins = Twins::new(HashSet::from([53]));
        assert!(twins.hold(closed(53)).is_none());
        assert_eq!(twins.rest().len(), 1);
        assert!(twins.rest().is_empty());
    }
}
