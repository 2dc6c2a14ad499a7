//! The parts that need no network: `cargo bench` (about a minute with its build).
//!
//! A scripted scan through plan and judge, the judge alone, targets as text,
//! rows as JSON, a plugin's judge, and a plugin's dialogue with a player in
//! place of a peer. How fast whole runs are, beside others: tests/bench/compare.

#[allow(dead_code, reason = "the simulation's own tests use more of it")]
#[path = "../../../tests/simulation/network.rs"]
mod network;
mod player;
#[allow(dead_code, reason = "the simulation's own tests use more of it")]
#[path = "../../../tests/simulation/random.rs"]
mod random;
#[allow(dead_code, reason = "the simulation's own tests use more of it")]
#[path = "../../../tests/simulation/world.rs"]
mod world;

use std::hint::black_box;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use portscan::host::{CheckJob, Guest, Host, HostOptions, Origin};
use portscan::model::{
    Endpoint, Moment, Observation, Outcome, ReplyFrom, Signal, Transport, Verdict,
};
use portscan::net::SourceBinding;
use portscan::net::conversation::{Peer, Roots};
use portscan::pipeline::scan::{Follow, Place, Probed, scan};
use portscan::plan::{Ask, Payloads, Plan, Settings};
use portscan::probe::{Question, judge};
use portscan::render::{Format, Style, renderer};
use portscan::report::{Footer, Header};
use portscan::target::parse_words;
use portscan::vantage::Vantage;

use network::ScriptedNet;
use player::NameServer;
use world::{Behaviour, World};

const ENDPOINTS: u16 = 10_000;

/// Closed ports, one in ten of them open and one in a hundred dropped.
fn world() -> World {
    let mut world = World::dropped_tcp(1);
    let behaviour = |port: u16| match port {
        _ if port.is_multiple_of(100) => Behaviour::Dropped,
        _ if port.is_multiple_of(10) => Behaviour::Open { slow: Duration::ZERO },
        _ => Behaviour::Closed,
    };
    world.peers[0].ports =
        (1..=ENDPOINTS).map(|port| ((Transport::Tcp, port), behaviour(port))).collect();
    world
}

/// Asks for every port of a world's peer, and keeps the rows.
struct All<I> {
    asks: I,
    rows: Vec<Outcome>,
}

impl<I: Iterator<Item = Ask>> Follow for All<I> {
    fn next_ask(&mut self) -> Option<Ask> {
        self.asks.next()
    }

    fn keeps(&self, _: &Ask) -> bool {
        false
    }

    fn probed(&mut self, probed: Probed) {
        self.rows.push(probed.outcome);
    }

    fn turn(&mut self, _: usize, _: Moment) -> bool {
        false
    }
}

fn scripted(world: World) -> Vec<Outcome> {
    let address = world.peers[0].address;
    let target: Arc<str> = address.to_string().into();
    let asks = (1..=ENDPOINTS).map(move |port| Ask {
        order: u64::from(port),
        target: target.clone(),
        endpoint: Endpoint::new(SocketAddr::new(address, port), Transport::Tcp),
        payloads: Payloads::Generic,
    });
    let mut all = All { asks, rows: Vec::new() };
    let place = Place { is_own: &|_| false, is_first_hop: &|_| false };
    scan(&mut Plan::new(Settings::default()), &mut ScriptedNet::new(world), &place, &mut all);
    all.rows
}

fn plan(c: &mut Criterion) {
    let world = world();
    assert_eq!(scripted(world.clone()).len(), usize::from(ENDPOINTS));
    let mut group = c.benchmark_group("plan");
    group.sample_size(20).throughput(Throughput::Elements(ENDPOINTS.into()));
    group.bench_function("a scripted scan of 10,000 endpoints", |b| {
        b.iter_batched(|| world.clone(), scripted, BatchSize::LargeInput);
    });
    group.finish();
}

