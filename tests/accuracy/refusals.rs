//! Somebody says no: RST, and every ICMP unreachable code, sent by the peer
//! itself and by the router before it. And the baseline: open, closed, dropped.

use std::fmt::Write as _;
use std::net::IpAddr;

use crate::support::packet::Family;
use crate::support::services::{Tcp, Udp};
use crate::support::trial::{Transport, Trial, everywhere};
use crate::support::world::{FAR, NEAR, Routed, address};

/// The codes of ICMP 3 that a firewall can be told to send, and what they are
/// called. 3/4 is missing: it is about packet size and says nothing of a port.
const V4_CODES: &[(u8, &str)] = &[
    (0, "net-unreach"),
    (1, "host-unreach"),
    (2, "proto-unreach"),
    (3, "port-unreach"),
    (5, "source-route-failed"),
    (6, "net-unknown"),
    (7, "host-unknown"),
    (8, "host-isolated"),
    (9, "net-prohibited"),
    (10, "host-prohibited"),
    (11, "net-tos"),
    (12, "host-tos"),
    (13, "admin-prohibited"),
    (14, "precedence-violation"),
    (15, "precedence-cutoff"),
];

/// The codes of ICMPv6 1.
const V6_CODES: &[(u8, &str)] = &[
    (0, "no-route"),
    (1, "admin-prohibited"),
    (2, "beyond-scope"),
    (3, "addr-unreach"),
    (4, "port-unreach"),
    (5, "policy-fail"),
    (6, "reject-route"),
    (7, "source-route-error"),
    (8, "headers-too-long"),
];

/// Unreachable type, port-unreachable code and all codes of a family.
pub fn unreachables(family: Family) -> (u8, u8, &'static [(u8, &'static str)]) {
    match family {
        Family::V4 => (3, 3, V4_CODES),
        Family::V6 => (1, 4, V6_CODES),
    }
}

/// The ports at which code N is sent: this and N.
const FIRST_PORT: u16 = 9100;

/// Rules that answer each port from [`FIRST_PORT`] on `host` with its code.
fn reject_each_code(host: u8) -> String {
    let mut rules = String::new();
    for (family, transport) in everywhere() {
        let (_, _, codes) = unreachables(family);
        let icmp = if family == Family::V4 { "icmp" } else { "icmpv6" };
        let (keyword, ip, name) = (family.keyword(), address(family, FAR, host), transport.name());
        for (code, _) in codes {
            let port = FIRST_PORT + u16::from(*code);
            let _ = writeln!(
                rules,
                "{keyword} daddr {ip} {name} dport {port} reject with {icmp} {code}"
            );
        }
    }
    rules
}

/// Expects every code of every family from `sender`, for both transports.
fn expect_each_code(
    trial: &mut Trial<'_>,
    host: u8,
    sender: impl Fn(Family) -> IpAddr,
    role: &'static str,
) {
    for (family, transport) in everywhere() {
        let (kind, port_unreachable, codes) = unreachables(family);
        for &(code, reason) in codes {
            // UDP's own way to say closed; anything else is a refusal on the way.
            let is_closed =
                transport == Transport::Udp && code == port_unreachable && role == "target";
            trial
                .expect(
                    transport,
                    address(family, FAR, host),
                    FIRST_PORT + u16::from(code),
                    format!("rejected with ICMP {kind}/{code} by the {role}"),
                )
                .is(if is_closed { "closed" } else { "filtered" })
                .because(&[reason])
                .icmp(kind, code)
                .from(sender(family), role)
                .also("/evidence/from_first_hop", role == "router");
        }
    }
}

#[test]
fn every_code_that_the_peer_sends_is_told_as_the_peers() {
    let Some(Routed { world, peer, .. }) = Routed::plain(&[11]) else { return };
    peer.filter("input", &reject_each_code(11));
    let mut trial = Trial::new(&world);
    expect_each_code(&mut trial, 11, |family| address(family, FAR, 11), "target");
    trial.run();
}

