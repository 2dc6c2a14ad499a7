//! Packets that nobody should believe, beside odd ones that are true.
//!
//! The wire answers for an address that does not exist; each port of it lies
//! in its own way. What the kernel of the prober must not accept, portscan
//! must not report.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::support::forge::{self, Checksum, Segment, icmp_error};
use crate::support::packet::{ACK, FIN, Family, Packet, RST, SYN, TCP, UDP};
use crate::support::trial::{Expectation, Transport, Trial};
use crate::support::wire::{Outlet, Way};
use crate::support::world::{FAR, Routed, address};

/// The address that the wire answers for.
const LIAR: u8 = 66;
/// Networks of a router and a stranger that exist only as senders.
const ROUTER: u8 = 8;
const STRANGER: u8 = 200;
/// Our side's first sequence number in forged handshakes.
const ISN: u32 = 0x1000_0000;

/// One port's way to answer a probe: the `nth` one, counted from 1.
type Lie = fn(&Probe<'_>, u32, &mut Outlet);

/// A lie, and what is right to say about the port.
struct Case {
    transport: Transport,
    port: u16,
    fact: &'static str,
    lie: Lie,
    right: fn(&mut Expectation, Family),
}

const NOW: Duration = Duration::ZERO;

/// A probe as the wire sees it, with the tools to answer it.
struct Probe<'a> {
    packet: &'a Packet,
    /// The prober's socket.
    us: SocketAddr,
    /// The endpoint that was asked.
    asked: SocketAddr,
}

impl Probe<'_> {
    fn router(&self) -> IpAddr {
        address(self.packet.family, ROUTER, 1)
    }

    fn stranger(&self) -> IpAddr {
        address(self.packet.family, STRANGER, 66)
    }

    /// A TCP segment from the endpoint, or from another port of it.
    fn segment(&self, port: u16, flags: u8, sequence: u32, acknowledged: u32) -> Vec<u8> {
        self.segment_with(port, flags, sequence, acknowledged, Checksum::Right)
    }

    fn segment_with(
        &self,
        port: u16,
        flags: u8,
        sequence: u32,
        acknowledgement: u32,
        sum: Checksum,
    ) -> Vec<u8> {
        let source = SocketAddr::new(self.asked.ip(), port);
        let segment = Segment { flags, sequence, acknowledgement, window: 64240 };
        forge::tcp(source, self.us, segment, sum)
    }

    /// The SYN-ACK that a real peer would send.
    fn syn_ack(&self) -> Vec<u8> {
        self.segment(self.asked.port(), SYN | ACK, ISN, self.packet.sequence().wrapping_add(1))
    }

    /// The RST that a real peer would send.
    fn reset(&self) -> Vec<u8> {
        self.segment(self.asked.port(), RST | ACK, 0, self.packet.sequence().wrapping_add(1))
    }

    /// A datagram from a socket of the liar's choice.
    fn datagram(&self, from: SocketAddr) -> Vec<u8> {
        forge::udp(from, self.us, b"hello", Checksum::Right)
    }

    /// An ICMP error about the probe. Type and code of either family.
    fn icmp(&self, from: IpAddr, v4: (u8, u8), v6: (u8, u8)) -> Vec<u8> {
        self.icmp_about(from, v4, v6, &self.packet.bytes)
    }

    fn icmp_about(&self, from: IpAddr, v4: (u8, u8), v6: (u8, u8), quote: &[u8]) -> Vec<u8> {
        let (kind, code) = if self.packet.family == Family::V4 { v4 } else { v6 };
        icmp_error(from, self.us.ip(), kind, code, 0, quote)
    }

    /// "Administratively prohibited" from the router.
    fn prohibited(&self) -> Vec<u8> {
        self.icmp(self.router(), (3, 13), (1, 1))
    }

    /// The probe's bytes with `change` made to its transport header.
    fn quote_with(&self, change: fn(&mut [u8])) -> Vec<u8> {
        let mut bytes = self.packet.bytes.clone();
        change(&mut bytes[self.packet.family.header_len()..]);
        bytes
    }

    /// Only what an old router quotes: the IP header and eight bytes (RFC 792).
    fn short_quote(&self) -> Vec<u8> {
        self.packet.bytes[..self.packet.family.header_len() + 8].to_vec()
    }
}

fn is_silence(row: &mut Expectation, _: Family) {
    row.is_silent();
}

fn is_open(row: &mut Expectation, _: Family) {
    row.is("open").because(&["syn-ack", "udp-response"]);
}

fn is_closed_by_reset(row: &mut Expectation, _: Family) {
    row.is("closed").because(&["reset"]);
}

