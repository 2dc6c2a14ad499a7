use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use crate::model::{
    Control, Endpoint, Handle, Moment, Observation, Payload, PayloadKind, Signal, Transport,
};

/// What to send to a UDP endpoint.
#[derive(Clone, Debug)]
pub enum Payloads {
    /// Nobody knows the port's protocol.
    Generic,
    /// A plugin's datagrams, in order of preference; never empty.
    Plugin(Arc<[Payload]>),
}

/// One endpoint to measure.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Place in the request.
    pub order: u64,
    /// The target as the user wrote it.
    pub target: Arc<str>,
    /// What to probe.
    pub endpoint: Endpoint,
    /// What to send, for UDP.
    pub payloads: Payloads,
}

/// What a generic probe sends to a UDP port whose protocol nobody knows: two
/// line ends, which text protocols answer, and an empty datagram, which the
/// rest ignore.
const GENERIC: [&[u8]; 2] = [b"\r\n\r\n", b""];

impl Ask {
    /// The datagram of attempt `nth`, and its index among the plugin's payloads.
    pub fn payload(&self, nth: u8) -> &[u8] {
        match (&self.payloads, self.endpoint.transport) {
            (_, Transport::Tcp) => b"",
            (Payloads::Generic, _) => GENERIC[usize::from(nth % 2)],
            (Payloads::Plugin(list), _) => list
                .get(usize::from(nth) % list.len().max(1))
                .map_or(b"", |payload| payload.bytes.as_slice()),
        }
    }

    /// Which of the plugin's payloads attempt `nth` carried.
    pub fn payload_index(&self, nth: u8) -> u32 {
        match &self.payloads {
            Payloads::Plugin(list) => u32::from(nth) % (list.len().max(1) as u32),
            Payloads::Generic => 0,
        }
    }

    /// What kind of bytes the endpoint is sent.
    pub fn payload_kind(&self) -> PayloadKind {
        match (&self.payloads, self.endpoint.transport) {
            (_, Transport::Tcp) => PayloadKind::None,
            (Payloads::Generic, _) => PayloadKind::Generic,
            (Payloads::Plugin(_), _) => PayloadKind::Plugin,
        }
    }
}

/// An endpoint that has been measured to the end.
#[derive(Clone, Debug)]
pub struct Finished {
    /// What was asked.
    pub ask: Ask,
    /// What came back.
    pub observations: Vec<Observation>,
    /// Attempts that left this machine.
    pub sent: u16,
    /// When the first attempt was made; the start of the run if none was.
    pub first_sent: Moment,
    /// Packets that left: attempts and the kernel's SYN retransmissions.
    pub packets: u16,
    /// Packets that went unanswered although a later one was answered.
    pub lost: u16,
    /// From the first packet to the end.
    pub over: Duration,
    /// Segments came in that answered nothing we sent.
    pub invalid_answer: bool,
    /// What the peer's control probes said, where silence needed grading.
    pub control: Option<Control>,
    /// The ICMP budget is in the way: ports of this peer left, time to prove them.
    pub budget: Option<(u32, Duration)>,
    /// Control ports of this peer are open as well.
    pub open_for_everything: bool,
    /// The run ended while it was still being asked.
    pub cut_short: bool,
    /// Not one attempt is sure to have left this machine.
    pub doubtful: bool,
    /// The key of the attempt that connected, for whoever holds its stream.
    pub connected: Option<u64>,
}

/// Why an entry is in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Somebody wants to know.
    Asked,
    /// A control probe of its peer.
    Control,
}

/// Where an entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Attempts are made and answers awaited.
    Probing,
    /// Silent, and graded well enough to be judged as soon as nothing else is going on.
    Provisional,
    /// Silent, waiting for a turn of the peer's ICMP budget.
    Proving,
    /// Proven open, held back until the peer is known not to be open for everything.
    Parked,
    /// Decided; attempts are being given up.
    Closing,
}

