use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::notes::sentence;
use super::rounds::RoundsRow;
use crate::model::{
    CheckResult, Evidence, FindingValue, Health, Note, Outcome, PayloadKind, PortState, Reason,
    Role, Transport, Verdict,
};

/// One endpoint in a document.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EndpointRow<'a> {
    /// As the user wrote it.
    pub target: Cow<'a, str>,
    /// The address, with its zone, without brackets.
    pub address: String,
    /// The port.
    pub port: u16,
    /// Its transport.
    pub transport: Transport,
    /// The verdict.
    pub state: PortState,
    /// Why.
    pub reason: Reason,
    /// The proof.
    pub evidence: EvidenceRow,
    /// Milliseconds from sending to the answer.
    pub rtt_ms: Option<f64>,
    /// What a plugin found.
    pub check: Option<CheckRow>,
    /// How the answers varied, when there were several rounds.
    #[serde(default)]
    pub rounds: Option<RoundsRow>,
    /// Remarks about the evidence, in sentences.
    #[serde(default)]
    pub notes: Vec<String>,
    /// The next step.
    pub advice: Vec<Cow<'a, str>>,
}

/// The proof in a document.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EvidenceRow {
    /// The decisive ICMP error.
    pub icmp: Option<IcmpRow>,
    /// Who sent the decisive packet.
    pub from: Option<String>,
    /// From which port, when it is not the one asked.
    #[serde(default)]
    pub from_port: Option<u16>,
    /// `target`, `router` or `self`.
    pub from_role: Option<Role>,
    /// The sender is a gateway of the vantage point.
    #[serde(default)]
    pub from_first_hop: bool,
    /// Symbolic name of the operating system's error.
    pub errno: Option<Cow<'static, str>>,
    /// Packets sent.
    pub attempts: u16,
    /// Attempts that something came back for.
    pub answered: u16,
    /// Milliseconds from the first packet to the verdict.
    #[serde(default)]
    pub over_ms: f64,
    /// What control probes said: `closed`, `rejected`, `silent`, `open`.
    #[serde(default)]
    pub control: Option<Cow<'static, str>>,
    /// What UDP was sent: `generic` or `plugin`.
    #[serde(default)]
    pub payload: Option<Cow<'static, str>>,
}

/// An ICMP error in a document.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IcmpRow {
    /// Type.
    #[serde(rename = "type")]
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// Both in words.
    pub text: Cow<'static, str>,
}

/// A check in a document.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CheckRow {
    /// The plugin.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// Is it this protocol.
    pub verdict: Verdict,
    /// Can it serve.
    pub health: Health,
    /// One line.
    pub summary: String,
    /// Named facts.
    pub findings: Vec<FindingRow>,
    /// What the plugin did wrong.
    pub fault: Option<FaultRow>,
    /// Milliseconds.
    pub duration_ms: f64,
}

/// A plugin's fault in a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultRow {
    /// Stable kebab-case name: `trap`, `deadline`, `memory`, ...
    pub kind: String,
    /// What happened.
    pub text: String,
    /// What to do about it.
    pub hint: String,
}

/// A fact in a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FindingRow {
    /// Lower case, dotted.
    pub name: String,
    /// Text, number or boolean; bytes as hexadecimal, times in milliseconds.
    pub value: serde_json::Value,
}

impl<'a> From<&'a Outcome> for EndpointRow<'a> {
    fn from(outcome: &'a Outcome) -> EndpointRow<'a> {
        EndpointRow {
            target: Cow::Borrowed(&outcome.target),
            address: address_text(outcome.endpoint.socket),
            port: outcome.endpoint.port(),
            transport: outcome.endpoint.transport,
            state: outcome.state,
            reason: outcome.reason,
            evidence: EvidenceRow::from(&outcome.evidence),
            rtt_ms: outcome.rtt.map(milliseconds),
            check: outcome.check.as_deref().map(CheckRow::from),
            rounds: outcome.notes.iter().find_map(|note| match note {
                Note::Rounds(rounds) => Some(RoundsRow::from(rounds)),
                _ => None,
            }),
            notes: outcome.notes.iter().map(sentence).collect(),
            advice: outcome.advice.iter().map(|a| Cow::Borrowed(a.as_str())).collect(),
        }
    }
}

impl From<&Evidence> for EvidenceRow {
    fn from(evidence: &Evidence) -> EvidenceRow {
        EvidenceRow {
            icmp: evidence.icmp.map(|icmp| IcmpRow {
                kind: icmp.kind,
                code: icmp.code,
                text: Cow::Borrowed(icmp.text()),
            }),
            from: evidence.from.map(|ip| ip.to_string()),
            from_port: evidence.from_port,
            from_role: evidence.from_role,
            from_first_hop: evidence.from_first_hop,
            errno: evidence.errno.map(errno_name),
            attempts: evidence.attempts,
            answered: evidence.answered,
            over_ms: milliseconds(evidence.over),
            control: evidence.control.map(|c| Cow::Borrowed(c.name())),
            payload: match evidence.payload {
                PayloadKind::None => None,
                PayloadKind::Generic => Some(Cow::Borrowed("generic")),
                PayloadKind::Plugin => Some(Cow::Borrowed("plugin")),
            },
        }
    }
}

impl From<&CheckResult> for CheckRow {
    fn from(check: &CheckResult) -> CheckRow {
        let conclusion = &check.conclusion;
        CheckRow {
            plugin: check.plugin.clone(),
            version: check.version.clone(),
            verdict: conclusion.verdict,
            health: conclusion.health,
            summary: conclusion.summary.clone(),
            findings: conclusion
                .findings
                .iter()
                .map(|f| FindingRow { name: f.name.clone(), value: finding_value(&f.value) })
                .collect(),
            fault: check.fault.as_ref().map(|fault| FaultRow {
                kind: fault.kind.into(),
                text: fault.text.clone(),
                hint: fault.hint.clone(),
            }),
            duration_ms: milliseconds(check.duration),
        }
    }
}

/// A finding's value as JSON has it: bytes in hexadecimal, times in milliseconds.
pub fn finding_value(value: &FindingValue) -> serde_json::Value {
    match value {
        FindingValue::Boolean(b) => (*b).into(),
        FindingValue::Integer(n) => (*n).into(),
        FindingValue::Text(text) => text.as_str().into(),
        FindingValue::Bytes(bytes) => {
            bytes.iter().map(|b| format!("{b:02x}")).collect::<String>().into()
        }
        FindingValue::Duration(time) => milliseconds(*time).into(),
    }
}

/// Rounded to a microsecond: what is finer is our own noise.
pub(super) fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// The address without brackets, with the zone's interface name:
/// `fe80::1%eth0`.
pub fn address_text(socket: SocketAddr) -> String {
    match socket {
        SocketAddr::V6(v6) if v6.scope_id() != 0 => {
            let zone = nix::net::if_::if_indextoname(v6.scope_id())
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_else(|_| v6.scope_id().to_string());
            format!("{}%{zone}", v6.ip())
        }
        other => other.ip().to_string(),
    }
}

/// The symbolic name of an error number, for example `ECONNREFUSED`.
pub fn errno_name(errno: i32) -> Cow<'static, str> {
    // The one of every closed port, without an allocation.
    if errno == nix::libc::ECONNREFUSED {
        return Cow::Borrowed("ECONNREFUSED");
    }
    match nix::errno::Errno::from_raw(errno) {
        nix::errno::Errno::UnknownErrno => Cow::Owned(errno.to_string()),
        known => Cow::Owned(format!("{known:?}")),
    }
}
