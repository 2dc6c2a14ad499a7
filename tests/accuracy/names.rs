//! Names with several addresses, in both families, or with none.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::support::dns::{Answer, Zone};
use crate::support::packet::Family;
use crate::support::portscan::{Portscan, Ran};
use crate::support::services::{Tcp, Udp};
use crate::support::world::{FAR, Routed, address};

/// Hosts in [`FAR`]: one that is open, one that drops, the name server.
const OPEN: u8 = 10;
const DROPS: u8 = 12;
const SERVER: u8 = 53;

fn v4(host: u8) -> IpAddr {
    address(Family::V4, FAR, host)
}

fn v6(host: u8) -> IpAddr {
    address(Family::V6, FAR, host)
}

/// The world of all tests here: port 8001 is open at one host, dropped at the
/// other; the name server knows `zone`.
fn with_zone(names: impl IntoIterator<Item = (&'static str, Answer)>) -> Option<Routed> {
    let routed = Routed::plain(&[OPEN, DROPS, SERVER])?;
    let mut rules = String::new();
    for family in Family::BOTH {
        let drops = address(family, FAR, DROPS);
        rules += &format!("{} daddr {drops} drop\n", family.keyword());
        routed.world.tcp(&routed.peer, address(family, FAR, OPEN), &[8001], Tcp::Silent);
    }
    routed.peer.filter("input", &rules);
    let zone = Zone::new(names);
    let answer = Udp::Answer(Arc::new(move |query| zone.answer(query)));
    routed.world.udp(&routed.peer, v4(SERVER), &[53], &answer);
    Some(routed)
}

/// Probes port 8001 of these names in one run.
fn probe(routed: &Routed, names: &[&str]) -> Ran {
    let targets: String = names.iter().map(|name| format!("{name}:8001\n")).collect();
    Portscan::new(&routed.world)
        .args(["--format", "json", "--no-plugins"])
        .resolver(v4(SERVER))
        .hosts(
            "127.0.0.1 localhost\n10.99.2.10 in-file.world.test\nfd99:2::12 in-file.world.test\n",
        )
        .targets(targets)
        .run()
}

/// State by address of one name's rows.
fn states(ran: &Ran, name: &str) -> BTreeMap<IpAddr, String> {
    let of_name = |row: &&Value| row["target"].as_str().is_some_and(|text| text.starts_with(name));
    let report = ran.report();
    let rows = report["endpoints"].as_array().expect("the schema asks for it");
    let mut states = BTreeMap::new();
    for row in rows.iter().filter(of_name) {
        let address = row["address"].as_str().and_then(|text| text.parse().ok());
        let address = address.unwrap_or_else(|| panic!("not an address in {row}"));
        let state = row["state"].as_str().unwrap_or_default().to_owned();
        assert!(states.insert(address, state).is_none(), "{address} twice for {name}\n{ran:?}");
    }
    states
}

/// The conclusion about one name, if there is one.
fn conclusion(ran: &Ran, name: &str) -> Option<String> {
    let report = ran.report();
    report["conclusions"]
        .as_array()?
        .iter()
        .find(|c| c["target"].as_str().is_some_and(|text| text.starts_with(name)))
        .and_then(|c| c["text"].as_str().map(str::to_owned))
}

#[test]
fn every_address_of_a_name_gets_its_row() {
    let answers = [
        ("four-open.world.test", Answer::Addresses(vec![v4(OPEN), v6(DROPS)])),
        ("six-open.world.test", Answer::Addresses(vec![v4(DROPS), v6(OPEN)])),
        ("one-of-three.world.test", Answer::Addresses(vec![v4(DROPS), v4(OPEN), v6(OPEN)])),
        ("only-six.world.test", Answer::Addresses(vec![v6(OPEN)])),
        ("twice.world.test", Answer::Addresses(vec![v4(OPEN), v4(OPEN)])),
        ("real.world.test", Answer::Addresses(vec![v4(OPEN)])),
        ("alias.world.test", Answer::Alias("real.world.test")),
        ("mute-for-six.world.test", Answer::OnlyForA(vec![v4(OPEN)])),
    ];
    let Some(routed) = with_zone(answers) else { return };
    let truths: &[(&str, &[(IpAddr, &str)])] = &[
        ("four-open.world.test", &[(v4(OPEN), "open"), (v6(DROPS), "filtered")]),
        ("six-open.world.test", &[(v4(DROPS), "filtered"), (v6(OPEN), "open")]),
        (
            "one-of-three.world.test",
            &[(v4(DROPS), "filtered"), (v4(OPEN), "open"), (v6(OPEN), "open")],
        ),
        ("only-six.world.test", &[(v6(OPEN), "open")]),
        ("twice.world.test", &[(v4(OPEN), "open")]),
        ("alias.world.test", &[(v4(OPEN), "open")]),
        ("in-file.world.test", &[(v4(OPEN), "open"), (v6(DROPS), "filtered")]),
        ("mute-for-six.world.test", &[(v4(OPEN), "open")]),
    ];
    let names: Vec<&str> = truths.iter().map(|(name, _)| *name).collect();
    let ran = probe(&routed, &names);
    for (name, truth) in truths {
        let truth = truth.iter().map(|(ip, state)| (*ip, (*state).to_owned())).collect();
        assert_eq!(states(&ran, name), truth, "{name}\n{ran:?}");
    }
    assert_eq!(ran.code(), 1, "{ran:?}");
    let said = conclusion(&ran, "four-open.world.test").unwrap_or_default();
    assert!(said.contains("IPv6"), "which family is broken: {said:?}\n{ran:?}");
    let said = conclusion(&ran, "six-open.world.test").unwrap_or_default();
    assert!(said.contains("IPv4"), "which family is broken: {said:?}\n{ran:?}");
    let said = conclusion(&ran, "one-of-three.world.test").unwrap_or_default();
    assert!(said.contains("1 of 3"), "how many are dead: {said:?}\n{ran:?}");
}

#[test]
fn a_name_without_an_address_says_why() {
    let answers = [
        ("no-data.world.test", Answer::Addresses(Vec::new())),
        ("failing.world.test", Answer::Failure),
        ("silent.world.test", Answer::Nothing),
        ("real.world.test", Answer::Addresses(vec![v4(OPEN)])),
    ];
    let Some(routed) = with_zone(answers) else { return };
    let truths = [
        ("nobody.world.test", "nxdomain"),
        ("no-data.world.test", "no-data"),
        ("failing.world.test", "servfail"),
        ("silent.world.test", "timeout"),
    ];
    let mut names: Vec<&str> = truths.iter().map(|(name, _)| *name).collect();
    names.push("real.world.test");
    let ran = probe(&routed, &names);
    let report = ran.report();
    let unresolved = report["unresolved"].as_array().expect("the schema asks for it");
    for (name, reason) in truths {
        let said: Vec<&Value> = unresolved
            .iter()
            .filter(|u| u["target"].as_str().is_some_and(|text| text.starts_with(name)))
            .map(|u| &u["reason"])
            .collect();
        assert_eq!(said, [reason], "{name}\n{ran:?}");
        assert!(states(&ran, name).is_empty(), "a row for a name without address\n{ran:?}");
    }
    // A name that cannot be found holds up nobody else.
    assert_eq!(states(&ran, "real.world.test").len(), 1, "{ran:?}");
    assert_eq!(ran.code(), 2, "{ran:?}");
    assert!(ran.wall < Duration::from_secs(10), "the resolver's own limits hold\n{ran:?}");
}

#[test]
fn the_name_server_of_these_tests_satisfies_a_stock_resolver() {
    let answers = [
        ("real.world.test", Answer::Addresses(vec![v4(OPEN), v6(OPEN)])),
        ("alias.world.test", Answer::Alias("real.world.test")),
    ];
    let Some(routed) = with_zone(answers) else { return };
    let ran = Portscan::new(&routed.world)
        .resolver(v4(SERVER))
        .args(["ahosts", "alias.world.test"])
        .run_program(Path::new("/usr/bin/getent"));
    let mut said: Vec<IpAddr> = ran
        .stdout
        .lines()
        .filter(|line| line.contains("STREAM"))
        .filter_map(|line| line.split_whitespace().next()?.parse().ok())
        .collect();
    said.sort();
    assert_eq!(said, [v4(OPEN), v6(OPEN)], "{ran:?}");
}
