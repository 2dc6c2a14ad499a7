//! Bad paths to good peers: late, lost, doubled and reordered packets.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::refusals::unreachables;
use crate::support::packet::{Family, Packet, TCP};
use crate::support::services::{Tcp, Udp};
use crate::support::trial::{Transport, Trial, everywhere};
use crate::support::wire::{Losses, Outlet, Way, subject};
use crate::support::world::{FAR, Routed, address};

/// Whether `ip` is `host` of [`FAR`] in either family.
fn is_host(ip: IpAddr, host: u8) -> bool {
    ip == address(Family::of(ip), FAR, host)
}

/// Expects an open and a closed port of both transports at `host`. The ports
/// are `first` (open) and `first + 1` (closed).
fn expect_truth(trial: &mut Trial<'_>, family: Family, host: u8, first: u16, fact: &str) {
    let ip = address(family, FAR, host);
    let (kind, code, _) = unreachables(family);
    trial.tcp(ip, first, fact).is("open").because(&["syn-ack"]);
    trial.tcp(ip, first + 1, fact).is("closed").because(&["reset"]);
    trial.udp(ip, first, fact).is("open").because(&["udp-response"]);
    trial
        .udp(ip, first + 1, fact)
        .is("closed")
        .because(&["port-unreach"])
        .icmp(kind, code)
        .from(ip, "target");
}

/// Serves `ports` of `host` in both families and transports.
fn serve(routed: &Routed, host: u8, ports: &[u16]) {
    for family in Family::BOTH {
        let ip = address(family, FAR, host);
        routed.world.tcp(&routed.peer, ip, ports, Tcp::Silent);
        routed.world.udp(&routed.peer, ip, ports, &Udp::Echo);
    }
}

#[test]
fn a_slow_path_changes_the_rtt_and_not_the_verdict() {
    const PATHS: [(u8, f64); 3] = [(17, 50.0), (18, 900.0), (19, 2500.0)];
    let course = |packet: &Packet, way: Way, outlet: &mut Outlet| {
        let about = subject(packet, way);
        let rtt = PATHS
            .iter()
            .find(|(host, _)| about.is_some_and(|(_, socket)| is_host(socket.ip(), *host)));
        let delay = rtt.map_or(Duration::ZERO, |(_, ms)| Duration::from_secs_f64(ms / 2000.0));
        outlet.forward_after(delay, packet);
    };
    let Some(routed) = Routed::new(&[17, 18, 19], Box::new(course)) else { return };
    let mut trial = Trial::new(&routed.world);
    for (host, rtt) in PATHS {
        serve(&routed, host, &[8001]);
        for (family, transport) in everywhere() {
            let ip = address(family, FAR, host);
            let (kind, code, _) = unreachables(family);
            let fact = format!("the round trip takes {rtt} ms");
            let range = rtt..=rtt + 400.0;
            trial
                .expect(transport, ip, 8001, &fact)
                .is("open")
                .because(&[if transport == Transport::Tcp { "syn-ack" } else { "udp-response" }])
                .rtt_ms(range.clone());
            let closed = trial.expect(transport, ip, 8002, &fact);
            closed.is("closed");
            // A RST after the kernel's second SYN may answer either one, and
            // says nothing of the round trip (Karn's algorithm).
            if transport == Transport::Udp || rtt < 900.0 {
                closed.rtt_ms(range);
            }
            match transport {
                Transport::Tcp => closed.because(&["reset"]),
                Transport::Udp => {
                    closed.because(&["port-unreach"]).icmp(kind, code).from(ip, "target")
                }
            };
        }
    }
    trial.run();
}

#[test]
fn a_slow_application_is_waited_for() {
    let Some(Routed { world, peer, .. }) = Routed::plain(&[10]) else { return };
    let mut trial = Trial::new(&world);
    for family in Family::BOTH {
        let ip = address(family, FAR, 10);
        for (port, ms) in [(4050, 50), (4900, 900), (5500, 2500)] {
            world.udp(&peer, ip, &[port], &Udp::EchoAfter(Duration::from_millis(ms)));
            let ms = ms as f64;
            trial
                .udp(ip, port, format!("answers after {ms} ms"))
                .is("open")
                .because(&["udp-response"])
                .rtt_ms(ms..=ms + 400.0);
        }
    }
    trial.run();
}

#[test]
fn doubled_and_reordered_packets_change_nothing() {
    let mut count = 0_u32;
    let course = move |packet: &Packet, way: Way, outlet: &mut Outlet| {
        let ip = subject(packet, way).map(|(_, socket)| socket.ip());
        count += 1;
        // Every second packet waits until several later ones have passed.
        let late = Duration::from_millis(if count.is_multiple_of(2) { 30 } else { 0 });
        if ip.is_some_and(|ip| is_host(ip, 15)) {
            outlet.forward_after(late, packet);
            outlet.forward_after(late + Duration::from_millis(3), packet);
        } else if ip.is_some_and(|ip| is_host(ip, 16)) {
            outlet.forward_after(late, packet);
        } else {
            outlet.forward(packet);
        }
    };
    let Some(routed) = Routed::new(&[15, 16], Box::new(course)) else { return };
    let mut trial = Trial::new(&routed.world);
    for (host, fact) in [(15, "every packet comes twice"), (16, "every second packet is late")] {
        serve(&routed, host, &[7000, 7010, 7020, 7030]);
        for family in Family::BOTH {
            for first in [7000, 7010, 7020, 7030] {
                expect_truth(&mut trial, family, host, first, fact);
            }
        }
    }
    trial.run();
}

