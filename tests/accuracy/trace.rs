//! Traces: how far packets get, and how fast they leave.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::support::packet::{Family, TCP, UDP};
use crate::support::portscan::Portscan;
use crate::support::system::Direction;
use crate::support::world::{FAR, Routed, address};

/// Packets a second that the scope allows.
const RATE: f64 = 20.0;

#[test]
fn a_trace_keeps_the_highest_rate_of_a_scope() {
    let Some(Routed { world, router, peer: _peer }) = Routed::plain(&[10]) else { return };
    let ip = address(Family::V4, FAR, 10);
    router.filter("forward", &format!("ip daddr {ip} th dport 9113 drop\n"));
    let scope = world.stage().join("scope.toml");
    std::fs::write(&scope, format!("highest-rate = {RATE}\n")).expect("the stage is ours");
    for (port, protocol) in [("9113", TCP), ("9113/udp", UDP)] {
        world.witness.forget();
        let ran = Portscan::new(&world)
            .args(["trace", &ip.to_string(), port, "--max-hops", "6", "--scope"])
            .args([&scope])
            .run();
        assert_eq!(ran.code(), 1, "{ran:?}");
        assert!(ran.stdout.contains("packets die after 10.99.1.1 (hop 1)"), "{ran:?}");
        world.witness.catch_up();
        // When each attempt left; the kernel's repetitions come from the same port.
        let mut left: BTreeMap<_, Instant> = BTreeMap::new();
        for (n, seen) in world
            .witness
            .of_endpoint(protocol, SocketAddr::new(ip, 9113))
            .iter()
            .filter(|seen| seen.direction == Direction::Out && seen.packet.quoted().is_none())
            .enumerate()
        {
            let port = seen.packet.source_socket().map_or(0, |socket| socket.port());
            let attempt = if protocol == TCP { u32::from(port) } else { n as u32 };
            left.entry(attempt).or_insert(seen.at);
        }
        let (first, last) = (left.values().min(), left.values().max());
        let span = first.zip(last).map_or(Duration::ZERO, |(first, last)| *last - *first);
        assert!(left.len() >= 13, "{} attempts\n{ran:?}", left.len());
        let least = (left.len() - 1) as f64 / RATE * 0.9;
        assert!(span.as_secs_f64() >= least, "{} attempts in {span:?}\n{ran:?}", left.len());
    }
}
