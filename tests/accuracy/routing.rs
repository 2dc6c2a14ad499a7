//! Packets that die on the way: no neighbour, no route, a loop, a black hole.

use crate::support::namespace::Namespace;
use crate::support::packet::Family;
use crate::support::services::Tcp;
use crate::support::trial::{Trial, everywhere};
use crate::support::world::{FAR, NEAR, Routed, address};

/// A network on a link of the prober's own, and one on a link of the router's,
/// where nobody answers ARP or ND.
const OWN_LINK: u8 = 4;
const FAR_LINK: u8 = 3;
/// Networks that the first router drops, refuses, and sends in a circle.
const BLACKHOLE: u8 = 6;
const UNREACHABLE: u8 = 7;
const LOOP: u8 = 9;
/// Between the first router and the second, the first and the third.
const TO_SECOND: u8 = 10;
const TO_THIRD: u8 = 11;
/// A network that the second router prohibits, and one unknown to the third.
const PROHIBITED: u8 = 21;
const UNKNOWN: u8 = 22;

/// What is sent for an unreachable, a prohibiting and a missing route.
fn route_errors(family: Family) -> [(u8, u8, &'static str); 3] {
    match family {
        Family::V4 => [(3, 1, "host-unreach"), (3, 13, "admin-prohibited"), (3, 0, "net-unreach")],
        Family::V6 => [(1, 0, "no-route"), (1, 1, "admin-prohibited"), (1, 0, "no-route")],
    }
}

/// A link whose other end has no address: nobody answers there.
fn dead_link(namespace: &Namespace, device: &str, net: u8, host: u8) -> Namespace {
    let nobody = Namespace::new("nobody");
    let path = nobody.path();
    namespace.ip(&format!("link add {device} type veth peer name eth0 netns {path}"));
    namespace.ip(&format!("link set {device} up"));
    nobody.ip("link set eth0 up");
    namespace.address(device, net, host);
    nobody
}

#[test]
fn packets_that_die_at_a_router_are_filtered_with_that_routers_word() {
    let Some(Routed { world, router, peer: _peer }) = Routed::plain(&[10]) else { return };
    router.dead_route("blackhole", BLACKHOLE);
    router.dead_route("unreachable", UNREACHABLE);
    let second = Namespace::new("second router");
    world.join((&router, "mid0", 1), (&second, "mid0", 2), TO_SECOND);
    second.forward();
    second.default_route((TO_SECOND, 1));
    second.dead_route("prohibit", PROHIBITED);
    router.route(PROHIBITED, (TO_SECOND, 2));
    router.route(LOOP, (TO_SECOND, 2));
    let third = Namespace::new("third router");
    world.join((&router, "mid1", 1), (&third, "mid0", 2), TO_THIRD);
    third.forward();
    third.route(NEAR, (TO_THIRD, 1));
    router.route(UNKNOWN, (TO_THIRD, 2));
    let mut trial = Trial::new(&world);
    for (family, transport) in everywhere() {
        trial
            .expect(transport, address(family, BLACKHOLE, 9), 8001, "a router's black hole")
            .is_silent();
        let [unreachable, prohibited, unknown] = route_errors(family);
        let circle = match family {
            Family::V4 => (11, 0, "time-exceeded"),
            Family::V6 => (3, 0, "time-exceeded"),
        };
        for (net, sender, is_first_hop, (kind, code, reason), fact) in [
            (UNREACHABLE, (NEAR, 1), true, unreachable, "the first router's unreachable route"),
            (PROHIBITED, (TO_SECOND, 2), false, prohibited, "the second router's prohibit route"),
            (UNKNOWN, (TO_THIRD, 2), false, unknown, "the third router knows no route"),
            (LOOP, (TO_SECOND, 2), false, circle, "two routers send it back and forth"),
        ] {
            trial
                .expect(transport, address(family, net, 9), 8001, fact)
                .is("filtered")
                .because(&[reason])
                .icmp(kind, code)
                .from(address(family, sender.0, sender.1), "router")
                .also("/evidence/from_first_hop", is_first_hop);
        }
    }
    trial.run();
}

#[test]
fn a_missing_neighbour_is_told_by_whoever_looked_for_it() {
    let Some(Routed { world, router, peer }) = Routed::plain(&[10]) else { return };
    let _far_nobody = dead_link(&router, "dead0", FAR_LINK, 1);
    let _own_nobody = dead_link(&world.prober, "lan0", OWN_LINK, 2);
    let mut trial = Trial::new(&world);
    for (family, transport) in everywhere() {
        let (kind, code, reason) = match family {
            Family::V4 => (3, 1, "host-unreach"),
            Family::V6 => (1, 3, "addr-unreach"),
        };
        let own = address(family, OWN_LINK, 2);
        // No probe leaves: the kernel keeps it until a neighbour answers.
        trial
            .expect(transport, address(family, OWN_LINK, 99), 8001, "no ARP or ND answer here")
            .is("filtered")
            .because(&[reason])
            .icmp(kind, code)
            .from(own, "self")
            .unwitnessed();
        trial
            .expect(transport, address(family, FAR_LINK, 99), 8001, "no ARP or ND answer there")
            .is("filtered")
            .because(&[reason])
            .icmp(kind, code)
            .from(address(family, NEAR, 1), "router");
    }
    // Beside them all is well: the verdicts above are about those addresses.
    for family in Family::BOTH {
        let ip = address(family, FAR, 10);
        world.tcp(&peer, ip, &[8001], Tcp::Silent);
        trial.tcp(ip, 8001, "a listener").is("open").because(&["syn-ack"]);
    }
    trial.run();
}

#[test]
fn silence_is_graded_by_a_control_port() {
    let Some(Routed { world, peer, .. }) = Routed::plain(&[11, 12]) else { return };
    let mut rules = String::new();
    for family in Family::BOTH {
        let (keyword, some) = (family.keyword(), address(family, FAR, 11));
        rules += &format!("{keyword} daddr {some} tcp dport 9001 drop\n");
        rules += &format!("{keyword} daddr {some} udp dport 9001 drop\n");
        rules += &format!("{keyword} daddr {} drop\n", address(family, FAR, 12));
    }
    peer.filter("input", &rules);
    let mut trial = Trial::new(&world);
    for (family, transport) in everywhere() {
        trial
            .expect(transport, address(family, FAR, 11), 9001, "a rule for this port drops")
            .is_silent()
            .also("/evidence/control", "closed");
        trial
            .expect(transport, address(family, FAR, 12), 9001, "a rule for all ports drops")
            .is_silent()
            .also("/evidence/control", "silent");
    }
    trial.run();
}
