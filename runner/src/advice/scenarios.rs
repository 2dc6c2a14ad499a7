//! Made-up cases: each rule speaks where it should, and nowhere else.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::{Advice, Context, MOST, Peer, RULES, advise};
use crate::model::sample::{
    at, checked, closed, closed_udp, icmp, open, outcome, prohibited, silent,
};
use crate::model::{
    Control, Finding, FindingValue, Health, Note, Outcome, PortState, Reason, Role, Rounds,
    Transport, Verdict,
};
use crate::vantage::{Listener, Listeners};
use Transport::{Tcp, Udp};

const TARGET: &str = "192.0.2.7";
const ROUTER: &str = "10.0.0.1";

/// What else is true besides the row.
#[derive(Default)]
pub(super) struct World {
    own: Vec<IpAddr>,
    listeners: Listeners,
    open: Vec<(u16, Transport)>,
    /// Another address of the same name, at which the port is open.
    other: Option<&'static str>,
    tcp: Peer,
}

impl World {
    /// The target is this machine, on which these listen.
    fn own(listeners: &[(Transport, &str)]) -> World {
        let listeners = listeners.iter().map(|(transport, bound)| {
            let bound: SocketAddr = bound.parse().unwrap();
            Listener { transport: *transport, bound, inode: 0 }
        });
        let own = vec![TARGET.parse().unwrap()];
        World { own, listeners: Listeners::of(listeners.collect()), ..World::default() }
    }

    /// So many TCP ports of the target were asked; those that answered are so, and the
    /// last of them has this place in the request (that of a row is its port).
    fn asked(open: u32, closed: u32, asked: u32, last_answered: u64) -> World {
        let lossless = open + closed;
        World { tcp: Peer { open, closed, lossless, asked, last_answered }, ..World::default() }
    }

    /// Other TCP ports of the target are so.
    fn tcp(open: u32, closed: u32) -> World {
        World::asked(open, closed, open + closed + 1, 443)
    }
}

/// The rules that apply, in their order, each with its sentence.
pub(super) fn applied(row: &Outcome, world: &World) -> Vec<(&'static str, Advice)> {
    let is_own = |ip: IpAddr| ip.is_loopback() || world.own.contains(&ip);
    let listeners = || &world.listeners;
    let is_open =
        |_: IpAddr, port: u16, transport: Transport| world.open.contains(&(port, transport));
    let context = Context {
        is_own: &is_own,
        listeners: &listeners,
        is_open: &is_open,
        open_address: &|_, _, _, ipv4| {
            world.other.map(|ip| ip.parse().unwrap()).filter(|ip: &IpAddr| ip.is_ipv4() == ipv4)
        },
        peer: &|_, transport| match transport {
            Tcp => world.tcp,
            Udp => Peer::default(),
        },
    };
    let applied: Vec<_> =
        RULES.iter().filter_map(|r| Some((r.name, (r.say)(row, &context)?))).collect();
    let shown: Vec<String> = applied.iter().take(MOST).map(|(_, said)| said.to_string()).collect();
    assert_eq!(advise(row, &context), shown);
    applied
}

fn unreachable(reason: Reason, code: (u8, u8), from: &str, role: Role) -> Outcome {
    icmp(outcome(443, Tcp, PortState::Filtered, reason), code, from, role)
}

fn unknown(reason: Reason) -> Outcome {
    outcome(443, Tcp, PortState::Unknown, reason)
}

fn limited(errno: i32) -> Outcome {
    let mut row = unknown(Reason::LocalLimit);
    row.evidence.errno = Some(errno);
    row
}

fn noted(mut row: Outcome, note: Note) -> Outcome {
    row.notes.push(note);
    row
}

fn with_certificate(days: i64, health: Health) -> Outcome {
    let mut row = checked(open(443), Verdict::Confirmed, health, "HTTP 200");
    let finding = Finding { name: "tls.days-left".into(), value: FindingValue::Integer(days) };
    row.check.as_mut().unwrap().conclusion.findings.push(finding);
    row
}

