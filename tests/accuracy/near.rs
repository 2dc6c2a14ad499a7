//! Near peers: loopback, a neighbour at zero delay, and the ways to write them.

use std::net::SocketAddr;

use crate::refusals::unreachables;
use crate::support::namespace::Namespace;
use crate::support::packet::Family;
use crate::support::services::{Tcp, Udp};
use crate::support::trial::{Transport, Trial, everywhere};
use crate::support::world::{FAR, Routed, World, address};

/// The network between the prober (host 2) and its neighbour (host 1).
const LAN: u8 = 4;

fn with_a_neighbour() -> Option<(World, Namespace)> {
    let world = World::new()?;
    let neighbour = Namespace::new("neighbour");
    world.join((&world.prober, "lan0", 2), (&neighbour, "lan0", 1), LAN);
    Some((world, neighbour))
}

#[test]
fn answers_that_arrive_inside_connect_are_understood() {
    let Some((world, neighbour)) = with_a_neighbour() else { return };
    let mut rules = String::new();
    let mut trial = Trial::new(&world);
    for (family, transport) in everywhere() {
        let (ip, name) = (address(family, LAN, 1), transport.name());
        let (kind, port_unreachable, codes) = unreachables(family);
        let icmp = if family == Family::V4 { "icmp" } else { "icmpv6" };
        for &(code, reason) in codes {
            let port = 9100 + u16::from(code);
            rules += &format!(
                "{} daddr {ip} {name} dport {port} reject with {icmp} {code}\n",
                family.keyword()
            );
            let is_closed = transport == Transport::Udp && code == port_unreachable;
            // Quick: the error is not left lying until the next SYN, 1 s later.
            trial
                .expect(transport, ip, port, format!("rejected with {kind}/{code}, at once"))
                .is(if is_closed { "closed" } else { "filtered" })
                .because(&[reason])
                .icmp(kind, code)
                .from(ip, "target");
        }
    }
    for family in Family::BOTH {
        let ip = address(family, LAN, 1);
        world.tcp(&neighbour, ip, &[8001], Tcp::Silent);
        world.udp(&neighbour, ip, &[8001], &Udp::Echo);
        trial.tcp(ip, 8001, "a listener").is("open").because(&["syn-ack"]).rtt_ms(0.0..=200.0);
        trial.udp(ip, 8001, "an echo").is("open").because(&["udp-response"]).rtt_ms(0.0..=200.0);
        trial.tcp(ip, 8011, "nobody listens").is("closed").because(&["reset"]).rtt_ms(0.0..=200.0);
    }
    neighbour.filter("input", &rules);
    trial.run();
}

#[test]
fn loopback_is_told_like_any_other_peer() {
    let Some(world) = World::new() else { return };
    let mut trial = Trial::new(&world);
    for (family, text) in [(Family::V4, "127.0.0.1"), (Family::V6, "::1")] {
        let ip = text.parse().expect("an address");
        let (kind, code, _) = unreachables(family);
        world.tcp(&world.prober, ip, &[8001], Tcp::Silent);
        world.udp(&world.prober, ip, &[8001], &Udp::Echo);
        trial.tcp(ip, 8001, "a listener").is("open").because(&["syn-ack"]);
        trial.udp(ip, 8001, "an echo").is("open").because(&["udp-response"]);
        trial.tcp(ip, 8011, "nobody listens").is("closed").because(&["reset"]);
        trial
            .udp(ip, 8011, "nobody listens")
            .is("closed")
            .because(&["port-unreach"])
            .icmp(kind, code)
            .also("/evidence/from", text);
    }
    trial.run();
}

#[test]
fn a_connection_to_ourselves_is_not_a_listener() {
    // With so few local ports, connecting to one of them often picks the same
    // port as source, and the kernel connects the socket to itself.
    const PORTS: std::ops::RangeInclusive<u16> = 40000..=40003;
    const ROUNDS: usize = 20;
    let Some(world) = World::new() else { return };
    world.prober.sysctls(&[("ipv4/ip_local_port_range", "40000 40003")]);
    let mut trial = Trial::new(&world);
    for text in ["127.0.0.1", "::1"] {
        for port in PORTS {
            trial
                .tcp(text.parse().expect("an address"), port, "nobody listens")
                .is("closed")
                .because(&["reset"])
                .unwitnessed();
        }
    }
    let mut met = 0;
    for _ in 0..ROUNDS {
        trial.run();
        met += world
            .witness
            .all()
            .iter()
            .filter(|s| s.packet.ports().is_some_and(|(from, to)| from == to))
            .count();
    }
    assert!(met > 0, "no probe ever met itself: this test proves nothing");
}

#[test]
fn a_mapped_address_is_an_ipv4_target() {
    let Some(Routed { world, router, peer }) = Routed::plain(&[10]) else { return };
    let ip = address(Family::V4, FAR, 10);
    world.tcp(&peer, ip, &[8001], Tcp::Silent);
    router.filter(
        "forward",
        &format!(
            "ip daddr {ip} tcp dport 9113 reject with icmp admin-prohibited\n\
             ip daddr {ip} udp dport 9113 reject with icmp admin-prohibited\n"
        ),
    );
    let mut trial = Trial::new(&world);
    let written = |port: u16, name: &str| format!("[::ffff:{ip}]:{port}/{name}");
    trial
        .tcp(ip, 8001, "a listener")
        .is("open")
        .because(&["syn-ack"])
        .written(written(8001, "tcp"));
    trial.tcp(ip, 8011, "nobody").is("closed").because(&["reset"]).written(written(8011, "tcp"));
    trial
        .udp(ip, 8011, "nobody")
        .is("closed")
        .because(&["port-unreach"])
        .icmp(3, 3)
        .from(ip, "target")
        .written(written(8011, "udp"));
    for transport in Transport::BOTH {
        trial
            .expect(transport, ip, 9113, "prohibited by the router")
            .is("filtered")
            .because(&["admin-prohibited"])
            .icmp(3, 13)
            .from(address(Family::V4, crate::support::world::NEAR, 1), "router")
            .written(written(9113, transport.name()));
    }
    trial.run();
}

#[test]
fn a_link_local_address_is_probed_in_its_zone() {
    let Some((world, neighbour)) = with_a_neighbour() else { return };
    neighbour.ip("addr add fe80::77/64 dev lan0 nodad");
    let zone = neighbour.enter(|| nix::net::if_::if_nametoindex("lan0")).expect("the device");
    let ip: std::net::Ipv6Addr = "fe80::77".parse().expect("an address");
    let at = SocketAddr::V6(std::net::SocketAddrV6::new(ip, 8001, 0, zone));
    world.tcp_at(&neighbour, at, Tcp::Silent);
    let mut trial = Trial::new(&world);
    let written = |port: u16, name: &str| format!("[fe80::77%lan0]:{port}/{name}");
    trial
        .tcp(ip.into(), 8001, "a listener")
        .is("open")
        .because(&["syn-ack"])
        .also("/address", "fe80::77%lan0")
        .written(written(8001, "tcp"));
    trial
        .tcp(ip.into(), 8011, "nobody listens")
        .is("closed")
        .because(&["reset"])
        .written(written(8011, "tcp"));
    trial
        .udp(ip.into(), 8011, "nobody listens")
        .is("closed")
        .because(&["port-unreach"])
        .icmp(1, 4)
        .from(ip.into(), "target")
        .written(written(8011, "udp"));
    trial.run();
}
