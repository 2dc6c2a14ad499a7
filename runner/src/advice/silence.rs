//! Rules about silence, as control probes grade it.

use super::refusal::{ask, trace};
use super::varying::went_silent;
use super::{Advice, Context};
use crate::model::{Control, Note, Outcome, PayloadKind, Reason, Transport};

fn is_budget_spent(o: &Outcome) -> bool {
    o.notes.iter().any(|n| matches!(n, Note::IcmpBudgetSpent { .. }))
}

/// Silence that is not explained by a missing ICMP budget.
pub(super) fn is_silent(o: &Outcome) -> bool {
    o.reason == Reason::NoResponse && !is_budget_spent(o)
}

pub(super) fn icmp_budget(o: &Outcome, _: &Context<'_>) -> Option<Advice> {
    is_budget_spent(o).then(|| {
        Advice::new(
            "the target rations its ICMP errors, so closed ports are not proved yet: --prove goes \
             on until they are",
            format!("{} --prove", ask(o)),
        )
    })
}

/// The command that shows whether packets for a UDP port arrive over there.
fn tcpdump(o: &Outcome) -> String {
    format!("tcpdump -n udp port {} there", o.endpoint.port())
}

pub(super) fn by_design(o: &Outcome, _: &Context<'_>) -> Option<Advice> {
    let service = o.notes.iter().find_map(|note| match note {
        Note::SilentByDesign { service } => Some(service),
        _ => None,
    })?;
    let sentence = match o.evidence.control {
        Some(Control::Closed) => format!(
            "the host answers for other ports, so this one is open and as silent as {service} is, \
             or dropped by a rule for it: whether packets arrive there tells"
        ),
        _ => format!(
            "silence is what an open {service} looks like, and a closed port behind a firewall: \
             only the other end can tell"
        ),
    };
    is_silent(o).then(|| Advice::new(sentence, tcpdump(o)))
}

fn is_by_design(o: &Outcome) -> bool {
    o.notes.iter().any(|note| matches!(note, Note::SilentByDesign { .. }))
}

pub(super) fn silent_port(o: &Outcome, c: &Context<'_>) -> Option<Advice> {
    if went_silent(o, c).is_some() {
        return None;
    }
    let answers = match o.evidence.control {
        Some(Control::Closed) => "answers for other ports",
        Some(Control::Rejected) => "rejects other ports by a rule",
        _ => return None,
    };
    (is_silent(o) && !is_by_design(o)).then(|| match o.endpoint.transport {
        Transport::Tcp => Advice::new(
            format!(
                "the host {answers}, so a rule drops {}/tcp: a firewall or security group",
                o.endpoint.port()
            ),
            trace(o),
        ),
        Transport::Udp => Advice::new(
            format!(
                "the host {answers}, so this one is open and silent, or dropped by a rule for it: \
                 whether packets arrive there tells"
            ),
            tcpdump(o),
        ),
    })
}

/// Which transports other endpoints of the address have answered in, if any.
fn answering(o: &Outcome, c: &Context<'_>) -> Option<&'static str> {
    let has = |transport| (c.peer)(o.endpoint.ip(), transport).has_answered();
    match (has(o.endpoint.transport), o.endpoint.transport) {
        (true, _) => Some("some ports"),
        (false, Transport::Tcp) => has(Transport::Udp).then_some("UDP"),
        (false, Transport::Udp) => has(Transport::Tcp).then_some("TCP"),
    }
}

fn is_dark(o: &Outcome) -> bool {
    is_silent(o) && o.evidence.control == Some(Control::Silent)
}

pub(super) fn lets_some_through(o: &Outcome, c: &Context<'_>) -> Option<Advice> {
    if !is_dark(o) || is_by_design(o) || went_silent(o, c).is_some() {
        return None;
    }
    let answering = answering(o, c)?;
    Some(match o.endpoint.transport {
        Transport::Tcp => Advice::new(
            format!(
                "the host answers for {answering} and for unused ones not at all: a firewall lets \
                 only some through, and {}/tcp is none of them",
                o.endpoint.port()
            ),
            trace(o),
        ),
        // Its refusals may be what is dropped: then an open port is as silent.
        Transport::Udp => Advice::new(
            format!(
                "the host answers for {answering} and not for unused UDP ports: a firewall drops \
                 UDP to it, or its ICMP errors: whether packets arrive there tells"
            ),
            tcpdump(o),
        ),
    })
}

pub(super) fn dark_address(o: &Outcome, c: &Context<'_>) -> Option<Advice> {
    (is_dark(o) && answering(o, c).is_none()).then(|| {
        let ip = o.endpoint.ip();
        let sentence =
            format!("{ip} answers for no port at all: it is down, or everything to it is dropped");
        Advice::new(sentence, trace(o))
    })
}

pub(super) fn dropped_behind_a_front(o: &Outcome, _: &Context<'_>) -> Option<Advice> {
    (is_silent(o) && o.evidence.control == Some(Control::Open)).then(|| {
        Advice::new(
            "something in front answers for unused ports and not for this one: a rule of that \
             proxy or firewall drops it",
            trace(o),
        )
    })
}

pub(super) fn ungraded(o: &Outcome, _: &Context<'_>) -> Option<Advice> {
    (is_silent(o) && o.evidence.control.is_none()).then(|| {
        Advice::new(
            "dropped by a rule, or the host is down: ask it another port, or see how far packets \
             get",
            trace(o),
        )
    })
}

pub(super) fn generic_payload(o: &Outcome, _: &Context<'_>) -> Option<Advice> {
    let generic = o.evidence.payload == PayloadKind::Generic;
    (is_silent(o) && generic && !is_by_design(o)).then(|| {
        Advice::new(
            "no plugin knows this port, so a generic datagram was sent: a named one sends what \
             its service answers",
            format!("{} --plugin NAME", ask(o)),
        )
    })
}
