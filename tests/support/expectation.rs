//! The truth about one endpoint, and where a row or the world differs from it.

use std::fmt::Write as _;
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
    pub fn complaints(&self, row: &Value, sightings: &[Sighting]) -> Vec<String> {
        let mut complaints = Vec::new();
        let mut want = |what: &str, right: bool, said: &Value, wanted: String| {
            if !right {
                complaints.push(format!("portscan: {what} {said}, want {wanted}"));
            }
        };
        let one_of = |said: &Value, wanted: &[&str]| {
            wanted.is_empty() || said.as_str().is_some_and(|word| wanted.contains(&word))
        };
        let evidence = &row["evidence"];
        want("state", one_of(&row["state"], &self.states), &row["state"], self.states.join(" or "));
        let reason = &row["reason"];
        want("reason", one_of(reason, &self.reasons), reason, self.reasons.join(" or "));
        let icmp = &evidence["icmp"];
        match self.icmp {
            Some((kind, code)) => {
                let right = icmp["type"] == kind && icmp["code"] == code;
                want("icmp", right, icmp, format!("{kind}/{code}"));
            }
            None if self.is_plain() => want("icmp", icmp.is_null(), icmp, "none".to_owned()),
            None => {}
        }
        if let Some(from) = self.from {
            let said = evidence["from"].as_str().and_then(|text| text.parse::<IpAddr>().ok());
            want("from", said == Some(from), &evidence["from"], from.to_string());
        }
        if let Some(role) = self.role {
            want(
                "from_role",
                evidence["from_role"] == role,
                &evidence["from_role"],
                role.to_owned(),
            );
        }
        let rtt = &row["rtt_ms"];
        if let Some(range) = &self.rtt_ms {
            let right = rtt.as_f64().is_some_and(|ms| range.contains(&ms));
            want("rtt_ms", right, rtt, format!("{range:?}"));
        }
        if self.reasons == ["no-response"] {
            want("rtt_ms", rtt.is_null(), rtt, "null, for nothing came back".to_owned());
        }
        if let Some(words) = self.note {
            let notes = row["notes"].as_array().cloned().unwrap_or_default();
            let right = notes
                .iter()
                .any(|note| note.as_str().is_some_and(|text| text.to_lowercase().contains(words)));
            want("notes", right, &row["notes"], format!("one with \"{words}\""));
        }
        for (pointer, value) in &self.also {
            let said = row.pointer(pointer).unwrap_or(&Value::Null);
            want(pointer, said == value, said, value.to_string());
        }
        self.count(row, sightings, &mut want);
        complaints
    }

    /// Attempts are counted as they left and answers never exceed them.
    fn count(
        &self,
        row: &Value,
        sightings: &[Sighting],
        want: &mut impl FnMut(&str, bool, &Value, String),
    ) {
        let evidence = &row["evidence"];
        let attempts = evidence["attempts"].as_u64().unwrap_or(0);
        let answered = evidence["answered"].as_u64().unwrap_or(0);
        if let Some(range) = &self.attempts {
            want(
                "attempts",
                range.contains(&attempts),
                &evidence["attempts"],
                format!("{range:?}"),
            );
        }
        if !self.own_packets {
            return;
        }
        let left = witness::probes(sightings) as u64;
        // A SYN may be repeated by the kernel between the verdict and the close.
        let slack = u64::from(self.transport == Transport::Tcp);
        let honest = attempts <= left && left <= attempts + slack;
        want("attempts", honest, &evidence["attempts"], format!("the {left} that left"));
        let silent = row["reason"] == "no-response";
        let plausible = if silent { answered == 0 } else { (1..=attempts).contains(&answered) };
        let wanted = if silent { "0".to_owned() } else { format!("1 to {attempts}") };
        want("answered", plausible, &evidence["answered"], wanted);
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