fn is_prohibited(row: &mut Expectation, family: Family) {
    let (kind, code) = if family == Family::V4 { (3, 13) } else { (1, 1) };
    row.is("filtered")
        .because(&["admin-prohibited"])
        .icmp(kind, code)
        .from(address(family, ROUTER, 1), "router");
}

fn is_prohibited_by_a_stranger(row: &mut Expectation, family: Family) {
    is_prohibited(row, family);
    row.from(address(family, STRANGER, 66), "router");
}

fn is_closed_by_icmp(row: &mut Expectation, family: Family) {
    let (kind, code) = if family == Family::V4 { (3, 3) } else { (1, 4) };
    row.is("closed")
        .because(&["port-unreach"])
        .icmp(kind, code)
        .from(address(family, FAR, LIAR), "target");
}

fn is_time_exceeded(row: &mut Expectation, family: Family) {
    let (kind, code) = if family == Family::V4 { (11, 0) } else { (3, 0) };
    row.is("filtered")
        .because(&["time-exceeded"])
        .icmp(kind, code)
        .from(address(family, ROUTER, 1), "router");
}

fn is_param_problem(row: &mut Expectation, family: Family) {
    let (kind, code) = if family == Family::V4 { (12, 0) } else { (4, 1) };
    row.is("filtered")
        .because(&["param-problem"])
        .icmp(kind, code)
        .from(address(family, ROUTER, 1), "router");
}

/// The IPv4 stack keeps these to itself, the IPv6 stack passes them on.
fn is_silence_or(reason: &'static str) -> impl Fn(&mut Expectation, Family) {
    move |row, family| {
        row.is("filtered");
        match family {
            Family::V4 => row.because(&["no-response", reason]),
            Family::V6 => row.because(&[reason]),
        };
    }
}

const TCP_LIES: &[Case] = &[
    tcp(5001, "SYN-ACK that acknowledges another number", is_silence, |probe, _, out| {
        let wrong = probe.packet.sequence().wrapping_add(77_777);
        out.answer_after(NOW, probe.segment(probe.asked.port(), SYN | ACK, ISN, wrong));
    }),
    tcp(5002, "RST that acknowledges another number", is_silence, |probe, _, out| {
        let wrong = probe.packet.sequence().wrapping_add(77_777);
        out.answer_after(NOW, probe.segment(probe.asked.port(), RST | ACK, 0, wrong));
    }),
    tcp(5003, "ICMP about another source port of ours", is_silence, |probe, _, out| {
        let quote = probe.quote_with(|header| header[0] ^= 0x55);
        out.answer_after(NOW, probe.icmp_about(probe.router(), (3, 13), (1, 1), &quote));
    }),
    tcp(5004, "ICMP about another sequence number", is_silence, |probe, _, out| {
        let quote = probe.quote_with(|header| header[4] ^= 0x40);
        out.answer_after(NOW, probe.icmp_about(probe.router(), (3, 13), (1, 1), &quote));
    }),
    tcp(5005, "ICMP about another port of the target", is_silence, |probe, _, out| {
        let quote = probe.quote_with(|header| header[3] ^= 0x01);
        out.answer_after(NOW, probe.icmp_about(probe.router(), (3, 13), (1, 1), &quote));
    }),
    tcp(5006, "a stranger's ICMP about our SYN", is_prohibited_by_a_stranger, |probe, _, out| {
        out.answer_after(NOW, probe.icmp(probe.stranger(), (3, 13), (1, 1)));
    }),
    tcp(5007, "fragmentation needed, packet too big", is_silence, |probe, _, out| {
        let (kind, code) = if probe.packet.family == Family::V4 { (3, 4) } else { (2, 0) };
        let quote = &probe.packet.bytes;
        out.answer_after(NOW, icmp_error(probe.router(), probe.us.ip(), kind, code, 1280, quote));
    }),
    tcp(5008, "time exceeded", is_time_exceeded, |probe, _, out| {
        out.answer_after(NOW, probe.icmp(probe.router(), (11, 0), (3, 0)));
    }),
    tcp(5009, "reassembly time exceeded", is_reassembly_exceeded, |probe, _, out| {
        out.answer_after(NOW, probe.icmp(probe.asked.ip(), (11, 1), (3, 1)));
    }),
    tcp(5010, "parameter problem", is_param_problem, |probe, _, out| {
        out.answer_after(NOW, probe.icmp(probe.router(), (12, 0), (4, 1)));
    }),
    tcp(5011, "an unreachable code that nobody assigned", is_unknown_code, |probe, _, out| {
        out.answer_after(NOW, probe.icmp(probe.router(), (3, 99), (1, 99)));
    }),
    tcp(5012, "prohibited, 1.5 s late", is_prohibited, |probe, _, out| {
        out.answer_after(Duration::from_millis(1500), probe.prohibited());
    }),
    tcp(5013, "prohibited, quoting eight bytes", is_prohibited, |probe, _, out| {
        let quote = probe.short_quote();
        out.answer_after(NOW, probe.icmp_about(probe.router(), (3, 13), (1, 1), &quote));
    }),
    tcp(5014, "RST to the first SYN only, 2.5 s late", is_closed_by_reset, |probe, nth, out| {
        if nth == 1 {
            out.answer_after(Duration::from_millis(2500), probe.reset());
        }
    }),
    tcp(5015, "SYN-ACK to the first SYN only, 2.5 s late", is_open, |probe, nth, out| {
        if nth == 1 {
            out.answer_after(Duration::from_millis(2500), probe.syn_ack());
        }
    }),
    tcp(5016, "SYN-ACK and RST in one breath", is_open, |probe, _, out| {
        out.answer_after(NOW, probe.syn_ack());
        let next = probe.packet.sequence().wrapping_add(1);
        out.answer_after(NOW, probe.segment(probe.asked.port(), RST | ACK, ISN + 1, next));
    }),
    tcp(5017, "host unreachable once, then SYN-ACK", is_open, |probe, nth, out| {
        out.answer_after(
            NOW,
            if nth == 1 { probe.icmp(probe.router(), (3, 1), (1, 3)) } else { probe.syn_ack() },
        );
    }),
    tcp(5018, "SYN-ACK from another port", is_silence, |probe, _, out| {
        let next = probe.packet.sequence().wrapping_add(1);
        out.answer_after(NOW, probe.segment(probe.asked.port() + 1000, SYN | ACK, ISN, next));
    }),
    tcp(5019, "SYN-ACK with a wrong checksum", is_silence, |probe, _, out| {
        let (port, next) = (probe.asked.port(), probe.packet.sequence().wrapping_add(1));
        out.answer_after(NOW, probe.segment_with(port, SYN | ACK, ISN, next, Checksum::Wrong));
    }),
    tcp(5020, "RST with a wrong checksum", is_silence, |probe, _, out| {
        let (port, next) = (probe.asked.port(), probe.packet.sequence().wrapping_add(1));
        out.answer_after(NOW, probe.segment_with(port, RST | ACK, 0, next, Checksum::Wrong));
    }),
    tcp(5021, "foreign ICMP first, then SYN-ACK", is_open, |probe, _, out| {
        let quote = probe.quote_with(|header| header[0] ^= 0x55);
        out.answer_after(NOW, probe.icmp_about(probe.router(), (3, 13), (1, 1), &quote));
        out.answer_after(NOW, probe.syn_ack());
    }),
    tcp(5022, "SYN instead of SYN-ACK, as RFC 9293 allows", is_open, |probe, _, out| {
        out.answer_after(NOW, probe.segment(probe.asked.port(), SYN, ISN, 0));
    }),
];

