//! The truth about one endpoint, and where a row or the world differs from it.

use std::fmt::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use serde_json::Value;

use super::packet::{TCP, UDP};
use super::witness::{self, Sighting};

/// The two transports, as they are written after the slash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Tcp,
    Udp,
}

impl Transport {
    /// Every scenario that can be is made in both.
    pub const BOTH: [Transport; 2] = [Transport::Tcp, Transport::Udp];

    /// The printed name.
    pub fn name(self) -> &'static str {
        match self {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        }
    }

    /// The protocol number.
    pub fn protocol(self) -> u8 {
        match self {
            Transport::Tcp => TCP,
            Transport::Udp => UDP,
        }
    }
}

/// The truth about one endpoint and what portscan must say about it. What is
/// not set is not asked.
#[derive(Clone, Debug)]
pub struct Expectation {
    fact: String,
    transport: Transport,
    socket: SocketAddr,
    written: String,
    states: Vec<&'static str>,
    reasons: Vec<&'static str>,
    icmp: Option<(u8, u8)>,
    from: Option<IpAddr>,
    role: Option<&'static str>,
    rtt_ms: Option<RangeInclusive<f64>>,
    attempts: Option<RangeInclusive<u64>>,
    note: Option<&'static str>,
    also: Vec<(&'static str, Value)>,
    own_packets: bool,
}

impl Expectation {
    /// An endpoint about which nothing is asked yet. `fact` says what is there.
    pub fn new(transport: Transport, socket: SocketAddr, fact: String) -> Expectation {
        Expectation {
            fact,
            transport,
            socket,
            written: format!("{socket}/{}", transport.name()),
            states: Vec::new(),
            reasons: Vec::new(),
            icmp: None,
            from: None,
            role: None,
            rtt_ms: None,
            attempts: None,
            note: None,
            also: Vec::new(),
            own_packets: true,
        }
    }

    /// The state that is right.
    pub fn is(&mut self, state: &'static str) -> &mut Self {
        self.states = vec![state];
        self
    }