#[test]
fn every_code_that_a_router_sends_is_told_as_the_routers() {
    let Some(Routed { world, router, peer }) = Routed::plain(&[12]) else { return };
    router.filter("forward", &reject_each_code(12));
    // The service is there: the verdict is about the way to it.
    for family in Family::BOTH {
        let ip = address(family, FAR, 12);
        world.tcp(&peer, ip, &[FIRST_PORT], Tcp::Silent);
        world.udp(&peer, ip, &[FIRST_PORT], &Udp::Echo);
    }
    let mut trial = Trial::new(&world);
    expect_each_code(&mut trial, 12, |family| address(family, NEAR, 1), "router");
    trial.run();
}

#[test]
fn open_closed_reset_and_dropped_ports_are_told_apart() {
    let Some(Routed { world, router, peer }) = Routed::plain(&[10, 11, 12]) else { return };
    let mut at_peer = String::new();
    let mut at_router = String::new();
    for family in Family::BOTH {
        let keyword = family.keyword();
        for (host, rules) in [(11, &mut at_peer), (12, &mut at_router)] {
            let ip = address(family, FAR, host);
            let _ = writeln!(rules, "{keyword} daddr {ip} tcp dport 9001 drop");
            let _ = writeln!(rules, "{keyword} daddr {ip} udp dport 9001 drop");
            let _ = writeln!(rules, "{keyword} daddr {ip} tcp dport 9002 reject with tcp reset");
        }
    }
    peer.filter("input", &at_peer);
    router.filter("forward", &at_router);
    let mut trial = Trial::new(&world);
    for family in Family::BOTH {
        let ip = address(family, FAR, 10);
        for (port, manners, fact) in [
            (8001, Tcp::Silent, "accepts and says nothing"),
            (8002, Tcp::NeverAccept, "listens, the application never accepts"),
            (8003, Tcp::Banner, "accepts and greets"),
            (8004, Tcp::Close, "accepts and closes at once"),
            (8005, Tcp::Reset, "accepts and resets at once"),
        ] {
            world.tcp(&peer, ip, &[port], manners);
            trial.tcp(ip, port, fact).is("open").because(&["syn-ack"]).rtt_ms(2.0..=500.0);
        }
        for (port, manners, fact) in
            [(4001, Udp::Echo, "echoes"), (4002, Udp::Empty, "answers with an empty datagram")]
        {
            world.udp(&peer, ip, &[port], &manners);
            trial.udp(ip, port, fact).is("open").because(&["udp-response"]).rtt_ms(2.0..=500.0);
        }
        world.udp(&peer, ip, &[4003], &Udp::Silent);
        trial.udp(ip, 4003, "takes and never answers").is_silent();
        trial.tcp(ip, 8011, "nobody listens").is("closed").because(&["reset"]).rtt_ms(2.0..=500.0);
        let (kind, code, _) = unreachables(family);
        trial
            .udp(ip, 4011, "nobody listens")
            .is("closed")
            .because(&["port-unreach"])
            .icmp(kind, code)
            .from(ip, "target")
            .rtt_ms(2.0..=500.0);
        for (host, whose) in [(11, "the peer"), (12, "the router")] {
            let ip = address(family, FAR, host);
            world.tcp(&peer, ip, &[9001, 9002], Tcp::Silent);
            world.udp(&peer, ip, &[9001], &Udp::Echo);
            let fact = format!("a rule of {whose} drops; a service listens behind it");
            trial.tcp(ip, 9001, &fact).is_silent().attempts(2..=20);
            trial.udp(ip, 9001, fact).is_silent().attempts(2..=20);
            // From outside nobody can tell this RST from the stack's own.
            let fact = format!("a rule of {whose} resets; a service listens behind it");
            trial.tcp(ip, 9002, fact).is("closed").because(&["reset"]);
        }
    }
    trial.run();
}
