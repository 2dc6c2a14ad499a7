//! Thousands of made-up networks, none of which may get a wrong state.
//!
//! The plan and the judge run unchanged on a scripted network with a virtual
//! clock ([`network`]), in worlds drawn from a seed ([`world`]). A failing
//! seed is printed; `PORTSCAN_SIM_SEED=N` replays it alone and prints what
//! happened, `PORTSCAN_SIM_WORLDS=N` sets how many worlds are tried.

#![allow(clippy::print_stdout)] // Seeds and rates are for whoever runs the tests.

mod network;
mod random;
mod world;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use network::ScriptedNet;
use portscan::model::{Moment, Transport};
use portscan::pipeline::scan::{Follow, Place, Probed, scan};
use portscan::plan::{Ask, Block, Payloads, Plan, Settings, interleave};
use world::World;

/// Collects rows from a fixed list of endpoints.
struct Collect<I> {
    asks: I,
    rows: Vec<Probed>,
}

impl<I: Iterator<Item = Ask>> Follow for Collect<I> {
    fn next_ask(&mut self) -> Option<Ask> {
        self.asks.next()
    }

    fn keeps(&self, _: &Ask) -> bool {
        false
    }

    fn probed(&mut self, probed: Probed) {
        self.rows.push(probed);
    }

    fn turn(&mut self, _: usize, _: Moment) -> bool {
        false
    }
}

/// Probes a world and returns its rows and how long it took in its own time.
fn probe(world: World, settings: Settings) -> (Vec<Probed>, Duration, ScriptedNet) {
    let blocks: Vec<Block> = world
        .peers
        .iter()
        .map(|peer| Block {
            count: 1,
            target: Arc::from(peer.address.to_string()),
            hosts: Box::new(std::iter::once(SocketAddr::new(peer.address, 0))),
            ports: peer.ports.keys().enumerate().map(|(i, (t, p))| (i as u32, *p, *t)).collect(),
        })
        .collect();
    let asks = interleave(blocks.into_iter()).map(|(order, target, endpoint)| Ask {
        order,
        target,
        endpoint,
        payloads: Payloads::Generic,
    });
    let own = world.own;
    let mut follow = Collect { asks, rows: Vec::new() };
    let mut net = ScriptedNet::new(world);
    let place = Place { is_own: &|ip| ip == own, is_first_hop: &|_| false };
    scan(&mut Plan::new(settings), &mut net, &place, &mut follow);
    let took = net.elapsed();
    (follow.rows, took, net)
}

/// Probes the world of a seed and says what is wrong, if anything is.
fn wrong_in(seed: u64, show: bool) -> Vec<String> {
    let world = World::random(seed);
    let truth = world.clone();
    let asked: usize = truth.peers.iter().map(|p| p.ports.len()).sum();
    let (rows, took, _) = probe(world, Settings { seed, ..Settings::default() });
    let mut wrong = Vec::new();
    if rows.len() != asked {
        wrong.push(format!("{} rows for {asked} endpoints", rows.len()));
    }
    for row in &rows {
        let said = &row.outcome;
        let line = format!("{}: {} {} {:?}", said.endpoint, said.state, said.reason, said.evidence);
        if show {
            println!("{line}  [{:?}]", truth.port(said.endpoint));
        }
        if !truth.allows(said) {
            wrong.push(format!("{line} but it is {:?}", truth.port(said.endpoint)));
        }
    }
    if show {
        println!("{took:?}; {:#?}", truth.peers);
    }
    if took > Duration::from_secs(120) {
        wrong.push(format!("took {took:?}"));
    }
    wrong
}

#[test]
fn no_world_gets_a_wrong_state() {
    let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    if let Some(seed) = number("PORTSCAN_SIM_SEED") {
        assert_eq!(wrong_in(seed, true), Vec::<String>::new(), "seed {seed}");
        return;
    }
    let worlds = number("PORTSCAN_SIM_WORLDS").unwrap_or(10_000);
    let start = std::time::Instant::now();
    let failed: BTreeMap<u64, Vec<String>> = (0..worlds)
        .map(|seed| (seed, wrong_in(seed, false)))
        .filter(|(_, w)| !w.is_empty())
        .collect();
    let rate = worlds as f64 / start.elapsed().as_secs_f64();
    println!("{worlds} worlds, {rate:.0} a second, {} wrong", failed.len());
    assert!(failed.is_empty(), "replay with PORTSCAN_SIM_SEED=<seed>: {failed:#?}");
}

#[test]
fn a_hundred_closed_udp_ports_are_left_unproved_at_default_speed_and_proved_on_request() {
    let world = World::closed_udp(100, Duration::from_secs(1));
    let (rows, took, _) = probe(world.clone(), Settings::default());
    assert!(took < Duration::from_secs(5), "{took:?}");
    let unproved = rows.iter().filter(|r| r.outcome.reason.name() == "no-response").count();
    assert!(unproved > 80, "{unproved} unproved");
    assert!(
        rows.iter().filter(|r| r.outcome.reason.name() == "no-response").all(|r| format!(
            "{:?}",
            r.outcome.notes
        )
        .contains("IcmpBudgetSpent")),
        "every unproved port says what is missing"
    );

    let (rows, took, _) =
        probe(world, Settings { prove_within: Duration::MAX, ..Settings::default() });
    assert!(rows.iter().all(|r| r.outcome.state.name() == "closed"), "all are proved");
    assert!(took < Duration::from_secs(100), "{took:?}, nmap takes 100 s");
}

#[test]
fn silent_udp_ports_among_closed_ones_are_graded_in_about_a_second() {
    let world = World::mixed_udp(5, 10);
    let (rows, took, _) = probe(world, Settings::default());
    assert!(took < Duration::from_millis(1300), "{took:?}");
    let closed = rows.iter().filter(|r| r.outcome.state.name() == "closed").count();
    assert_eq!((rows.len(), closed), (15, 5));
    for row in rows.iter().filter(|r| r.outcome.state.name() == "open|filtered") {
        assert_eq!(
            row.outcome.evidence.control.map(|c| c.name()),
            Some("closed"),
            "{:?}",
            row.outcome
        );
    }
}

#[test]
fn a_rate_limit_holds_for_every_second_with_the_kernels_own_syns() {
    let world = World::dropped_tcp(400);
    let settings = Settings { rate: Some(200.0), ..Settings::default() };
    let (rows, took, net) = probe(world, settings);
    assert_eq!(rows.len(), 400);
    let packets = net.packets();
    let allowed = 200.0 * took.as_secs_f64() * 1.02 + 10.0;
    assert!(packets as f64 <= allowed, "{packets} packets in {took:?}");
}

#[test]
fn a_peer_that_is_open_for_everything_is_shown_with_that_doubt() {
    let world = World::open_for_everything(12);
    let (rows, ..) = probe(world, Settings::default());
    let doubted = rows
        .iter()
        .filter(|r| format!("{:?}", r.outcome.notes).contains("OpenForEverything"))
        .count();
    assert_eq!((rows.len(), doubted), (12, 12));
    assert!(rows.iter().all(|r| r.outcome.endpoint.transport == Transport::Tcp));
}
