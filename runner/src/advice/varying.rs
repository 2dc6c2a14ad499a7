//! Rules about answers that come sometimes: what is limited, full or overloaded.

use super::refusal::ask;
use super::silence::is_silent;
use super::{Advice, Context};
use crate::model::{Control, Note, Outcome, PortState, Transport};

/// A host that refused so many ports answers for unused ones; with fewer, those may
/// be what a firewall leaves to it.
const MANY_REFUSED: u32 = 5;

/// With so many unanswered behind the last answer, it is hardly each one's own rule.
const MANY_UNANSWERED: u32 = 5;

/// Packets lost at one port before it is told from a lossy way...
const FEW_LOST: u16 = 2;
/// ...which lost nothing at so many other ports of the same host.
const MANY_LOSSLESS: u32 = 10;

pub(super) fn comes_and_goes(o: &Outcome, _: &Context<'_>) -> Option<Advice> {
    let rounds = o.notes.iter().find_map(|note| match note {
        Note::Rounds(rounds) => Some(rounds),
        _ => None,
    })?;
    let count = |is: fn(PortState) -> bool| -> u32 {
        rounds.states.iter().filter(|(state, _)| is(*state)).map(|(_, count)| count).sum()
    };
    let open = count(|state| state == PortState::Open);
    let refused = count(|state| state == PortState::Closed);
    // What could not be measured is no failure of the service.
    let failed = count(|state| !matches!(state, PortState::Open | PortState::Unknown));
    if open == 0 || failed == 0 {
        return None;
    }
    let why = match (rounds.regular, refused) {
        (true, _) => "at even distances, as a rate limit makes them",
        (_, refused) if refused == failed => {
            "each refused: the service restarts, its queue overflows, or one of several servers \
             behind this address lacks it"
        }
        (_, 0) => {
            "each silent: packets are lost, or a rate limit or a full connection table drops new \
             ones"
        }
        _ => "some refused and some silent: it is overloaded, or restarts",
    };
    let sentence = format!(
        "{failed} of {} rounds failed, {why}; whether asking less often helps tells",
        open + failed
    );
    let all: u32 = rounds.states.iter().map(|(_, count)| count).sum();
    Some(Advice::new(sentence, format!("{} --count {all} --every 10s", ask(o))))
}

pub(super) fn lost_alone(o: &Outcome, c: &Context<'_>) -> Option<Advice> {
    let lost = o.evidence.attempts.saturating_sub(o.evidence.answered);
    // Refused UDP is slow by the target's ICMP budget, which is another story.
    let is_answered = o.state == PortState::Open
        || o.state == PortState::Closed && o.endpoint.transport == Transport::Tcp;
    if !is_answered || !o.notes.contains(&Note::Loss) || lost < FEW_LOST {
        return None;
    }
    let peer = (c.peer)(o.endpoint.ip(), o.endpoint.transport);
    (peer.lossless >= MANY_LOSSLESS).then(|| {
        let sentence = format!(
            "{lost} packets to this port were lost and none to {} other ports of this host: rather \
             a limit on this port (a rate rule, a full queue) than the way, if it is so again",
            peer.lossless
        );
        Advice::new(sentence, format!("{} --count 10", ask(o)))
    })
}

pub(super) fn went_silent(o: &Outcome, c: &Context<'_>) -> Option<Advice> {
    // Silence for UDP after many refusals is what an ICMP budget looks like.
    if !is_silent(o) || o.endpoint.transport == Transport::Udp {
        return None;
    }
    let ip = o.endpoint.ip();
    let peer = (c.peer)(ip, o.endpoint.transport);
    if peer.closed < MANY_REFUSED {
        return None;
    }
    let closed = peer.closed;
    let all_later = o.order > peer.last_answered && peer.unanswered() >= MANY_UNANSWERED;
    let sentence = match o.evidence.control {
        // Controls that were refused earlier prove nothing for later.
        Some(Control::Closed | Control::Silent) if all_later => format!(
            "{ip} refused {closed} ports and answered none of the {} after them: a limit (a rate \
             rule, a full connection table, a block of whoever asks much) or a rule for just these \
             ports; asking slowly after a pause tells",
            peer.unanswered()
        ),
        Some(Control::Silent) => format!(
            "{ip} refused {closed} ports of this run and is silent for this one and for unused \
             ones: a rule tells ranges apart, or it fell silent meanwhile (a rate limit, a full \
             connection table); asking slowly after a pause tells"
        ),
        _ => return None,
    };
    Some(Advice::new(sentence, format!("{} --rate 5", ask(o))))
}
