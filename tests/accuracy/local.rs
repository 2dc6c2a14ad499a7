//! Causes in this machine: they are facts about us, never about the target.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};

use crate::support::namespace::Namespace;
use crate::support::packet::Family;
use crate::support::services::{Tcp, Udp};
use crate::support::trial::{Transport, Trial, everywhere};
use crate::support::world::{FAR, NEAR, Routed, World, address};

#[test]
fn a_missing_route_is_this_machines_own() {
    let Some(world) = World::new() else { return };
    let mut trial = Trial::new(&world);
    for (family, transport) in everywhere() {
        trial
            .expect(transport, address(family, FAR, 10), 8001, "this machine has no route")
            .is("unknown")
            .because(&["local-no-route"])
            .unwitnessed();
    }
    trial.run();
}

#[test]
fn a_family_that_is_switched_off_is_this_machines_own() {
    let Some(Routed { world, peer, .. }) = Routed::plain(&[10]) else { return };
    world.prober.sysctls(&[("ipv6/conf/all/disable_ipv6", "1")]);
    let mut trial = Trial::new(&world);
    let (v4, v6) = (address(Family::V4, FAR, 10), address(Family::V6, FAR, 10));
    world.tcp(&peer, v4, &[8001], Tcp::Silent);
    trial.tcp(v4, 8001, "a listener").is("open").because(&["syn-ack"]);
    for transport in Transport::BOTH {
        trial
            .expect(transport, v6, 8001, "IPv6 is switched off here")
            .is("unknown")
            .because(&["local-no-route"])
            .unwitnessed();
    }
    trial.run();
}

#[test]
fn a_broadcast_address_is_not_probed_and_not_judged() {
    let Some(world) = World::new() else { return };
    let neighbour = Namespace::new("neighbour");
    world.join((&world.prober, "lan0", 2), (&neighbour, "lan0", 1), NEAR);
    let mut trial = Trial::new(&world);
    for transport in Transport::BOTH {
        trial
            .expect(transport, address(Family::V4, NEAR, 255), 8001, "the link's broadcast address")
            .is("unknown")
            .because(&["local-denied", "local-no-route"])
            .unwitnessed();
    }
    trial.run();
}

#[test]
fn a_route_that_refuses_is_this_machines_own() {
    let Some(Routed { world, peer: _peer, .. }) = Routed::plain(&[10]) else { return };
    let mut trial = Trial::new(&world);
    for (kind, net, reason) in [
        ("unreachable", 251, "local-no-route"),
        ("prohibit", 252, "local-denied"),
        ("blackhole", 253, "local-no-route"),
    ] {
        world.prober.dead_route(kind, net);
        for (family, transport) in everywhere() {
            trial
                .expect(transport, address(family, net, 1), 8001, format!("own {kind} route"))
                .is("unknown")
                .because(&[reason])
                .unwitnessed();
        }
    }
    trial.run();
}

#[test]
fn the_own_firewall_is_not_taken_for_somebody_elses() {
    let Some(Routed { world, peer, .. }) = Routed::plain(&[10]) else { return };
    let mut rules = String::new();
    let mut trial = Trial::new(&world);
    for family in Family::BOTH {
        let (keyword, ip) = (family.keyword(), address(family, FAR, 10));
        world.tcp(&peer, ip, &[9000, 9001, 9002, 9101, 9113], Tcp::Silent);
        world.udp(&peer, ip, &[9000, 9001, 9101, 9113], &Udp::Echo);
        let (unreachable, prohibited) = match family {
            Family::V4 => ("icmp host-unreachable", "icmp admin-prohibited"),
            Family::V6 => ("icmpv6 addr-unreachable", "icmpv6 admin-prohibited"),
        };
        for transport in Transport::BOTH {
            let name = transport.name();
            for (port, action) in [
                (9001, "drop".to_owned()),
                (9101, format!("reject with {unreachable}")),
                (9113, format!("reject with {prohibited}")),
            ] {
                rules += &format!("{keyword} daddr {ip} {name} dport {port} {action}\n");
            }
            for (port, fact) in [
                (9101, "own output rule rejects as unreachable; the service is open"),
                (9113, "own output rule rejects as prohibited; the service is open"),
            ] {
                trial
                    .expect(transport, ip, port, fact)
                    .is("unknown")
                    .because(&["local-denied"])
                    .unwitnessed();
            }
        }
        rules += &format!("{keyword} daddr {ip} tcp dport 9002 reject with tcp reset\n");
        trial.tcp(ip, 9000, "no rule").is("open").because(&["syn-ack"]);
        trial.udp(ip, 9000, "no rule").is("open").because(&["udp-response"]);
        trial
            .udp(ip, 9001, "own output rule drops; the service is open")
            .is("unknown")
            .because(&["local-denied"])
            .unwitnessed();
        // The kernel counts a SYN that the own rule dropped as sent, and a RST
        // made by the own rule looks like the target's.
        trial
            .tcp(ip, 9001, "own output rule drops; the service is open")
            .is_one_of(&["unknown", "filtered"])
            .because(&["local-denied", "no-response"])
            .unwitnessed();
        trial
            .tcp(ip, 9002, "own output rule resets; the service is open")
            .is_one_of(&["unknown", "closed"])
            .because(&["local-denied", "reset"])
            .unwitnessed();
    }
    world.prober.filter("output", &rules);
    trial.run();
}

