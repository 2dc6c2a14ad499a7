use std::net::IpAddr;
use std::time::Duration;

use super::errno;
use crate::model::{Endpoint, IcmpError, Observation, PortState, Reason, Role, Signal, Transport};

/// From when on a host-unreachable of our own making means that nobody
/// answered ARP or neighbour discovery.
///
/// The kernel asks three times, a second apart, and gives up after 3.05 s; a
/// later packet in the same queue sees the end of that wait. The own firewall
/// rejects within microseconds.
const NEIGHBOUR_WAIT: Duration = Duration::from_millis(900);

/// All that is known of one endpoint when it is judged.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// What was probed.
    pub endpoint: Endpoint,
    /// What came back, in any order.
    pub observations: &'a [Observation],
    /// Attempts that really left this machine.
    pub sent: u16,
    /// Whether an address belongs to this machine.
    pub is_own: &'a dyn Fn(IpAddr) -> bool,
}

/// The verdict on one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The state.
    pub state: PortState,
    /// Why.
    pub reason: Reason,
    /// Index of the observation that decided; none for silence.
    pub decisive: Option<usize>,
    /// What weaker evidence of another state said.
    pub conflicting: Option<Reason>,
}

/// How strong a kind of evidence is. Order matters: the strongest decides.
///
/// A packet that only a listener sends beats the target's own refusal, which
/// beats what somebody on the way says, which beats a bare errno, which beats
/// what this machine says of itself. Within one strength the earliest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    /// Nothing was learned about the target.
    Local,
    /// An errno whose cause is lost.
    BareErrno,
    /// An ICMP error that RFC 1122 3.2.2.1 calls a hint: routes change.
    SoftIcmp,
    /// An ICMP error by which somebody refuses.
    HardIcmp,
    /// An address that was not asked answers from the port that was: a server
    /// with several addresses.
    Stray,
    /// The target refuses: RST, or port-unreachable for UDP.
    Refusal,
    /// The target's address answers from another port.
    Elsewhere,
    /// The endpoint itself answers.
    Answer,
}

/// Judges an endpoint by all evidence there is.
///
/// The order of `observations` does not matter, and silence is judged by what
/// is absent: with nothing to weigh, TCP is `filtered` and UDP `open|filtered`
/// when something was sent, and `unknown` when nothing was.
pub fn judge(question: &Question<'_>) -> Judgement {
    let mut best: Option<(Strength, usize, PortState, Reason)> = None;
    for (index, observation) in question.observations.iter().enumerate() {
        let Some((strength, state, reason)) = meaning(question, observation) else { continue };
        let stronger = best.is_none_or(|(than, at, ..)| {
            strength > than || strength == than && precedes(observation, &question.observations[at])
        });
        if stronger {
            best = Some((strength, index, state, reason));
        }
    }
    match best {
        // A refusal by this machine counts only if nothing left at all.
        Some((Strength::Local, ..)) if question.sent > 0 => silence(question),
        None => silence(question),
        Some((strength, index, state, reason)) => Judgement {
            state,
            reason,
            decisive: Some(index),
            conflicting: conflicting(question, strength, state),
        },
    }
}

fn silence(question: &Question<'_>) -> Judgement {
    let (state, reason) = match (question.sent, question.endpoint.transport) {
        (0, _) => (PortState::Unknown, Reason::Interrupted),
        (_, Transport::Tcp) => (PortState::Filtered, Reason::NoResponse),
        (_, Transport::Udp) => (PortState::OpenFiltered, Reason::NoResponse),
    };
    Judgement { state, reason, decisive: None, conflicting: None }
}

/// A total order that does not depend on the order of arrival.
fn precedes(a: &Observation, b: &Observation) -> bool {
    (a.at, a.attempt, rank(&a.signal)) < (b.at, b.attempt, rank(&b.signal))
}

fn rank(signal: &Signal) -> (u8, Option<IcmpError>, i32) {
    match signal {
        Signal::Icmp(icmp) => (0, Some(*icmp), 0),
        Signal::Errno { errno } | Signal::Local { errno } => (1, None, *errno),
        _ => (2, None, 0),
    }
}