fn gateway(mut row: Outcome) -> Outcome {
    row.evidence.from_first_hop = true;
    row
}

/// A name that leads to the target.
fn named(row: Outcome) -> Outcome {
    at(row, "db.example", TARGET)
}

/// The last of several rounds, with how often each state was seen.
fn rounds(row: Outcome, states: &[(PortState, u32)], regular: bool) -> Outcome {
    let states = states.to_vec();
    let packets = (9, 6);
    noted(row, Note::Rounds(Rounds { states, rtt: None, packets, longest_failure: 1, regular }))
}

/// Answered after two packets were lost.
fn lossy(mut row: Outcome) -> Outcome {
    row.evidence.attempts = 3;
    noted(row, Note::Loss)
}

/// Every scenario: what is the case, the row, the rest of the world.
pub(super) fn scenarios() -> Vec<(&'static str, Outcome, World)> {
    let elsewhere = World::default;
    let budget = Note::IcmpBudgetSpent { left: 94, prove: std::time::Duration::from_secs(94) };
    let by_design = Note::SilentByDesign { service: Arc::from("syslog") };
    vec![
        ("own address, bound to loopback", closed(5432), World::own(&[(Tcp, "127.0.0.1:5432")])),
        ("own address, bound to another", closed(5432), World::own(&[(Tcp, "10.9.9.9:5432")])),
        ("own address, IPv6 only", closed(5432), World::own(&[(Tcp, "[::]:5432")])),
        ("own address, nothing there", closed(5432), World::own(&[(Tcp, "127.0.0.1:5433")])),
        ("own address, only UDP there", closed(53), World::own(&[(Udp, "0.0.0.0:53")])),
        ("own address, a listener", closed(5432), World::own(&[(Tcp, "0.0.0.0:5432")])),
        ("no IPv6 here", at(unknown(Reason::LocalNoRoute), "n", "2001:db8::7"), elsewhere()),
        ("no route here", unknown(Reason::LocalNoRoute), elsewhere()),
        ("own firewall", unknown(Reason::LocalDenied), elsewhere()),
        ("out of descriptors", limited(libc::EMFILE), elsewhere()),
        ("no room for packets", limited(libc::ENOBUFS), elsewhere()),
        ("silence, and the own table full", unknown(Reason::LocalLimit), elsewhere()),
        ("interrupted", unknown(Reason::Interrupted), elsewhere()),
        ("TCP asked, UDP open", closed(53), World { open: vec![(53, Udp)], ..elsewhere() }),
        ("UDP asked, TCP open", closed_udp(53), World { open: vec![(53, Tcp)], ..elsewhere() }),
        ("RST of a host elsewhere", closed(5432), elsewhere()),
        ("UDP port-unreachable of the target", closed_udp(514), elsewhere()),
        (
            "REJECT of the target",
            unreachable(Reason::PortUnreach, (3, 3), TARGET, Role::Target),
            elsewhere(),
        ),
        (
            "host-unreachable of the target",
            unreachable(Reason::HostUnreach, (3, 1), TARGET, Role::Target),
            elsewhere(),
        ),
        ("a router's rule", prohibited(5432, ROUTER, Role::Router), elsewhere()),
        ("the gateway's rule", gateway(prohibited(5432, ROUTER, Role::Router)), elsewhere()),
        (
            "one of two addresses is gone",
            named(unreachable(Reason::HostUnreach, (3, 1), ROUTER, Role::Router)),
            World { other: Some("192.0.2.8"), ..elsewhere() },
        ),
        (
            "one of two addresses is silent",
            named(silent(443, Tcp, None)),
            World { other: Some("192.0.2.8"), ..elsewhere() },
        ),
        (
            "the one address of a name is dark",
            named(silent(443, Tcp, Some(Control::Silent))),
            elsewhere(),
        ),
        (
            "no ARP answer",
            unreachable(Reason::HostUnreach, (3, 1), "10.0.0.9", Role::Own),
            elsewhere(),
        ),
        (
            "routing loop",
            unreachable(Reason::TimeExceeded, (11, 0), ROUTER, Role::Router),
            elsewhere(),
        ),
        (
            "host down behind a router",
            unreachable(Reason::HostUnreach, (3, 1), ROUTER, Role::Router),
            elsewhere(),
        ),
        (
            "no route at a router",
            unreachable(Reason::NetUnreach, (3, 0), ROUTER, Role::Router),
            elsewhere(),
        ),
        (
            "beyond scope",
            unreachable(Reason::BeyondScope, (1, 2), ROUTER, Role::Router),
            elsewhere(),
        ),
        ("ICMP budget spent", noted(silent(514, Udp, Some(Control::Silent)), budget), elsewhere()),
        ("TCP silence, control closed", silent(443, Tcp, Some(Control::Closed)), elsewhere()),
        ("TCP silence, control rejected", silent(443, Tcp, Some(Control::Rejected)), elsewhere()),
        (
            "UDP silence by design, control silent",
            noted(silent(514, Udp, Some(Control::Silent)), by_design.clone()),
            elsewhere(),
        ),
        (
            "UDP silence by design, control closed",
            noted(silent(514, Udp, Some(Control::Closed)), by_design),
            elsewhere(),
        ),
        ("UDP silence, control closed", silent(5000, Udp, Some(Control::Closed)), elsewhere()),
        ("TCP silence, control silent", silent(443, Tcp, Some(Control::Silent)), elsewhere()),
        (
            "TCP silence, control silent, many refused",
            silent(443, Tcp, Some(Control::Silent)),
            World::tcp(1, 40),
        ),
        (
            "TCP silence of all later ports, control closed",
            silent(443, Tcp, Some(Control::Closed)),
            World::asked(1, 40, 100, 442),
        ),
        (
            "TCP silence, control silent, another port open",
            silent(443, Tcp, Some(Control::Silent)),
            World::tcp(1, 0),
        ),
        (
            "UDP silence, control silent, TCP open",
            silent(5000, Udp, Some(Control::Silent)),
            World::tcp(1, 0),
        ),
        ("TCP silence, control open", silent(443, Tcp, Some(Control::Open)), elsewhere()),
        ("TCP silence, no controls", silent(443, Tcp, None), elsewhere()),
        ("everything open", noted(open(443), Note::OpenForEverything), elsewhere()),
        (
            "open in most rounds, regularly not",
            rounds(open(443), &[(PortState::Open, 6), (PortState::Filtered, 3)], true),
            elsewhere(),
        ),
        (
            "silent in some rounds",
            rounds(open(443), &[(PortState::Open, 6), (PortState::Filtered, 3)], false),
            elsewhere(),
        ),
        (
            "refused in some rounds",
            rounds(closed(443), &[(PortState::Open, 6), (PortState::Closed, 3)], false),
            elsewhere(),
        ),
        ("answered after losses, alone", lossy(open(443)), World::tcp(1, 40)),
        ("accepted and reset", noted(open(443), Note::ResetAfterHandshake), elsewhere()),
        (
            "another protocol",
            checked(open(5432), Verdict::Mismatch, Health::Unknown, "SSH"),
            elsewhere(),
        ),
        ("certificate expired", with_certificate(-9, Health::Degraded), elsewhere()),
        ("certificate expires soon", with_certificate(6, Health::Degraded), elsewhere()),
        (
            "service starting up",
            checked(open(5432), Verdict::Confirmed, Health::Unhealthy, "starting up"),
            elsewhere(),
        ),
    ]
}

