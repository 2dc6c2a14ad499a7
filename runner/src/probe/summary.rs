use std::net::IpAddr;
use std::time::Duration;

use super::judge::{Judgement, Question, means_anything, role_of};
use crate::model::{Control, Endpoint, Evidence, Note, Observation, PayloadKind, Role, Signal};

/// What was measured of one endpoint, beyond the observations.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// Packets sent, the kernel's retransmissions included.
    pub packets: u16,
    /// Packets that went unanswered although a later one was answered.
    pub lost: u16,
    /// From the first packet to the verdict.
    pub over: Duration,
    /// Segments came in that answered nothing we sent.
    pub invalid_answer: bool,
    /// What the control probes said.
    pub control: Option<Control>,
    /// What was sent.
    pub payload: PayloadKind,
}

/// Puts the evidence of a judgement into the form of a report, with the
/// remarks a reader must know.
pub fn summarize(
    question: &Question<'_>,
    judgement: &Judgement,
    measured: &Measured,
    is_first_hop: &dyn Fn(IpAddr) -> bool,
) -> (Evidence, Option<Duration>, Vec<Note>) {
    let decisive = judgement.decisive.map(|index| &question.observations[index]);
    let sender = decisive.and_then(|o| sender(o, &question.endpoint));
    let role = sender.map(|ip| role_of(question, ip));
    let answered_attempts = answered(question);
    let evidence = Evidence {
        icmp: decisive.and_then(|o| match o.signal {
            Signal::Icmp(icmp) => Some(icmp),
            _ => None,
        }),
        from: sender,
        from_port: decisive.and_then(|o| answering_port(o, question.endpoint.port())),
        from_role: role,
        from_first_hop: role == Some(Role::Router) && sender.is_some_and(is_first_hop),
        errno: decisive.and_then(errno),
        attempts: measured.packets.max(answered_attempts),
        answered: answered_attempts,
        over: measured.over,
        control: measured.control,
        payload: measured.payload,
    };
    let rtt = decisive.filter(|o| is_from_network(&o.signal)).and_then(round_trip);
    (evidence, rtt, notes(question, judgement, measured, decisive))
}

fn notes(
    question: &Question<'_>,
    judgement: &Judgement,
    measured: &Measured,
    decisive: Option<&Observation>,
) -> Vec<Note> {
    let mut notes = Vec::new();
    match decisive.map(|o| &o.signal) {
        Some(Signal::Connected { reset: true }) => notes.push(Note::ResetAfterHandshake),
        Some(Signal::Answer { from, .. }) if from.port() != question.endpoint.port() => {
            notes.push(Note::AnswerFromOtherPort { port: from.port() });
        }
        _ => {}
    }
    let elsewhere = question.observations.iter().find_map(|o| match &o.signal {
        Signal::Answer { from, .. } => {
            Some(from.ip().to_canonical()).filter(|ip| *ip != question.endpoint.ip())
        }
        _ => None,
    });
    notes.extend(elsewhere.map(|address| Note::AnswerFromOtherAddress { address }));
    if let Some(other) = judgement.conflicting {
        notes.push(Note::Conflicting { other });
    }
    if measured.lost > 0 {
        notes.push(Note::Loss);
    }
    if measured.invalid_answer && judgement.decisive.is_none() {
        notes.push(Note::InvalidAnswer);
    }
    notes
}

/// Whose packet decided. A RST or SYN-ACK carries the endpoint's address.
fn sender(observation: &Observation, endpoint: &Endpoint) -> Option<IpAddr> {
    match &observation.signal {
        Signal::Connected { .. } | Signal::Refused => Some(endpoint.ip()),
        Signal::Answer { from, .. } => Some(from.ip().to_canonical()),
        Signal::Icmp(icmp) => Some(icmp.from.to_canonical()),
        Signal::Errno { .. } | Signal::Local { .. } | Signal::SelfConnect => None,
    }
}

fn answering_port(observation: &Observation, asked: u16) -> Option<u16> {
    match &observation.signal {
        Signal::Answer { from, .. } if from.port() != asked => Some(from.port()),
        _ => None,
    }
}

fn errno(observation: &Observation) -> Option<i32> {
    match &observation.signal {
        Signal::Refused => Some(libc::ECONNREFUSED),
        Signal::Connected { reset: true } => Some(libc::ECONNRESET),
        Signal::Icmp(icmp) => Some(icmp.errno),
        Signal::Errno { errno } | Signal::Local { errno } => Some(*errno),
        _ => None,
    }
}

fn is_from_network(signal: &Signal) -> bool {
    !matches!(signal, Signal::Local { .. } | Signal::SelfConnect)
}

fn round_trip(observation: &Observation) -> Option<Duration> {
    let since_sent = observation.at.since(observation.sent);
    observation.rtt.or((!observation.repeated).then_some(since_sent))
}

/// Attempts that something came back for which says anything of the endpoint.
fn answered(question: &Question<'_>) -> u16 {
    // A bit for each attempt.
    let mut seen = [0u64; 4];
    for observation in question.observations {
        if is_from_network(&observation.signal) && means_anything(question, observation) {
            seen[usize::from(observation.attempt / 64)] |= 1 << (observation.attempt % 64);
        }
    }
    seen.iter().map(|bits| bits.count_ones() as u16).sum()
}
