use std::net::IpAddr;
use std::time::Duration;

use super::errno;
use crate::model::{
    Endpoint, IcmpError, Moment, Observation, PortState, Reason, Role, Signal, Transport,
};

/// How long after the first attempt a host-unreachable of our own making means
/// that nobody answered ARP or neighbour discovery.
///
/// The kernel asks three times, a second apart, and gives up after 3.05 s; then
/// every packet in that neighbour's queue is told, in no order, and a packet
/// that joined the queue late sees only the end of the wait.
const NEIGHBOUR_WAIT: Duration = Duration::from_millis(900);

/// An attempt that waited this long was not refused by the own firewall, which
/// rejects within microseconds.
const NO_REJECT: Duration = Duration::from_millis(25);

/// All that is known of one endpoint when it is judged.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// What was probed.
    pub endpoint: Endpoint,
    /// What came back, in any order.
    pub observations: &'a [Observation],
    /// The run ended while the endpoint was still being asked: silence so far
    /// says nothing.
    pub cut_short: bool,
    /// Not one attempt is sure to have left this machine: silence says nothing.
    pub doubtful: bool,
    /// Attempts that really left this machine.
    pub sent: u16,
    /// When the first attempt was made.
    pub first_sent: Moment,
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
        _ if question.cut_short => (PortState::Unknown, Reason::Interrupted),
        (0, _) => (PortState::Unknown, Reason::Interrupted),
        _ if question.doubtful => (PortState::Unknown, Reason::LocalLimit),
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
                (false, true) if !(question.is_own)(from.ip()) => Strength::Stray,
                // From another address and port it proves nothing, nor from one of
                // our own. It is noted.
                (false, _) => return None,
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