/// The strongest evidence for another state, if it is proof of its own.
fn conflicting(question: &Question<'_>, decided: Strength, state: PortState) -> Option<Reason> {
    question
        .observations
        .iter()
        .filter_map(|o| meaning(question, o))
        .filter(|(strength, other, _)| {
            *other != state && *strength <= decided && *strength >= Strength::HardIcmp
        })
        .max_by_key(|(strength, _, reason)| (*strength, *reason))
        .map(|(_, _, reason)| reason)
}

/// The table: what one observation means by itself.
fn meaning(question: &Question<'_>, seen: &Observation) -> Option<(Strength, PortState, Reason)> {
    use PortState::{Closed, Open, Unknown};
    Some(match &seen.signal {
        // RFC 9293 3.5: only a listener completes the handshake.
        Signal::Connected { .. } => (Strength::Answer, Open, Reason::SynAck),
        // RFC 9293 3.5.2: RST answers a SYN to a port without a listener.
        Signal::Refused => (Strength::Refusal, Closed, Reason::Reset),
        Signal::Answer { from, .. } => {
            let same_address = from.ip().to_canonical() == question.endpoint.ip();
            let strength = match (same_address, from.port() == question.endpoint.port()) {
                (true, true) => Strength::Answer,
                (true, false) => Strength::Elsewhere,
                // Our port was fresh and nobody else knows it, so this answers
                // us; a server with several addresses may choose another one.
                (false, true) => Strength::Stray,
                // From another address and port it proves nothing. It is noted.
                (false, false) => return None,
            };
            (strength, Open, Reason::UdpResponse)
        }
        Signal::Icmp(icmp) => return icmp_meaning(question, icmp),
        Signal::Errno { errno } => {
            let (state, reason) = errno::of_network(*errno);
            (Strength::BareErrno, state, reason)
        }
        Signal::Local { errno } => (Strength::Local, Unknown, errno::of_local(*errno)),
        // Says that nobody held the port at that moment, but not what a
        // stranger's SYN would meet: the plan tries again from another port.
        Signal::SelfConnect => return None,
    })
}

/// Whether an observation says anything about the endpoint.
pub(super) fn means_anything(question: &Question<'_>, seen: &Observation) -> bool {
    meaning(question, seen).is_some()
}

/// Who sent an ICMP error, seen from here. The target comes first: probing
/// oneself, the target's address is one of our own.
pub(super) fn role_of(question: &Question<'_>, from: IpAddr) -> Role {
    if from.to_canonical() == question.endpoint.ip() {
        Role::Target
    } else if (question.is_own)(from) {
        Role::Own
    } else {
        Role::Router
    }
}

fn icmp_meaning(
    question: &Question<'_>,
    icmp: &IcmpError,
) -> Option<(Strength, PortState, Reason)> {
    let reason = icmp.reason()?;
    let role = role_of(question, icmp.from);
    let refused_by_target = reason == Reason::PortUnreach
        && role == Role::Target
        && question.endpoint.transport == Transport::Udp;
    if refused_by_target {
        // RFC 1122 4.1.3.1. For TCP it is a firewall's REJECT: a TCP stack
        // answers a SYN to a closed port with RST, never with ICMP.
        return Some((Strength::Refusal, PortState::Closed, reason));
    }
    if role == Role::Own {
        let neighbour = matches!(reason, Reason::HostUnreach | Reason::AddrUnreach);
        return Some(match neighbour && waited_for_neighbour(question) {
            true => (Strength::SoftIcmp, PortState::Filtered, reason),
            false => (Strength::BareErrno, PortState::Unknown, Reason::LocalDenied),
        });
    }
    let strength = match reason.is_unreachable() {
        true => Strength::SoftIcmp,
        false => Strength::HardIcmp,
    };
    Some((strength, PortState::Filtered, reason))
}

/// Whether any error of our own making took as long as a failed neighbour
/// discovery does. One slow attempt is enough: later ones share its end.
fn waited_for_neighbour(question: &Question<'_>) -> bool {
    question.observations.iter().any(|o| match &o.signal {
        Signal::Icmp(icmp) => {
            role_of(question, icmp.from) == Role::Own && o.at.since(o.sent) >= NEIGHBOUR_WAIT
        }
        _ => false,
    })
}
