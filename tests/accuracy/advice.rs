//! Advice that rests on more than one endpoint, on networks where its cause is known.

use std::sync::Arc;

use serde_json::Value;

use crate::support::dns::{Answer, Zone};
use crate::support::packet::Family;
use crate::support::portscan::{Portscan, Ran};
use crate::support::services::{Tcp, Udp};
use crate::support::world::{FAR, Routed, World, address};

/// A new connection's first packet.
const SYN: &str = "tcp flags & (syn | ack) == syn";

fn run(world: &World, args: &[&str]) -> Ran {
    Portscan::new(world).args(["--no-plugins", "--format", "json"]).args(args).run()
}

/// The advice of every row that is not open, with its address and port.
fn advice(ran: &Ran) -> Vec<(String, u64, String)> {
    let rows = ran.rows();
    let text = |row: &Value| row["advice"].as_array().map(|all| format!("{all:?}"));
    rows.iter()
        .filter(|row| row["state"] != "open")
        .map(|row| {
            let address = row["address"].as_str().unwrap_or_default().to_owned();
            (address, row["port"].as_u64().unwrap_or(0), text(row).unwrap_or_default())
        })
        .collect()
}

#[test]
fn a_stale_record_beside_a_good_one_is_suspected() {
    let Some(Routed { world, router: _router, peer }) = Routed::plain(&[10, 53]) else { return };
    let (new, old) = (address(Family::V4, FAR, 10), address(Family::V4, FAR, 99));
    world.tcp(&peer, new, &[8001], Tcp::Silent);
    let zone = Zone::new([
        ("moved.world.test", Answer::Addresses(vec![old, new])),
        ("refuses.world.test", Answer::Addresses(vec![address(Family::V4, FAR, 53), new])),
    ]);
    let server = address(Family::V4, FAR, 53);
    let answer = Udp::Answer(Arc::new(move |query| zone.answer(query)));
    world.udp(&peer, server, &[53], &answer);
    let ran = Portscan::new(&world)
        .args(["--no-plugins", "--format", "json", "moved.world.test:8001"])
        .args(["refuses.world.test:8001"])
        .resolver(server)
        .run();
    let said = advice(&ran);
    let of = |ip: std::net::IpAddr| {
        said.iter().find(|(address, ..)| *address == ip.to_string()).map(|(.., text)| text.clone())
    };
    let stale = of(old).unwrap_or_else(|| panic!("{ran:?}"));
    assert!(stale.contains("10.99.2.10, another address of moved.world.test"), "{ran:?}");
    assert!(stale.contains("its DNS record is stale"), "{ran:?}");
    // Who refuses is there.
    let refuses = of(server).unwrap_or_else(|| panic!("{ran:?}"));
    assert!(!refuses.contains("stale"), "{ran:?}");
}

#[test]
fn the_other_transport_is_named_whichever_answers_first() {
    let Some(Routed { world, router: _router, peer }) = Routed::plain(&[10]) else { return };
    let ip = address(Family::V4, FAR, 10);
    let answer = Udp::Answer(Arc::new(|_| Some(b"yes".to_vec())));
    world.udp(&peer, ip, &[6001], &answer);
    world.tcp(&peer, ip, &[6002], Tcp::Silent);
    for ports in ["6001/tcp,6001/udp,6002/udp,6002/tcp", "6002,6002/udp,6001/udp,6001"] {
        let ran = run(&world, &[&format!("10.99.2.10:{ports}")]);
        let said = advice(&ran);
        assert_eq!(said.len(), 2, "{ran:?}");
        for (_, port, text) in &said {
            let (open, asked) = if *port == 6001 { ("udp", "tcp") } else { ("tcp", "udp") };
            let says = format!("{port}/{open} is open here, {port}/{asked} is not");
            assert!(text.contains(&says), "{says}\n{ran:?}");
            assert!(text.contains(&format!("(portscan 10.99.2.10 {port}/{open})")), "{ran:?}");
        }
    }
}

#[test]
fn a_host_that_answers_so_often_and_no_more_is_suspected_of_a_limit() {
    let Some(Routed { world, router: _router, peer }) = Routed::plain(&[10]) else { return };
    peer.filter("input", &format!("{SYN} limit rate over 1/minute burst 30 packets drop\n"));
    let ran = run(&world, &["10.99.2.10:1000-1059"]);
    let said = advice(&ran);
    let limited: Vec<&str> =
        said.iter().map(|(.., text)| &**text).filter(|text| text.contains("a limit")).collect();
    assert!(limited.len() >= 25, "{ran:?}");
    let refused = ran.rows().iter().filter(|row| row["state"] == "closed").count();
    let says = format!("10.99.2.10 refused {refused} ports and answered none of the");
    assert!(limited.iter().all(|text| text.contains(&says)), "{says}\n{ran:?}");
    assert!(!format!("{limited:?}").contains("a rule drops"), "{ran:?}");
}

#[test]
fn a_service_that_takes_a_few_connections_and_no_more_comes_and_goes() {
    let Some(Routed { world, router: _router, peer }) = Routed::plain(&[10]) else { return };
    world.tcp(&peer, address(Family::V4, FAR, 10), &[8001], Tcp::Silent);
    let rule = format!("tcp dport 8001 {SYN} limit rate over 1/minute burst 2 packets drop\n");
    peer.filter("input", &rule);
    let rounds = ["--count", "5", "--every", "10ms", "--attempts", "1", "--timeout", "500ms"];
    let ran = run(&world, &[&["10.99.2.10:8001"][..], &rounds].concat());
    let [(.., said)] = &advice(&ran)[..] else { panic!("{ran:?}") };
    assert!(said.contains("3 of 5 rounds failed, each silent"), "{ran:?}");
    assert!(said.contains("--count 5 --every 10s"), "{ran:?}");
}

#[test]
fn a_firewall_that_lets_one_port_through_is_no_dark_host() {
    let Some(Routed { world, router: _router, peer }) = Routed::plain(&[10]) else { return };
    world.tcp(&peer, address(Family::V4, FAR, 10), &[8001], Tcp::Silent);
    peer.filter("input", "meta l4proto { tcp, udp } th dport != 8001 drop\n");
    let ran = run(&world, &["10.99.2.10:8001,8002,6000/udp"]);
    let said = advice(&ran);
    let [(_, 8002, tcp), (_, 6000, udp)] = &said[..] else { panic!("{ran:?}") };
    assert!(tcp.contains("lets only some through, and 8002/tcp is none of them"), "{ran:?}");
    assert!(udp.contains("answers for TCP and not for unused UDP ports"), "{ran:?}");
    assert!(!format!("{said:?}").contains("no port at all"), "{ran:?}");
}
