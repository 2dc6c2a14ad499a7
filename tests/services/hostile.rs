//! Every built-in plugin against peers that lie: none of them makes a plugin break a
//! rule, recognise what is not there, outlive its deadline or take memory.
//!
//! The plugins are asked for by `portscan plugin list`: a new one is in here at
//! once.

use std::process::Command;
use std::thread;

use crate::checked::{Check, TCP, UDP};
use crate::servers::odd::{OddPeer, OddTcp, OddUdp};
use crate::support::portscan::program;

/// Most memory of a run with one check, its plugin compiled in it included.
const MOST_MIB: u64 = 96;

/// Time of a check: whoever waits for a liar waits no longer.
const PATIENCE: &str = "1500ms";

/// The plugins with a default port over `transport`.
fn plugins(transport: &str) -> Vec<&'static str> {
    let listed = Command::new(program()).args(["plugin", "list"]).output().expect("it runs");
    let listed = String::from_utf8(listed.stdout).expect("it is text");
    let all = listed.leak().lines().filter(|line| line.contains(&format!("/{transport}")));
    let names: Vec<&str> = all.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.len() >= 5, "{names:?}");
    names
}

/// Runs checks at once; each is `what`, for the message.
fn all_at_once(checks: Vec<(String, Check)>) {
    // Not more than a machine of two cores compiles in time.
    for some in checks.in_pieces_of(12) {
        thread::scope(|scope| {
            for (what, check) in some {
                let run = move || {
                    let row = check.within(PATIENCE).run();
                    row.is("open").is_not_confirmed().took_at_most(MOST_MIB);
                    drop(what);
                };
                scope.spawn(run);
            }
        });
    }
}

/// Pieces of a vector, by value.
trait Chunks<T> {
    fn in_pieces_of(self, size: usize) -> Vec<Vec<T>>;
}

impl<T> Chunks<T> for Vec<T> {
    fn in_pieces_of(self, size: usize) -> Vec<Vec<T>> {
        let mut pieces: Vec<Vec<T>> = Vec::new();
        for item in self {
            match pieces.last_mut() {
                Some(piece) if piece.len() < size => piece.push(item),
                _ => pieces.push(vec![item]),
            }
        }
        pieces
    }
}

#[test]
fn no_plugin_is_fooled_by_an_odd_peer_over_tcp() {
    let peers: Vec<OddPeer> = OddTcp::ALL.into_iter().map(OddPeer::tcp).collect();
    let mut checks = Vec::new();
    for plugin in plugins(TCP) {
        for (peer, manners) in peers.iter().zip(OddTcp::ALL) {
            checks.push((format!("{plugin} {manners:?}"), Check::new(plugin, peer.place(), TCP)));
        }
    }
    all_at_once(checks);
}

#[test]
fn no_plugin_is_fooled_by_an_odd_peer_over_udp() {
    let answering: Vec<OddUdp> = OddUdp::ALL.into_iter().filter(|m| m.answers()).collect();
    let peers: Vec<OddPeer> = answering.iter().map(|manners| OddPeer::udp(*manners)).collect();
    let mut checks = Vec::new();
    for plugin in plugins(UDP) {
        for (peer, manners) in peers.iter().zip(&answering) {
            checks.push((format!("{plugin} {manners:?}"), Check::new(plugin, peer.place(), UDP)));
        }
    }
    all_at_once(checks);
}

/// TLS that is begun and never ended, in every way that a plugin begins it.
#[test]
fn a_handshake_that_never_ends_ends_the_check_and_nothing_else() {
    // Handshake records (RFC 8446 section 5.1) of a message that is never whole.
    const RECORDS: &[u8] = &[0x16, 3, 3, 0, 4, 2, 0xff, 0xff, 0xff];
    let peers = [
        OddPeer::tcp(OddTcp::Silent),
        OddPeer::tcp(OddTcp::SlowGarbage),
        OddPeer::tcp(OddTcp::Echo),
        OddPeer::lying(|_| Vec::new(), RECORDS),
        OddPeer::lying(|_| vec![0x16, 3, 3, 0x40, 0], b""),
        OddPeer::lying(|_| vec![0x15, 3, 3, 0, 2, 1, 0], &[0x15, 3, 3, 0, 2, 1, 0]),
    ];
    // PostgreSQL says `S` first: its TLS begins after that.
    let willing = [
        OddPeer::lying(|_| b"S".to_vec(), b""),
        OddPeer::lying(|_| b"S".to_vec(), RECORDS),
        OddPeer::lying(|_| [b"S", RECORDS].concat(), b""),
    ];
    let mut checks = Vec::new();
    for peer in &peers {
        for plugin in ["http", "redis"] {
            let check = Check::new(plugin, peer.place(), TCP).set("tls", "true");
            checks.push((format!("{plugin} over TLS"), check));
        }
    }
    for peer in &willing {
        checks.push(("postgres after S".into(), Check::new("postgres", peer.place(), TCP)));
    }
    all_at_once(checks);
}

/// What a liar makes of a question.
type Answer = fn(&[u8]) -> Vec<u8>;

/// What a liar says once, and then for ever.
type Lie = (&'static str, Answer, &'static [u8]);