#[test]
fn every_rule_speaks_in_its_scenario() {
    let mut text = String::new();
    for (title, row, world) in scenarios() {
        text += &format!("{title}\n");
        for (rule, said) in applied(&row, &world) {
            text += &format!("  {rule}: {said}\n");
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn no_rule_is_without_a_scenario() {
    let seen: BTreeSet<&str> = scenarios()
        .iter()
        .flat_map(|(_, row, world)| applied(row, world))
        .map(|(r, _)| r)
        .collect();
    let all: BTreeSet<&str> = RULES.iter().map(|r| r.name).collect();
    assert_eq!(all.len(), RULES.len(), "two rules share a name");
    assert_eq!(seen, all);
}

#[test]
fn every_row_that_is_not_fine_gets_advice() {
    for (title, row, world) in scenarios() {
        assert!(!applied(&row, &world).is_empty(), "{title}");
    }
    for reason in Reason::ALL {
        let from = if *reason == Reason::NoResponse { TARGET } else { ROUTER };
        let row = match reason {
            Reason::SynAck | Reason::UdpResponse | Reason::Reset => continue,
            Reason::NoResponse => silent(443, Tcp, None),
            Reason::Interrupted
            | Reason::LocalNoRoute
            | Reason::LocalDenied
            | Reason::LocalLimit => unknown(*reason),
            _ => unreachable(*reason, (3, 0), from, Role::Router),
        };
        assert!(!applied(&row, &World::default()).is_empty(), "{reason} has no advice");
    }
}

#[test]
fn a_fine_row_gets_none() {
    let healthy = checked(open(5432), Verdict::Confirmed, Health::Healthy, "ready");
    for row in [open(443), healthy, with_certificate(20, Health::Healthy)] {
        assert_eq!(applied(&row, &World::default()), []);
    }
}

#[test]
fn rules_say_no_more_than_the_evidence() {
    let said = |row: &Outcome, world: &World| -> Vec<&'static str> {
        applied(row, world).into_iter().map(|(name, _)| name).collect()
    };
    let elsewhere = World::default;
    let other = || World { other: Some("192.0.2.8"), ..World::default() };
    // A host that answers for other ports is not gone, and a refusal is an answer.
    let answers = World { other: Some("192.0.2.8"), ..World::tcp(1, 0) };
    let dark = || silent(443, Tcp, Some(Control::Silent));
    assert!(!said(&named(dark()), &answers).contains(&"stale-address"));
    assert!(!said(&named(closed(443)), &other()).contains(&"stale-address"));
    let dropped = named(silent(443, Tcp, Some(Control::Closed)));
    assert!(!said(&dropped, &other()).contains(&"stale-address"));
    // A broken family is told about the name, not about one address of it.
    let other_family = World { other: Some("2001:db8::8"), ..elsewhere() };
    for rule in ["stale-address", "may-have-moved"] {
        assert!(!said(&named(dark()), &other_family).contains(&rule));
    }
    // An address has no name that could be stale, and silence alone is no death.
    assert!(!said(&dark(), &elsewhere()).contains(&"may-have-moved"));
    assert!(!said(&named(silent(443, Tcp, None)), &elsewhere()).contains(&"may-have-moved"));
    assert!(said(&named(dark()), &elsewhere()).contains(&"may-have-moved"));
    // One silent port, or one among others that answer, is its rule's.
    let behind = silent(443, Tcp, Some(Control::Closed));
    assert_eq!(said(&behind, &World::asked(1, 40, 42, 442)), ["silent-port"]);
    assert_eq!(said(&behind, &World::asked(1, 40, 100, 444)), ["silent-port"]);
    // A default drop is no limit, and a few losses everywhere are no rule.
    assert!(!said(&dark(), &World::tcp(1, 4)).contains(&"went-silent"));
    assert!(!said(&dark(), &World::tcp(1, 0)).contains(&"dark-address"));
    assert_eq!(said(&lossy(open(443)), &World::tcp(1, 8)), Vec::<&str>::new());
    // What could not be measured is no failure, and steady rounds are none.
    let steady = [(PortState::Open, 6), (PortState::Unknown, 1)];
    assert_eq!(said(&rounds(open(443), &steady, false), &elsewhere()), Vec::<&str>::new());
}

#[test]
fn numbers_of_a_hostile_plugin_do_no_harm() {
    for days in [i64::MIN, -1, 0, i64::MAX] {
        applied(&with_certificate(days, Health::Unknown), &World::default());
    }
}
