use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{CheckResult, Endpoint, Evidence, PortState, Reason};

/// A remark about the evidence that a reader must know to trust the state.
///
/// Facts only; the sentence is made where it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// Different attempts got different proofs, for example RST and SYN-ACK.
    Conflicting {
        /// What the proof that lost said.
        other: Reason,
    },
    /// The peer reset the connection right after the handshake.
    ResetAfterHandshake,
    /// The answer came from another port of the target.
    AnswerFromOtherPort {
        /// That port.
        port: u16,
    },
    /// An answer came from another address. It decides nothing.
    AnswerFromOtherAddress {
        /// That address.
        address: IpAddr,
    },
    /// A datagram or segment arrived that does not belong to our question.
    InvalidAnswer,
    /// Packets were lost and later ones were answered.
    Loss,
    /// The ICMP budget of the peer (or of a router) stands in the way of a proof.
    IcmpBudgetSpent {
        /// Ports of this peer that are left without proof.
        left: u32,
        /// How long proving them would take at the rate seen.
        prove: Duration,
    },
    /// No answer is normal for the service that usually lives on this port.
    SilentByDesign {
        /// The service's name.
        service: Arc<str>,
    },
    /// Control ports are open as well: something in front answers for everything.
    OpenForEverything,
    /// How far packets to the endpoint get, as a trace found.
    Path {
        /// The sentence that the trace ends with.
        sentence: String,
    },
    /// How the answers varied over several rounds.
    Rounds(Rounds),
}

/// What several rounds of probing one endpoint showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rounds {
    /// How often each state was seen, the most frequent first.
    pub states: Vec<(PortState, u32)>,
    /// Smallest, median and largest round trip, and the mean difference between
    /// one and the next (jitter), of the rounds that had one.
    pub rtt: Option<[Duration; 4]>,
    /// Packets sent and packets that were answered, over all rounds.
    pub packets: (u32, u32),
    /// Most rounds in a row without an answer from the endpoint's service.
    pub longest_failure: u32,
    /// Failures come at even distances: a rate limit would look like that.
    pub regular: bool,
}

/// What a run knows about one endpoint at its end.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Place in the request: rows are shown in this order.
    pub order: u64,
    /// The target as the user wrote it.
    pub target: Arc<str>,
    /// What was probed.
    pub endpoint: Endpoint,
    /// The verdict.
    pub state: PortState,
    /// Why.
    pub reason: Reason,
    /// The proof.
    pub evidence: Evidence,
    /// From sending the decisive attempt to its answer.
    pub rtt: Option<Duration>,
    /// Remarks about the evidence.
    pub notes: Vec<Note>,
    /// What a plugin found, if one looked.
    pub check: Option<Box<CheckResult>>,
    /// One or two sentences with the next step.
    pub advice: Vec<String>,
}

/// Why a name has no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnresolvedReason {
    /// The name does not exist.
    Nxdomain,
    /// The name exists and has no address (of the family asked for).
    NoData,
    /// The name server failed.
    Servfail,
    /// No name server answered in time.
    Timeout,
}

impl UnresolvedReason {
    /// The printed name, which is also the JSON value.
    pub fn name(self) -> &'static str {
        match self {
            UnresolvedReason::Nxdomain => "nxdomain",
            UnresolvedReason::NoData => "no-data",
            UnresolvedReason::Servfail => "servfail",
            UnresolvedReason::Timeout => "timeout",
        }
    }
}

/// A target whose name led to no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unresolved {
    /// The target as the user wrote it.
    pub target: Arc<str>,
    /// Why.
    pub reason: UnresolvedReason,
}