    /// The states that are right, where an outsider cannot tell them apart.
    pub fn is_one_of(&mut self, states: &[&'static str]) -> &mut Self {
        self.states = states.to_vec();
        self
    }

    /// The reasons that are right.
    pub fn because(&mut self, reasons: &[&'static str]) -> &mut Self {
        self.reasons = reasons.to_vec();
        self
    }

    /// Nothing came back: the state that this leaves open, and the reason.
    pub fn is_silent(&mut self) -> &mut Self {
        let state = if self.transport == Transport::Tcp { "filtered" } else { "open|filtered" };
        self.is(state).because(&["no-response"])
    }

    /// The ICMP error that must be shown as evidence.
    pub fn icmp(&mut self, kind: u8, code: u8) -> &mut Self {
        self.icmp = Some((kind, code));
        self
    }

    /// Who must be named as the sender of the evidence, and as whom.
    pub fn from(&mut self, sender: IpAddr, role: &'static str) -> &mut Self {
        self.from = Some(sender);
        self.role = Some(role);
        self
    }

    /// Where the RTT must lie.
    pub fn rtt_ms(&mut self, range: RangeInclusive<f64>) -> &mut Self {
        self.rtt_ms = Some(range);
        self
    }

    /// How many attempts must be stated.
    pub fn attempts(&mut self, range: RangeInclusive<u64>) -> &mut Self {
        self.attempts = Some(range);
        self
    }

    /// Words (in lower case) that one of the notes must have.
    pub fn noted(&mut self, words: &'static str) -> &mut Self {
        self.note = Some(words);
        self
    }

    /// Another value that the row must have, at this JSON pointer.
    pub fn also(&mut self, pointer: &'static str, value: impl Into<Value>) -> &mut Self {
        self.also.push((pointer, value.into()));
        self
    }

    /// How the target is written, when not as address and port.
    pub fn written(&mut self, target: impl Into<String>) -> &mut Self {
        self.written = target.into();
        self
    }

    /// The world does not keep this endpoint's packets apart (it is probed
    /// under another address, or nothing leaves): do not ask the witness.
    pub fn unwitnessed(&mut self) -> &mut Self {
        self.own_packets = false;
        self
    }
}

impl Expectation {
    /// How the target is written.
    pub fn target(&self) -> &str {
        &self.written
    }

    /// What the witness knows the endpoint by.
    pub fn endpoint(&self) -> (u8, SocketAddr) {
        (self.transport.protocol(), self.socket)
    }

    /// Whether a row of the report is about this endpoint.
    pub fn is_row(&self, row: &Value) -> bool {
        // A zone is told by the target as written; the row's address may carry it.
        let address = row["address"].as_str().unwrap_or_default().split('%').next();
        address.and_then(|text| text.parse().ok()) == Some(self.socket.ip())
            && row["port"] == self.socket.port()
            && row["transport"] == self.transport.name()
    }

    /// Where the row is wrong.
    ///
    /// # Panics
    /// When the expectation asks for no state: it would prove nothing.
    pub fn complaints(&self, row: &Value, sightings: &[Sighting]) -> Vec<String> {
        assert!(!self.states.is_empty(), "{}: no state is asked for", self.written);
        let mut complaints = Complaints::default();
        self.hold_verdict(row, &mut complaints);
        self.hold_sender(&row["evidence"], &mut complaints);
        self.hold_round_trip(row, &mut complaints);
        self.hold_counts(row, sightings, &mut complaints);
        self.hold_notes(row, &mut complaints);
        for (pointer, value) in &self.also {
            let said = row.pointer(pointer).unwrap_or(&Value::Null);
            complaints.unless(said == value, pointer, said, value);
        }
        complaints.list
    }

    fn hold_verdict(&self, row: &Value, complaints: &mut Complaints) {
        for (what, wanted) in [("state", &self.states), ("reason", &self.reasons)] {
            let said = row[what].as_str().unwrap_or_default();
            let right = wanted.is_empty() || wanted.contains(&said);
            complaints.unless(right, what, &row[what], wanted.join(" or "));
        }
    }

    fn hold_sender(&self, evidence: &Value, complaints: &mut Complaints) {
        let icmp = &evidence["icmp"];
        match self.icmp {
            Some((kind, code)) => {
                let right = icmp["type"] == kind && icmp["code"] == code;
                complaints.unless(right, "icmp", icmp, format!("{kind}/{code}"));
            }
            None => complaints.unless(icmp.is_null() || !self.is_plain(), "icmp", icmp, "none"),
        }
        if let Some(from) = self.from {
            let said = evidence["from"].as_str().and_then(|text| text.parse::<IpAddr>().ok());
            complaints.unless(said == Some(from), "from", &evidence["from"], from);
        }
        if let Some(role) = self.role {
            let said = &evidence["from_role"];
            complaints.unless(said == role, "from_role", said, role);
        }
    }

    fn hold_round_trip(&self, row: &Value, complaints: &mut Complaints) {
        let rtt = &row["rtt_ms"];
        if let Some(range) = &self.rtt_ms {
            let right = rtt.as_f64().is_some_and(|ms| range.contains(&ms));
            complaints.unless(right, "rtt_ms", rtt, format!("{range:?}"));
        }
        if row["reason"] == "no-response" {
            complaints.unless(rtt.is_null(), "rtt_ms", rtt, "null, for nothing came back");
        }
    }

    /// Attempts are counted as they left and answers never exceed them.
    fn hold_counts(&self, row: &Value, sightings: &[Sighting], complaints: &mut Complaints) {
        let (attempts, answered) = (&row["evidence"]["attempts"], &row["evidence"]["answered"]);
        let attempted = attempts.as_u64().unwrap_or(0);
        if let Some(range) = &self.attempts {
            let right = range.contains(&attempted);
            complaints.unless(right, "attempts", attempts, format!("{range:?}"));
        }
        if !self.own_packets {
            return;
        }
        let left = witness::probes(sightings) as u64;
        // A SYN may be repeated by the kernel between the verdict and the close.
        let slack = u64::from(self.transport == Transport::Tcp);
        let right = attempted <= left && left <= attempted + slack;
        complaints.unless(right, "attempts", attempts, format!("the {left} that left"));
        let silent = row["reason"] == "no-response";
        let range = if silent { 0..=0 } else { 1..=attempted };
        let right = answered.as_u64().is_some_and(|count| range.contains(&count));
        complaints.unless(right, "answered", answered, format!("{range:?}"));
    }

    fn hold_notes(&self, row: &Value, complaints: &mut Complaints) {
        let Some(words) = self.note else { return };
        let notes = row["notes"].as_array().map_or(&[][..], Vec::as_slice);
        let has_words =
            |note: &Value| note.as_str().is_some_and(|text| text.to_lowercase().contains(words));
        let right = notes.iter().any(has_words);
        complaints.unless(right, "notes", &row["notes"], format!("one with \"{words}\""));
    }

    /// A state that needs no ICMP error: one in the evidence would be a lie.
    fn is_plain(&self) -> bool {
        matches!(self.reasons[..], ["syn-ack" | "reset" | "udp-response" | "no-response"])
    }

    /// Where the world itself is not as the expectation says.
    pub fn doubts(&self, sightings: &[Sighting]) -> Vec<String> {
        if !self.own_packets {
            return Vec::new();
        }
        let mut doubts = Vec::new();
        let mut doubt = |kept: bool, what: &str| {
            if !kept {
                doubts.push(format!("world: {what}"));
            }
        };
        doubt(witness::probes(sightings) > 0, "no probe of this endpoint left the prober");
        match (self.reasons.as_slice(), self.icmp, self.from) {
            (_, Some((kind, code)), Some(from)) => {
                let sent = witness::has_icmp(sightings, kind, code, from);
                doubt(sent, "the ICMP error did not reach the prober");
            }
            (["syn-ack"], ..) => doubt(witness::has_syn_ack(sightings), "no SYN-ACK came"),
            (["reset"], ..) => doubt(witness::has_reset(sightings), "no RST came"),
            _ => {}
        }
        doubts
    }

    /// Writes the whole story of this endpoint.
    pub fn tell(
        &self,
        story: &mut String,
        complaints: &[String],
        rows: &[&Value],
        sightings: &[Sighting],
    ) {
        let _ = writeln!(story, "  {}: {}", self.written, self.fact);
        for complaint in complaints {
            let _ = writeln!(story, "    {complaint}");
        }
        for row in rows {
            let _ = writeln!(story, "    row: {row}");
        }
        let _ = writeln!(story, "    packets:\n{}", witness::describe(sightings));
    }
}

/// What is wrong with a row, a line each.
#[derive(Default)]
struct Complaints {
    list: Vec<String>,
}

impl Complaints {
    /// Adds a line unless the value said is `right`.
    fn unless(&mut self, right: bool, what: &str, said: &Value, wanted: impl fmt::Display) {
        if !right {
            self.list.push(format!("portscan: {what} {said}, want {wanted}"));
        }
    }
}