#[test]
fn lost_packets_cost_time_and_not_truth() {
    // Fixed, so that the ports below are the ones that a patient prober must
    // find: within four attempts the table lets one through and back.
    const SEED: u64 = 2026;
    const PATIENCE: u32 = 4;
    let tables = [(13, Losses::new(SEED, 10)), (14, Losses::new(SEED, 30))];
    let mut losses = tables.clone();
    let course = move |packet: &Packet, way: Way, outlet: &mut Outlet| {
        let ip = subject(packet, way).map(|(_, socket)| socket.ip());
        let table = losses.iter_mut().find(|(host, _)| ip.is_some_and(|ip| is_host(ip, *host)));
        if !table.is_some_and(|(_, losses)| losses.lose(packet, way)) {
            outlet.forward(packet);
        }
    };
    let Some(routed) = Routed::new(&[13, 14], Box::new(course)) else { return };
    let mut trial = Trial::new(&routed.world);
    let mut needed_more_than_one = 0;
    for (host, losses) in &tables {
        let open: Vec<u16> = (7001..=7010).collect();
        serve(&routed, *host, &open);
        for (family, transport) in everywhere() {
            let ip = address(family, FAR, *host);
            for port in 7001..=7020 {
                let needed =
                    losses.attempts_needed(transport.protocol(), SocketAddr::new(ip, port));
                if needed > PATIENCE {
                    continue;
                }
                needed_more_than_one += u32::from(needed > 1);
                let (kind, code, _) = unreachables(family);
                let fact = format!("attempt {needed} is the first that comes back");
                let row = trial.expect(transport, ip, port, fact);
                // The kernel repeats a lost SYN-ACK, so TCP may need fewer.
                row.attempts(if transport == Transport::Udp { needed.into() } else { 1 }..=30);
                match (open.contains(&port), transport) {
                    (true, Transport::Tcp) => row.is("open").because(&["syn-ack"]),
                    (true, Transport::Udp) => row.is("open").because(&["udp-response"]),
                    (false, Transport::Tcp) => row.is("closed").because(&["reset"]),
                    (false, Transport::Udp) => row
                        .is("closed")
                        .because(&["port-unreach"])
                        .icmp(kind, code)
                        .from(ip, "target"),
                };
            }
        }
    }
    assert!(needed_more_than_one > 40, "the table loses enough: {needed_more_than_one}");
    trial.run();
}

#[test]
fn the_first_packets_may_be_lost_in_either_direction() {
    /// Transport, port, way, how many packets are lost, and whether it is open.
    const LOST: &[(Transport, u16, Way, u32, bool)] = &[
        (Transport::Tcp, 7301, Way::Out, 1, true),
        (Transport::Tcp, 7302, Way::Out, 2, true),
        (Transport::Tcp, 7303, Way::Out, 3, true),
        (Transport::Tcp, 7311, Way::Back, 1, true),
        (Transport::Tcp, 7312, Way::Back, 2, true),
        (Transport::Tcp, 7321, Way::Back, 1, false),
        (Transport::Tcp, 7322, Way::Back, 2, false),
        (Transport::Udp, 7401, Way::Out, 1, true),
        (Transport::Udp, 7402, Way::Out, 2, true),
        (Transport::Udp, 7403, Way::Out, 3, true),
        (Transport::Udp, 7411, Way::Back, 1, true),
        (Transport::Udp, 7421, Way::Back, 1, false),
        (Transport::Udp, 7422, Way::Back, 2, false),
    ];
    let mut seen: HashMap<(u8, SocketAddr, Way), u32> = HashMap::new();
    let course = move |packet: &Packet, way: Way, outlet: &mut Outlet| {
        let Some((protocol, socket)) = subject(packet, way) else {
            return outlet.forward(packet);
        };
        // Of TCP only the handshake counts.
        let counts = packet.protocol != TCP || way == Way::Back || packet.is_syn();
        let nth = seen.entry((protocol, socket, way)).or_default();
        *nth += u32::from(counts);
        let lost = LOST.iter().any(|(transport, port, lost_way, count, _)| {
            (transport.protocol(), *port, *lost_way) == (protocol, socket.port(), way)
                && *nth <= *count
        });
        if !(counts && lost) {
            outlet.forward(packet);
        }
    };
    let Some(routed) = Routed::new(&[24], Box::new(course)) else { return };
    let mut trial = Trial::new(&routed.world);
    for family in Family::BOTH {
        let ip = address(family, FAR, 24);
        let (kind, code, _) = unreachables(family);
        for &(transport, port, way, count, is_open) in LOST {
            let what = if way == Way::Out { "probes" } else { "answers" };
            let row =
                trial.expect(transport, ip, port, format!("the first {count} {what} are lost"));
            row.is(if is_open { "open" } else { "closed" });
            match (transport, is_open) {
                (Transport::Tcp, true) => {
                    routed.world.tcp(&routed.peer, ip, &[port], Tcp::Silent);
                    row.because(&["syn-ack"])
                }
                (Transport::Udp, true) => {
                    routed.world.udp(&routed.peer, ip, &[port], &Udp::Echo);
                    row.because(&["udp-response"])
                }
                (Transport::Tcp, false) => row.because(&["reset"]),
                (Transport::Udp, false) => {
                    row.because(&["port-unreach"]).icmp(kind, code).from(ip, "target")
                }
            };
            if way == Way::Out || transport == Transport::Udp {
                row.attempts(u64::from(count) + 1..=30);
            }
        }
    }
    trial.run();
}
