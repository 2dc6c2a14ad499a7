use std::net::SocketAddr;
use std::sync::Arc;

use crate::model::{Endpoint, Transport};

/// Hosts that are walked together, port by port.
///
/// Many at once spread the load and share out the ICMP budgets; few keep the
/// neighbour table (1,024 entries on a stock system) and memory small.
const GROUP: usize = 256;

/// Hosts with the ports to probe on each of them.
pub struct Block {
    /// The target as the user wrote it.
    pub target: Arc<str>,
    /// Addresses, with zone and without port; walked lazily, once.
    pub hosts: Box<dyn Iterator<Item = SocketAddr> + Send>,
    /// How many they are; may saturate.
    pub count: u64,
    /// Ports of each host, in the order in which they are to be probed, with
    /// their place in the user's own order.
    pub ports: Arc<[(u32, u16, Transport)]>,
}

/// Walks blocks as endpoints, with the place of each in the user's order,
/// counted from 0 without gaps.
///
/// Hosts of a block are taken in groups and each group port by port, so that
/// no peer gets all its packets in one burst. No block is ever expanded.
pub fn interleave(
    blocks: impl Iterator<Item = Block>,
) -> impl Iterator<Item = (u64, Arc<str>, Endpoint)> {
    let mut base = 0u64;
    blocks.flat_map(move |block| {
        let start = base;
        let Block { target, mut hosts, count, ports } = block;
        let mut taken = 0u64;
        base = base.saturating_add(count.saturating_mul(ports.len() as u64));
        std::iter::from_fn(move || {
            let group: Vec<SocketAddr> = hosts.by_ref().take(GROUP).collect();
            let first = taken;
            taken += group.len() as u64;
            (!group.is_empty()).then_some((first, group))
        })
        .flat_map(move |(first, group)| {
            let (ports, target) = (ports.clone(), target.clone());
            let hosts = group.len();
            (0..ports.len() * hosts).map(move |step| {
                let (place, port, transport) = ports[step / hosts];
                let host = step % hosts;
                let mut socket = group[host];
                socket.set_port(port);
                let row = first + host as u64;
                let order = start + row * ports.len() as u64 + u64::from(place);
                (order, target.clone(), Endpoint::new(socket, transport))
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(hosts: u8, ports: &[u16]) -> Block {
        let ports = ports.iter().enumerate().map(|(i, p)| (i as u32, *p, Transport::Tcp));
        Block {
            target: "t".into(),
            count: hosts.into(),
            hosts: Box::new((0..hosts).map(|n| SocketAddr::from(([10, 0, 0, n], 0)))),
            ports: ports.collect(),
        }
    }

    #[test]
    fn neighbouring_endpoints_are_of_different_hosts() {
        let walked: Vec<_> = interleave(std::iter::once(block(3, &[80, 443]))).collect();
        let hosts: Vec<u8> = walked
            .iter()
            .map(|(_, _, e)| match e.ip() {
                std::net::IpAddr::V4(v4) => v4.octets()[3],
                std::net::IpAddr::V6(_) => unreachable!(),
            })
            .collect();
        assert_eq!(hosts, [0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn rows_sort_back_into_the_users_order() {
        let blocks = [block(2, &[80, 443]), block(1, &[22])];
        let mut walked: Vec<_> = interleave(blocks.into_iter()).collect();
        walked.sort_by_key(|(order, ..)| *order);
        let orders: Vec<u64> = walked.iter().map(|(order, ..)| *order).collect();
        assert_eq!(orders, [0, 1, 2, 3, 4]);
        let rows: Vec<String> = walked.iter().map(|(_, _, e)| e.socket.to_string()).collect();
        assert_eq!(
            rows,
            ["10.0.0.0:80", "10.0.0.0:443", "10.0.0.1:80", "10.0.0.1:443", "10.0.0.0:22"]
        );
    }
}