const UDP_LIES: &[Case] = &[
    udp(5003, "ICMP about another source port of ours", is_silence, |probe, _, out| {
        let quote = probe.quote_with(|header| header[0] ^= 0x55);
        out.answer_after(NOW, probe.icmp_about(probe.asked.ip(), (3, 3), (1, 4), &quote));
    }),
    udp(5005, "ICMP about another port of the target", is_silence, |probe, _, out| {
        let quote = probe.quote_with(|header| header[3] ^= 0x01);
        out.answer_after(NOW, probe.icmp_about(probe.asked.ip(), (3, 3), (1, 4), &quote));
    }),
    udp(
        5006,
        "a stranger's ICMP about our datagram",
        is_prohibited_by_a_stranger,
        |probe, _, out| {
            out.answer_after(NOW, probe.icmp(probe.stranger(), (3, 13), (1, 1)));
        },
    ),
    udp(5023, "port unreachable from a stranger", is_refused_by_a_stranger, |probe, _, out| {
        out.answer_after(NOW, probe.icmp(probe.stranger(), (3, 3), (1, 4)));
    }),
    udp(5008, "time exceeded", is_time_exceeded, |probe, _, out| {
        out.answer_after(NOW, probe.icmp(probe.router(), (11, 0), (3, 0)));
    }),
    udp(5010, "parameter problem", is_param_problem, |probe, _, out| {
        out.answer_after(NOW, probe.icmp(probe.router(), (12, 0), (4, 1)));
    }),
    udp(5012, "port unreachable, 1.5 s late", is_closed_by_icmp, |probe, _, out| {
        let late = Duration::from_millis(1500);
        out.answer_after(late, probe.icmp(probe.asked.ip(), (3, 3), (1, 4)));
    }),
    udp(5013, "port unreachable, quoting eight bytes", is_closed_by_icmp, |probe, _, out| {
        let quote = probe.short_quote();
        out.answer_after(NOW, probe.icmp_about(probe.asked.ip(), (3, 3), (1, 4), &quote));
    }),
    udp(5014, "an answer to the first datagram only, 2.5 s late", is_open, |probe, nth, out| {
        if nth == 1 {
            out.answer_after(Duration::from_millis(2500), probe.datagram(probe.asked));
        }
    }),
    udp(5017, "host unreachable once, then an answer", is_open, |probe, nth, out| {
        out.answer_after(
            NOW,
            if nth == 1 {
                probe.icmp(probe.router(), (3, 1), (1, 3))
            } else {
                probe.datagram(probe.asked)
            },
        );
    }),
    udp(5019, "an answer with a wrong checksum", is_silence, |probe, _, out| {
        out.answer_after(NOW, forge::udp(probe.asked, probe.us, b"hello", Checksum::Wrong));
    }),
    udp(5021, "foreign ICMP first, then an answer", is_open, |probe, _, out| {
        let quote = probe.quote_with(|header| header[0] ^= 0x55);
        out.answer_after(NOW, probe.icmp_about(probe.asked.ip(), (3, 3), (1, 4), &quote));
        out.answer_after(NOW, probe.datagram(probe.asked));
    }),
    udp(5024, "an answer to a port that we did not ask from", is_silence, |probe, _, out| {
        let wrong = SocketAddr::new(probe.us.ip(), 9);
        out.answer_after(NOW, forge::udp(probe.asked, wrong, b"hello", Checksum::Right));
    }),
];

