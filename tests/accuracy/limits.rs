//! Peers and routers that answer only so often: what was not proved is not
//! claimed, and with patience everything is proved.

use crate::refusals::unreachables;
use crate::support::namespace::Namespace;
use crate::support::packet::Family;
use crate::support::portscan::{Portscan, Ran};
use crate::support::services::{Tcp, Udp};
use crate::support::trial::{Trial, everywhere};
use crate::support::world::{FAR, Routed, address};

/// Gives a machine the ICMP limits of an untouched Linux, or faster ones: a
/// token each `interval_ms`, six at once.
fn limit_icmp(namespace: &Namespace, interval_ms: u32) {
    let interval = interval_ms.to_string();
    namespace.sysctls(&[
        ("ipv4/icmp_ratemask", "6168"),
        ("ipv4/icmp_ratelimit", &interval),
        ("ipv6/icmp/ratelimit", &interval),
    ]);
}

/// Expects closed UDP ports; `proved` says whether each must be proved.
fn expect_closed(trial: &mut Trial<'_>, ports: std::ops::Range<u16>, proved: bool) {
    for family in Family::BOTH {
        let ip = address(family, FAR, 10);
        let (kind, code, _) = unreachables(family);
        for port in ports.clone() {
            let row = trial.udp(ip, port, "nobody listens; ICMP errors are limited");
            if proved {
                row.is("closed").because(&["port-unreach"]).icmp(kind, code).from(ip, "target");
            } else {
                row.is_one_of(&["closed", "open|filtered"])
                    .because(&["port-unreach", "no-response"]);
            }
        }
    }
}

/// The rows in this state.
fn count(ran: &Ran, state: &str) -> usize {
    ran.rows().iter().filter(|row| row["state"] == state).count()
}

#[test]
fn a_few_closed_udp_ports_are_proved_within_a_stock_budget() {
    let Some(Routed { world, peer, .. }) = Routed::plain(&[10]) else { return };
    limit_icmp(&peer, 1000);
    let mut trial = Trial::new(&world);
    expect_closed(&mut trial, 6001..6007, true);
    trial.run();
}

#[test]
fn a_spent_icmp_budget_is_named_and_nothing_is_claimed_beyond_it() {
    let Some(Routed { world, peer, .. }) = Routed::plain(&[10]) else { return };
    limit_icmp(&peer, 1000);
    let mut trial = Trial::new(&world);
    expect_closed(&mut trial, 6001..6101, false);
    // An answer costs no budget: open ports are found all the same.
    for family in Family::BOTH {
        let ip = address(family, FAR, 10);
        world.udp(&peer, ip, &[6101, 6102], &Udp::Echo);
        for port in [6101, 6102] {
            trial.udp(ip, port, "an echo among many closed ports").is("open");
        }
    }
    let ran = trial.run();
    let proved = count(&ran, "closed");
    assert!(proved >= 12, "six tokens in each family are there at once: {proved}\n{ran:?}");
    for row in ran.rows().iter().filter(|row| row["state"] == "open|filtered") {
        let notes = row["notes"].to_string().to_lowercase();
        assert!(notes.contains("budget"), "no word of the budget: {row}\n{ran:?}");
    }
}

#[test]
fn with_patience_every_closed_udp_port_is_proved() {
    let Some(Routed { world, peer, .. }) = Routed::plain(&[10]) else { return };
    limit_icmp(&peer, 50);
    let mut trial = Trial::new(&world);
    trial.args(&["--prove"]);
    expect_closed(&mut trial, 6001..6101, true);
    trial.run();
}

#[test]
fn a_routers_limited_rejects_never_make_a_port_open_or_closed() {
    let Some(Routed { world, router, peer: _peer }) = Routed::plain(&[10]) else { return };
    limit_icmp(&router, 1000);
    let mut rules = String::new();
    let mut trial = Trial::new(&world);
    for (family, transport) in everywhere() {
        let (ip, name) = (address(family, FAR, 10), transport.name());
        let icmp = if family == Family::V4 { "icmp" } else { "icmpv6" };
        rules += &format!(
            "{} daddr {ip} {name} dport 7001-7030 reject with {icmp} admin-prohibited\n",
            family.keyword()
        );
        for port in 7001..=7030 {
            let states: &[_] = match name {
                "tcp" => &["filtered"],
                _ => &["filtered", "open|filtered"],
            };
            trial
                .expect(transport, ip, port, "rejected by a router that may not say so often")
                .is_one_of(states)
                .because(&["admin-prohibited", "no-response"]);
        }
    }
    router.filter("forward", &rules);
    let ran = trial.run();
    let told = ran.rows().iter().filter(|row| row["reason"] == "admin-prohibited").count();
    assert!(told >= 12, "six tokens in each family are there at once: {told}\n{ran:?}");
}

#[test]
fn limited_syns_and_resets_cost_time_and_not_truth() {
    const PORTS: u16 = 15;
    let Some(Routed { world, peer, .. }) = Routed::plain(&[20, 21]) else { return };
    let (mut input, mut output) = (String::new(), String::new());
    let mut trial = Trial::new(&world);
    const LIMIT: &str = "limit rate over 5/second burst 5 packets drop";
    for family in Family::BOTH {
        let keyword = family.keyword();
        let (open, closed) = (address(family, FAR, 20), address(family, FAR, 21));
        input += &format!("{keyword} daddr {open} tcp flags & (syn|ack) == syn {LIMIT}\n");
        output += &format!("{keyword} saddr {closed} tcp flags & rst == rst {LIMIT}\n");
        for port in 6201..6201 + PORTS {
            world.tcp(&peer, open, &[port], Tcp::Silent);
            trial.tcp(open, port, "open; five SYNs a second pass").is("open").because(&["syn-ack"]);
            trial.tcp(closed, port, "closed; five RSTs a second").is("closed").because(&["reset"]);
        }
    }
    peer.filter("input", &input);
    peer.filter("output", &output);
    trial.run();
}

#[test]
fn a_peer_that_loses_packets_with_the_rate_is_asked_more_slowly_and_that_is_said() {
    let Some(Routed { world, peer, .. }) = Routed::plain(&[20]) else { return };
    let target = address(Family::V4, FAR, 20);
    let limit = "limit rate over 300/second burst 40 packets drop";
    peer.filter("input", &format!("ip daddr {target} tcp flags & (syn|ack) == syn {limit}\n"));
    let ran = Portscan::new(&world)
        .args(["--format", "json", "--no-plugins"])
        .targets(format!("{target}:1-600\n"))
        .run();
    assert_eq!(count(&ran, "closed"), 600, "{ran:?}");
    let said = ran.stderr.contains(&format!("{target} loses "));
    assert!(said && ran.stderr.contains("asking it more slowly"), "{}", ran.stderr);
}