fn judging(c: &mut Criterion) {
    let observation = |attempt: u8, signal: Signal| Observation {
        attempt,
        sent: Moment::START,
        at: Moment::after_start(Duration::from_millis(u64::from(attempt) + 1)),
        rtt: None,
        repeated: false,
        signal,
    };
    let observations = [
        observation(0, Signal::Errno { errno: 113 }),
        observation(1, Signal::Refused),
        observation(2, Signal::Connected { reset: false }),
    ];
    let question = Question {
        endpoint: Endpoint::new(SocketAddr::from(([192, 0, 2, 1], 443)), Transport::Tcp),
        observations: &observations,
        cut_short: false,
        doubtful: false,
        sent: 3,
        first_sent: Moment::START,
        is_own: &|_| false,
    };
    c.bench_function("judge/three observations", |b| b.iter(|| judge(black_box(&question))));
}

fn targets(c: &mut Criterion) {
    let words = ["db.example:5432", "192.0.2.0/24", "[2001:db8::1]:1-1024,8080/tcp,53/udp", "22"];
    let words = words.map(str::to_owned);
    c.bench_function("target/four words", |b| b.iter(|| parse_words(black_box(&words))));
}

fn rendering(c: &mut Criterion) {
    let rows = scripted(world());
    let header = Header { started: jiff::Timestamp::UNIX_EPOCH, vantage: Vantage::default() };
    let footer = Footer {
        finished: jiff::Timestamp::UNIX_EPOCH,
        unresolved: Vec::new(),
        conclusions: Vec::new(),
        interrupted: false,
    };
    let mut group = c.benchmark_group("render");
    group.sample_size(20).throughput(Throughput::Elements(ENDPOINTS.into()));
    group.bench_function("10,000 rows as JSON lines", |b| {
        let write = |rows: Vec<Outcome>| {
            let style = Style::for_stdout(Some(false), false);
            let mut lines = renderer(Format::JsonLines, style, Box::new(std::io::sink()));
            lines.begin(&header).expect("a sink takes everything");
            for row in rows {
                lines.outcome(row).expect("a sink takes everything");
            }
            lines.end(&footer).expect("a sink takes everything");
        };
        b.iter_batched(|| rows.clone(), write, BatchSize::LargeInput);
    });
    group.finish();
}

fn dns() -> Guest {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-cache");
    let host = Host::new(HostOptions { cache: Some(cache), ..HostOptions::default() });
    let component = include_bytes!("../../../plugins/prebuilt/dns.wasm");
    host.load(component, Origin::BuiltIn).expect("the DNS plugin loads")
}

fn pure_half(c: &mut Criterion) {
    let guest = dns();
    let endpoint = Endpoint::new(SocketAddr::from(([192, 0, 2, 53], 53)), Transport::Udp);
    let payloads = || guest.payloads(&endpoint, "dns.example", 7, &[]).expect("payloads");
    let mut answer = payloads().swap_remove(0).bytes;
    player::answer(&mut answer);
    let judge =
        || guest.judge(&endpoint, "dns.example", 7, 0, 53, &answer, &[]).expect("a verdict");
    assert_eq!(judge().verdict, Verdict::Confirmed);
    c.bench_function("plugin/payloads", |b| b.iter(payloads));
    c.bench_function("plugin/judge", |b| b.iter(judge));
}

fn dialogue(c: &mut Criterion) {
    let guest = dns();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime starts");
    let peer = Peer {
        endpoint: Endpoint::new(SocketAddr::from(([192, 0, 2, 53], 53)), Transport::Tcp),
        target: "dns.example".into(),
        source: SourceBinding::default(),
        reply_from: ReplyFrom::SamePort,
        roots: Arc::new(Roots::default()),
    };
    let check = || {
        let job = CheckJob {
            peer: peer.clone(),
            stream: None,
            settings: Arc::default(),
            deadline: Duration::from_secs(5),
            player: Some(Arc::new(Mutex::new(NameServer::default()))),
            recorder: None,
        };
        runtime.block_on(guest.check(job))
    };
    let result = check();
    assert_eq!(result.conclusion.verdict, Verdict::Confirmed, "{result:?}");
    c.bench_function("plugin/a dialogue", |b| b.iter(check));
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    targets = plan, judging, targets, rendering, pure_half, dialogue
}
criterion_main!(benches);