const fn tcp(port: u16, fact: &'static str, right: fn(&mut Expectation, Family), lie: Lie) -> Case {
    Case { transport: Transport::Tcp, port, fact, lie, right }
}

const fn udp(port: u16, fact: &'static str, right: fn(&mut Expectation, Family), lie: Lie) -> Case {
    Case { transport: Transport::Udp, port, fact, lie, right }
}

fn is_reassembly_exceeded(row: &mut Expectation, family: Family) {
    is_silence_or("reassembly-exceeded")(row, family);
}

fn is_unknown_code(row: &mut Expectation, family: Family) {
    is_silence_or("dest-unreach")(row, family);
}

fn is_refused_by_a_stranger(row: &mut Expectation, family: Family) {
    is_closed_by_icmp(row, family);
    row.is("filtered").from(address(family, STRANGER, 66), "router");
}

/// The wire: packets to the liar end here and are answered by its table.
fn course() -> impl FnMut(&Packet, Way, &mut Outlet) + Send {
    let mut asked_before: HashMap<(u8, SocketAddr), u32> = HashMap::new();
    move |packet, way, outlet| {
        let is_for_liar = packet.target == address(packet.family, FAR, LIAR);
        let sockets = packet.source_socket().zip(packet.target_socket());
        let (true, Way::Out, Some((us, asked))) = (is_for_liar, way, sockets) else {
            return outlet.forward(packet);
        };
        let (is_probe, cases) = match packet.protocol {
            TCP => (packet.is_syn(), TCP_LIES),
            UDP => (true, UDP_LIES),
            _ => return,
        };
        if !is_probe {
            return finish_politely(&Probe { packet, us, asked }, outlet);
        }
        let Some(case) = cases.iter().find(|case| case.port == asked.port()) else { return };
        let nth = asked_before.entry((packet.protocol, asked)).or_default();
        *nth += 1;
        (case.lie)(&Probe { packet, us, asked }, *nth, outlet);
    }
}

/// Later segments of a forged connection: a FIN is reset, and a SYN-ACK of
/// ours (the answer to a bare SYN) is acknowledged.
fn finish_politely(probe: &Probe<'_>, outlet: &mut Outlet) {
    let flags = probe.packet.flags().unwrap_or(0);
    let port = probe.asked.port();
    if flags & (SYN | ACK) == SYN | ACK {
        let next = probe.packet.sequence().wrapping_add(1);
        outlet.answer_after(NOW, probe.segment(port, ACK, ISN + 1, next));
    } else if flags & (FIN | RST) == FIN {
        let sequence = probe.packet.acknowledgement();
        outlet.answer_after(NOW, probe.segment(port, RST, sequence, 0));
    }
}

#[test]
fn lies_are_not_believed_and_odd_truths_are() {
    let Some(Routed { world, peer: _peer, .. }) = Routed::new(&[10], Box::new(course())) else {
        return;
    };
    let mut trial = Trial::new(&world);
    for family in Family::BOTH {
        let ip = address(family, FAR, LIAR);
        for case in TCP_LIES.iter().chain(UDP_LIES) {
            (case.right)(trial.expect(case.transport, ip, case.port, case.fact), family);
        }
    }
    trial.run();
}
