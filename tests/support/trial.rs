//! What is true in a world, endpoint by endpoint, and whether portscan says it.
//!
//! All endpoints of a trial are probed by one run. Then each row is held
//! against its expectation, and both against what the witness saw: a
//! disagreement is shown with the packets that really passed, and an
//! expectation that the world itself does not keep is told apart.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::LazyLock;

use serde_json::Value;

use super::packet::{Family, TCP, UDP};
use super::portscan::{Portscan, Ran};
use super::witness::{self, Sighting};
use super::world::World;

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

/// Expectations about one world.
pub struct Trial<'w> {
    world: &'w World,
    args: Vec<String>,
    expectations: Vec<Expectation>,
}

impl<'w> Trial<'w> {
    /// No expectations yet.
    pub fn new(world: &'w World) -> Trial<'w> {
        Trial { world, args: Vec::new(), expectations: Vec::new() }
    }

    /// Adds arguments to the run.
    pub fn args(&mut self, args: &[&str]) -> &mut Self {
        self.args.extend(args.iter().map(|&arg| arg.to_owned()));
        self
    }

    /// An expectation about a TCP endpoint. `fact` says what is there.
    pub fn tcp(&mut self, ip: IpAddr, port: u16, fact: impl Into<String>) -> &mut Expectation {
        self.expect(Transport::Tcp, ip, port, fact)
    }

    /// An expectation about a UDP endpoint. `fact` says what is there.
    pub fn udp(&mut self, ip: IpAddr, port: u16, fact: impl Into<String>) -> &mut Expectation {
        self.expect(Transport::Udp, ip, port, fact)
    }

    /// An expectation about an endpoint. `fact` says what is there.
    pub fn expect(
        &mut self,
        transport: Transport,
        ip: IpAddr,
        port: u16,
        fact: impl Into<String>,
    ) -> &mut Expectation {
        let socket = SocketAddr::new(ip, port);
        self.expectations.push(Expectation {
            fact: fact.into(),
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
        });
        self.expectations.last_mut().expect("one was just added")
    }

    /// Probes everything in one run as a user would, and panics with the
    /// whole story when anything is not as expected.
    pub fn run(&self) -> Ran {
        let ran = self.portscan().run();
        self.judge(&ran);
        ran
    }

    /// The run that [`Trial::run`] makes, for a test that changes it.
    pub fn portscan(&self) -> Portscan<'w> {
        let lines: Vec<&str> = self.expectations.iter().map(|e| e.written.as_str()).collect();
        self.world.witness.forget();
        Portscan::new(self.world)
            .args(["--format", "json", "--no-plugins"])
            .args(&self.args)
            .targets(lines.join("\n") + "\n")
    }

    /// Holds a run against the expectations.
    ///
    /// # Panics
    /// When anything is not as expected.
    pub fn judge(&self, ran: &Ran) {
        /// Endpoints whose packets are shown, and those that get a line at all.
        const MOST_STORIES: usize = 5;
        const MOST_LINES: usize = 25;
        let report = ran.report();
        let rows = report["endpoints"].as_array().expect("the schema asks for it");
        let mut story = String::new();
        let mut wrong = 0;
        for expectation in &self.expectations {
            let sightings = self
                .world
                .witness
                .of_endpoint(expectation.transport.protocol(), expectation.socket);
            let found: Vec<&Value> = rows.iter().filter(|row| expectation.is_row(row)).collect();
            let mut complaints = match found[..] {
                [row] => expectation.complaints(row, &sightings),
                _ => vec![format!("portscan: {} rows instead of one", found.len())],
            };
            complaints.extend(expectation.doubts(&sightings));
            if !complaints.is_empty() {
                wrong += 1;
                if wrong <= MOST_STORIES {
                    expectation.tell(&mut story, &complaints, &found, &sightings);
                } else if wrong <= MOST_LINES {
                    let _ = writeln!(story, "  {}: {}", expectation.written, complaints.join("; "));
                }
            }
        }
        if rows.len() != self.expectations.len() {
            let _ =
                writeln!(story, "  {} rows for {} endpoints", rows.len(), self.expectations.len());
            wrong += 1;
        }
        if ran.code() != due_exit_code(&report) {
            let _ = writeln!(story, "  exit code {}, want {}", ran.code(), due_exit_code(&report));
            wrong += 1;
        }
        let all = self.expectations.len();
        assert!(wrong == 0, "{wrong} of {all} are not as this world is:\n{story}\n{ran:?}");
    }
}

impl Expectation {
    fn is_row(&self, row: &Value) -> bool {
        // A zone is told by the target as written; the row's address may carry it.
        let address = row["address"].as_str().unwrap_or_default().split('%').next();
        address.and_then(|text| text.parse().ok()) == Some(self.socket.ip())
            && row["port"] == self.socket.port()
            && row["transport"] == self.transport.name()
    }

    /// Where the row is wrong.
    fn complaints(&self, row: &Value, sightings: &[Sighting]) -> Vec<String> {
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
    fn doubts(&self, sightings: &[Sighting]) -> Vec<String> {
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

    fn tell(
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

/// The exit code that the states of a report ask for.
fn due_exit_code(report: &Value) -> i32 {
    let rows = report["endpoints"].as_array().map_or(&[][..], Vec::as_slice);
    let unresolved = report["unresolved"].as_array().is_some_and(|names| !names.is_empty());
    if unresolved || rows.iter().any(|row| row["state"] == "unknown") {
        2
    } else if rows.iter().any(|row| row["state"] != "open") {
        1
    } else {
        0
    }
}

/// The promise that every JSON report keeps.
static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/schema/report-1.schema.json");
    if !std::path::Path::new(path).exists() {
        return jsonschema::validator_for(&Value::Bool(true)).expect("true accepts everything");
    }
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let schema = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
    jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{path}: {error}"))
});

/// Where a report breaks the committed JSON Schema.
pub fn schema_complaints(report: &Value) -> Vec<String> {
    SCHEMA.iter_errors(report).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// Both families and both transports, for scenarios that exist in all four.
pub fn everywhere() -> impl Iterator<Item = (Family, Transport)> {
    Family::BOTH.into_iter().flat_map(|family| Transport::BOTH.map(|transport| (family, transport)))
}