/// An endpoint under measurement.
#[derive(Debug)]
pub(super) struct Entry {
    pub generation: u32,
    pub purpose: Purpose,
    pub phase: Phase,
    pub ask: Ask,
    pub peer: u32,
    pub sent_at: SmallVec<[Moment; 3]>,
    pub listening: SmallVec<[(u8, Handle); 3]>,
    pub observations: Vec<Observation>,
    pub sent: u16,
    pub retransmits: u16,
    pub invalid_answer: bool,
    /// Attempts that may not have left.
    pub doubtful: u16,
    pub deadline: Moment,
    /// Due now, waiting in a queue to be sent or on its way out.
    pub queued: bool,
    /// The network was asked to send it and has not said what became of it.
    pub departing: bool,
    /// Counts against the peer's window.
    pub in_window: bool,
    /// The run ended while it was still being asked.
    pub cut_short: bool,
    /// Times this machine was too busy to send it.
    pub busy: u16,
    /// Attempts that a soft ICMP error answered.
    pub soft: u8,
    /// An earlier time than the schedule's for the next attempt.
    pub hasten: Option<Moment>,
    /// Rounds in which a control probe sent right after ours was answered.
    pub sandwiches: u8,
    /// Something arrived that says anything about the endpoint.
    pub heard: bool,
    /// The answered send time of the last of them.
    pub sandwiched: Option<Moment>,
    /// Attempts given up whose farewell is still to come.
    pub farewells: u16,
    pub budget: Option<(u32, Duration)>,
    pub connected: Option<u64>,
    pub lost: u16,
}

/// Observations kept of one endpoint. A peer that floods decides nothing by it.
const MAX_OBSERVATIONS: usize = 32;

impl Entry {
    pub fn first_sent(&self) -> Option<Moment> {
        self.sent_at.first().copied()
    }

    pub fn attempts(&self) -> u8 {
        self.sent_at.len().min(255) as u8
    }

    pub fn waited(&self, now: Moment) -> Duration {
        self.first_sent().map_or(Duration::ZERO, |first| now.since(first))
    }

    pub fn sent_time(&self, nth: u8) -> Moment {
        self.sent_at.get(usize::from(nth)).copied().unwrap_or_default()
    }

    pub fn observe(&mut self, observation: Observation) {
        if self.observations.len() < MAX_OBSERVATIONS {
            self.observations.push(observation);
        }
    }

    /// Attempts before the answered one that had far longer to be answered.
    pub fn lost_before(&self, answered: u8, at: Moment) -> u16 {
        let took = at.since(self.sent_time(answered));
        (0..answered)
            .filter(|nth| at.since(self.sent_time(*nth)) > took * 2)
            .filter(|nth| !self.observations.iter().any(|o| o.attempt == *nth))
            .count() as u16
    }

    pub fn into_finished(self, now: Moment, control: Option<Control>, open: bool) -> Finished {
        Finished {
            over: self.waited(now),
            sent: self.sent,
            first_sent: self.first_sent().unwrap_or_default(),
            packets: self.sent.saturating_add(self.retransmits),
            lost: self.lost,
            invalid_answer: self.invalid_answer,
            control,
            budget: self.budget,
            open_for_everything: open,
            cut_short: self.cut_short,
            doubtful: self.doubtful > 0 && self.doubtful == self.sent,
            connected: self.connected,
            observations: self.observations,
            ask: self.ask,
        }
    }
}

/// How much one signal settles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// The endpoint needs no further attempt.
    Conclusive,
    /// Believe it when it comes twice.
    Soft,
    /// Keep it and go on.
    Weak,
    /// It says nothing; try again at once.
    Void,
}

pub(super) fn weigh(signal: &Signal, endpoint: &Endpoint) -> Weight {
    match signal {
        Signal::Connected { .. } | Signal::Refused | Signal::Local { .. } => Weight::Conclusive,
        Signal::Answer { from, .. } => match from.ip().to_canonical() == endpoint.ip() {
            true => Weight::Conclusive,
            false => Weight::Weak,
        },
        Signal::Icmp(icmp) => match icmp.reason() {
            Some(reason) if reason.is_unreachable() => Weight::Soft,
            Some(_) => Weight::Conclusive,
            None => Weight::Weak,
        },
        // The kernel gave up: silence, which the deadline judges.
        Signal::Errno { errno: libc::ETIMEDOUT } => Weight::Weak,
        Signal::Errno { .. } => Weight::Soft,
        Signal::SelfConnect => Weight::Void,
    }
}