/// Lengths that lie, answers without an end, nests without a floor: by protocol.
const OVER_TCP: &[Lie] = &[
    ("dns", |_| vec![0xff, 0xff, 0, 1, 2], b""),
    ("dns", |_| vec![0xff, 0xff], &[0xc0]),
    ("dns", |question| dns_loop(question.get(2..).unwrap_or_default(), true), b""),
    ("http", |_| b"HTTP/".to_vec(), b"1"),
    ("http", |_| b"HTTP/1.1 99999999999999999999 OK\r\n\r\n".to_vec(), b""),
    ("http", |_| b"\r\n".to_vec(), b"\r\n"),
    ("redis", |_| b"*1000000000\r\n".to_vec(), b"*1000000000\r\n"),
    ("redis", |_| b"$99999999999999999999\r\n".to_vec(), b"x"),
    ("redis", |_| b"-".to_vec(), b"A"),
    ("postgres", |_| vec![b'R', 0xff, 0xff, 0xff, 0xff], b""),
    ("postgres", |_| b"N".to_vec(), &[b'R', 0x7f, 0xff, 0xff, 0xff]),
    ("postgres", |_| b"N".to_vec(), b"E\0\0\0\x04"),
    ("postgres", |_| b"E".to_vec(), b"SFATAL\0"),
    ("ssh", |_| Vec::new(), b"a line that is none of SSH's\r\n"),
    ("ssh", |_| b"SSH-".to_vec(), b"2"),
];

const OVER_UDP: &[(&str, Answer)] = &[
    ("dns", |question| dns_loop(question, false)),
    ("mdns", |question| dns_loop(question, false)),
    ("netbios-ns", |question| dns_loop(question, false)),
    // A sequence in a sequence in a sequence, each of four gigabytes (X.690).
    ("snmp", |_| [0x30, 0x84, 0xff, 0xff, 0xff, 0xff].repeat(200)),
    ("snmp", |question| cut(question, 5, &[0x84, 0x7f, 0xff, 0xff, 0xff])),
    ("sip", |_| [b"SIP/2.0 200 OK\r\nVia: ".as_slice(), &[b'a'; 30_000]].concat()),
    ("ssdp", |_| [b"HTTP/1.1 200 OK\r\n".as_slice(), &[b'S'; 30_000]].concat()),
    ("memcached", |question| cut(question, 8, &b"STAT a b\r\n".repeat(3_000))),
    ("stun", |question| cut(question, 20, &[0, 1, 0xff, 0xff])),
    ("coap", |question| cut(question, 4, &[0xff; 100])),
    ("coap", |question| cut(question, 4, &[0xee; 1000])),
    ("quic", |_| vec![0x80, 0, 0, 0, 0, 0xff, 1, 2]),
    ("dtls", |_| {
        [&[0x16, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff], [3; 13].as_slice()].concat()
    }),
    ("tftp", |_| vec![0, 5, 0, 1]),
    ("rpcbind", |question| cut(question, 4, &[0, 0, 0, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff])),
    ("ipmi", |_| vec![6, 0, 0xff, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff]),
    ("mssql-browser", |_| [&[5, 0xff, 0xff], [b';'; 4000].as_slice()].concat()),
    ("ntp", |_| vec![0x24; 47]),
];

/// The beginning of the question, where ids are, and something else after it.
fn cut(question: &[u8], keep: usize, then: &[u8]) -> Vec<u8> {
    [&question[..keep.min(question.len())], then].concat()
}

/// An answer with our id, 65,535 records, and a name that points at itself (RFC 1035
/// section 4.1.4).
fn dns_loop(question: &[u8], with_length: bool) -> Vec<u8> {
    let id = question.get(..2).unwrap_or(&[0, 0]);
    let mut message = [id, &[0x84, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]].concat();
    message.extend([0xc0, 12].repeat(100));
    match with_length {
        true => [&(message.len() as u16).to_be_bytes()[..], &message].concat(),
        false => message,
    }
}

#[test]
fn lengths_that_lie_and_answers_without_an_end_are_survived_over_tcp() {
    let peers: Vec<(&str, OddPeer)> = OVER_TCP
        .iter()
        .map(|(plugin, answer, again)| (*plugin, OddPeer::lying(*answer, again)))
        .collect();
    let every = plugins(TCP);
    for plugin in &every {
        assert!(peers.iter().any(|(name, _)| name == plugin), "no lies for {plugin}");
    }
    let checks = peers
        .iter()
        .map(|(plugin, peer)| ((*plugin).to_owned(), Check::new(plugin, peer.place(), TCP)));
    all_at_once(checks.collect());
}

#[test]
fn lengths_that_lie_and_nests_without_a_floor_are_survived_over_udp() {
    let peers: Vec<(&str, OddPeer)> =
        OVER_UDP.iter().map(|(plugin, answer)| (*plugin, OddPeer::lying_udp(*answer))).collect();
    for plugin in plugins(UDP) {
        assert!(peers.iter().any(|(name, _)| *name == plugin), "no lies for {plugin}");
    }
    let checks = peers
        .iter()
        .map(|(plugin, peer)| ((*plugin).to_owned(), Check::new(plugin, peer.place(), UDP)));
    all_at_once(checks.collect());
}