/// Whether an error of our own making came as late as that of a failed
/// neighbour discovery does.
fn waited_for_neighbour(question: &Question<'_>) -> bool {
    question.observations.iter().any(|o| match &o.signal {
        Signal::Icmp(icmp) => {
            role_of(question, icmp.from) == Role::Own
                && o.at.since(question.first_sent) >= NEIGHBOUR_WAIT
                && o.at.since(o.sent) >= NO_REJECT
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::IcmpFamily;
    use proptest::prelude::*;
    use std::net::SocketAddr;

    const TARGET: [u8; 4] = [192, 0, 2, 7];
    const ROUTER: [u8; 4] = [192, 0, 2, 1];
    const OWN: [u8; 4] = [198, 51, 100, 1];

    fn signal() -> impl Strategy<Value = Signal> {
        let address = prop::sample::select(vec![TARGET, ROUTER, OWN]);
        prop_oneof![
            any::<bool>().prop_map(|reset| Signal::Connected { reset }),
            Just(Signal::Refused),
            Just(Signal::SelfConnect),
            (address.clone(), prop::sample::select(vec![53u16, 54])).prop_map(|(ip, port)| {
                Signal::Answer { from: SocketAddr::from((ip, port)), bytes: vec![1] }
            }),
            (address, any::<bool>(), 0u8..16, 0u8..20).prop_map(|(from, v6, kind, code)| {
                let family = if v6 { IcmpFamily::V6 } else { IcmpFamily::V4 };
                Signal::Icmp(IcmpError {
                    family,
                    kind,
                    code,
                    from: from.into(),
                    errno: libc::EHOSTUNREACH,
                })
            }),
            (0..200i32).prop_map(|errno| Signal::Errno { errno }),
            (0..200i32).prop_map(|errno| Signal::Local { errno }),
        ]
    }

    fn observations() -> impl Strategy<Value = Vec<Observation>> {
        let one =
            (0u8..8, 0u64..4000, 0u64..4000, signal()).prop_map(|(attempt, sent, took, signal)| {
                let sent = Moment::after_start(Duration::from_millis(sent));
                let at = sent + Duration::from_millis(took);
                Observation { attempt, sent, at, rtt: None, repeated: false, signal }
            });
        prop::collection::vec(one, 0..8)
    }

    fn judged(transport: Transport, observations: &[Observation], sent: u16) -> Judgement {
        let endpoint = Endpoint::new(SocketAddr::from((TARGET, 53)), transport);
        let is_own = |ip: IpAddr| ip == IpAddr::from(OWN);
        judge(&Question {
            endpoint,
            observations,
            sent,
            first_sent: Moment::START,
            cut_short: false,
            doubtful: false,
            is_own: &is_own,
        })
    }

    fn transport() -> impl Strategy<Value = Transport> {
        prop::sample::select(vec![Transport::Tcp, Transport::Udp])
    }

    #[test]
    fn silence_that_was_cut_short_or_kept_here_is_no_state_and_a_proof_is() {
        let endpoint = Endpoint::new(SocketAddr::from((TARGET, 53)), Transport::Tcp);
        let at = Moment::START;
        let refused = [Observation {
            attempt: 0,
            sent: at,
            at,
            rtt: None,
            repeated: false,
            signal: Signal::Refused,
        }];
        let judged = |observations, cut_short, doubtful| {
            judge(&Question {
                endpoint,
                observations,
                sent: 2,
                first_sent: at,
                cut_short,
                doubtful,
                is_own: &|_| false,
            })
        };
        let silent = judged(&[], true, false);
        assert_eq!((silent.state, silent.reason), (PortState::Unknown, Reason::Interrupted));
        let kept = judged(&[], false, true);
        assert_eq!((kept.state, kept.reason), (PortState::Unknown, Reason::LocalLimit));
        assert_eq!(judged(&refused, true, true).state, PortState::Closed);
    }

    proptest! {
        #[test]
        fn the_order_of_arrival_does_not_matter(
            (seen, shuffled) in observations().prop_flat_map(|o| (Just(o.clone()), Just(o).prop_shuffle())),
            transport in transport(),
        ) {
            let (a, b) = (judged(transport, &seen, 8), judged(transport, &shuffled, 8));
            prop_assert_eq!((a.state, a.reason, a.conflicting), (b.state, b.reason, b.conflicting));
        }

        #[test]
        fn a_proof_of_open_stands_whatever_else_comes(seen in observations(), transport in transport()) {
            let is_answer = |o: &Observation| match &o.signal {
                Signal::Connected { .. } => true,
                Signal::Answer { from, .. } => from.ip() == IpAddr::from(TARGET),
                _ => false,
            };
            let open = judged(transport, &seen, 8).state == PortState::Open;
            prop_assert!(open || !seen.iter().any(is_answer));
        }

        #[test]
        fn more_evidence_never_turns_a_proved_state_silently(
            seen in observations(),
            more in observations(),
            transport in transport(),
        ) {
            let before = judged(transport, &seen, 8);
            let all: Vec<_> = seen.iter().chain(&more).cloned().collect();
            let after = judged(transport, &all, 8);
            let proved = matches!(before.state, PortState::Open | PortState::Closed) && before.decisive.is_some();
            let bare = before.decisive.is_some_and(|i| matches!(seen[i].signal, Signal::Errno { .. }));
            prop_assert!(!proved || bare || after.state == before.state || after.conflicting.is_some());
        }

        #[test]
        fn what_this_machine_refuses_is_never_a_state_of_the_target(errno in 0..200i32, transport in transport()) {
            let signal = Signal::Local { errno };
            let at = Moment::START;
            let seen = [Observation { attempt: 0, sent: at, at, rtt: None, repeated: false, signal }];
            prop_assert_eq!(judged(transport, &seen, 0).state, PortState::Unknown);
        }
    }

    #[test]
    fn an_error_of_our_own_is_a_missing_neighbour_when_it_came_late() {
        let icmp = IcmpError {
            family: IcmpFamily::V4,
            kind: 3,
            code: 1,
            from: OWN.into(),
            errno: libc::EHOSTUNREACH,
        };
        let told = |sent: u64, at: u64| {
            let moment = |ms| Moment::START + Duration::from_millis(ms);
            let seen = [Observation {
                attempt: 4,
                sent: moment(sent),
                at: moment(at),
                rtt: None,
                repeated: false,
                signal: Signal::Icmp(icmp),
            }];
            judged(Transport::Udp, &seen, 5).reason
        };
        assert_eq!(told(0, 3050), Reason::HostUnreach, "it waited all the time");
        assert_eq!(told(2200, 3050), Reason::HostUnreach, "it joined the queue late");
        assert_eq!(told(2200, 2201), Reason::LocalDenied, "the own firewall rejects at once");
        assert_eq!(told(0, 1), Reason::LocalDenied, "the own firewall rejects at once");
        assert_eq!(told(0, 300), Reason::LocalDenied, "no neighbour is given up so soon");
    }

    #[test]
    fn a_reject_is_filtered_for_tcp_and_closed_for_udp_when_the_target_sends_it() {
        let icmp = |from: [u8; 4]| {
            let error = IcmpError {
                family: IcmpFamily::V4,
                kind: 3,
                code: 3,
                from: from.into(),
                errno: libc::ECONNREFUSED,
            };
            [Observation {
                attempt: 0,
                sent: Moment::START,
                at: Moment::START,
                rtt: None,
                repeated: false,
                signal: Signal::Icmp(error),
            }]
        };
        assert_eq!(judged(Transport::Tcp, &icmp(TARGET), 1).state, PortState::Filtered);
        assert_eq!(judged(Transport::Udp, &icmp(TARGET), 1).state, PortState::Closed);
        assert_eq!(judged(Transport::Udp, &icmp(ROUTER), 1).state, PortState::Filtered);
    }
}