#[test]
fn few_descriptors_cost_time_and_not_truth() {
    const PORTS: u16 = 60;
    let Some(Routed { world, peer, .. }) = Routed::plain(&[10]) else { return };
    let mut trial = Trial::new(&world);
    for family in Family::BOTH {
        let ip = address(family, FAR, 10);
        for port in 6000..6000 + PORTS {
            world.tcp(&peer, ip, &[port], Tcp::Silent);
            trial.tcp(ip, port, "a listener").is("open").because(&["syn-ack"]);
            world.udp(&peer, ip, &[port], &Udp::Echo);
            trial.udp(ip, port, "an echo").is("open").because(&["udp-response"]);
        }
    }
    let ran = trial.portscan().descriptors(40).run();
    trial.judge(&ran);
}

#[test]
fn few_ephemeral_ports_cost_time_and_not_truth() {
    const PORTS: u16 = 40;
    let Some(Routed { world, peer, .. }) = Routed::plain(&[10]) else { return };
    world.prober.sysctls(&[("ipv4/ip_local_port_range", "40000 40007")]);
    let mut trial = Trial::new(&world);
    for family in Family::BOTH {
        let ip = address(family, FAR, 10);
        for port in 6000..6000 + PORTS {
            world.tcp(&peer, ip, &[port], Tcp::Silent);
            trial.tcp(ip, port, "a listener").is("open").because(&["syn-ack"]);
            world.udp(&peer, ip, &[port], &Udp::Echo);
            trial.udp(ip, port, "an echo").is("open").because(&["udp-response"]);
        }
    }
    trial.run();
}

#[test]
fn used_up_ephemeral_ports_are_a_limit_of_this_machine() {
    let Some(Routed { world, peer, .. }) = Routed::plain(&[10]) else { return };
    world.prober.sysctls(&[("ipv4/ip_local_port_range", "40000 40001")]);
    let mut trial = Trial::new(&world);
    let mut held = Vec::new();
    for family in Family::BOTH {
        let (own, ip) = (address(family, NEAR, 2), address(family, FAR, 10));
        world.tcp(&peer, ip, &[6000], Tcp::Silent);
        world.udp(&peer, ip, &[6000], &Udp::Echo);
        for port in [40000, 40001] {
            let taken = SocketAddr::new(own, port);
            held.push(world.prober.enter(|| {
                let udp = bound(taken, Type::DGRAM, Protocol::UDP);
                let tcp = bound(taken, Type::STREAM, Protocol::TCP);
                tcp.connect(&SocketAddr::new(ip, 6000).into()).expect("the service is there");
                (udp, tcp)
            }));
        }
        for transport in Transport::BOTH {
            trial
                .expect(transport, ip, 6000, "all local ports are taken; the service is open")
                .is("unknown")
                .because(&["local-limit"])
                .unwitnessed();
        }
    }
    trial.run();
    drop(held);
}

/// A socket at a local port of the test's choice.
fn bound(local: SocketAddr, kind: Type, protocol: Protocol) -> Socket {
    let socket = Socket::new(Domain::for_address(local), kind, Some(protocol)).expect("a socket");
    socket.bind(&local.into()).expect("the port is free in this world");
    socket
}

#[test]
fn a_full_table_of_connections_is_a_limit_of_this_machine() {
    const SETTING: &str = "/proc/sys/net/netfilter/nf_conntrack_max";
    let Some(Routed { world, router, peer }) = Routed::plain(&[10]) else { return };
    router.filter("forward", "tcp dport 6001 drop\nudp dport 6001 drop\n");
    // Whoever asks for the state of connections has a table of them kept.
    world.prober.filter("output", "ct state invalid drop\n");
    // Packets into one end come out of the other, which wants none of them.
    world.prober.ip(
        "link add sink type veth peer name drain\nlink set drain up\nlink set sink arp off up\n\
         address add 10.98.0.1/16 dev sink",
    );
    let most: u32 = std::fs::read_to_string(SETTING).unwrap().trim().parse().unwrap();
    world.prober.enter(|| fill(most));
    let mut trial = Trial::new(&world);
    for family in Family::BOTH {
        let ip = address(family, FAR, 10);
        world.tcp(&peer, ip, &[6000], Tcp::Silent);
        world.udp(&peer, ip, &[6000], &Udp::Echo);
        for transport in Transport::BOTH {
            // The kernel evicts others that were not answered, so packets do leave.
            trial.expect(transport, ip, 6000, "a service").is("open");
            trial
                .expect(transport, ip, 6001, "dropped by the router, or never sent")
                .is("unknown")
                .because(&["local-limit"])
                .unwitnessed();
        }
    }
    trial.run();
}

/// Opens as many connections by UDP as the table of this namespace holds, and some
/// more: the network that they go to swallows them.
fn fill(most: u32) {
    const PORTS: u32 = 4096;
    let socket = UdpSocket::bind("10.98.0.1:0").expect("the address is there");
    for number in 0..most + most / 100 {
        let (host, port) = (number / PORTS, 1024 + number % PORTS);
        let to = (Ipv4Addr::from(0x0A62_0100 + host), u16::try_from(port).unwrap());
        // A full table refuses (EPERM); what it held before it was full is enough.
        let _ = socket.send_to(b"", to);
    }
}

#[test]
fn a_short_queue_of_the_interface_costs_time_and_not_truth() {
    const PORTS: u16 = 1500;
    let Some(Routed { world, router: _router, peer: _peer }) = Routed::plain(&[10]) else { return };
    // A TUN device drops what its queue cannot take, and tells nobody.
    world.prober.ip("link set wire0 txqueuelen 16");
    let mut trial = Trial::new(&world);
    for family in Family::BOTH {
        for port in 6000..6000 + PORTS {
            trial.tcp(address(family, FAR, 10), port, "nobody listens").is("closed");
        }
    }
    let ran = trial.portscan().args(["--rate", "max"]).run();
    trial.judge(&ran);
}
