//! Rules about silence, as control probes grade it.

use super::Context;
use super::refusal::trace;
use super::varying::went_silent;
use crate::model::{Control, Note, Outcome, PayloadKind, Reason, Transport};

fn is_budget_spent(o: &Outcome) -> bool {
    o.notes.iter().any(|n| matches!(n, Note::IcmpBudgetSpent { .. }))
}

/// Silence that is not explained by a missing ICMP budget.
pub(super) fn is_silent(o: &Outcome) -> bool {
    o.reason == Reason::NoResponse && !is_budget_spent(o)
}

pub(super) fn icmp_budget(o: &Outcome, _: &Context<'_>) -> Option<String> {
    is_budget_spent(o).then(|| {
        "the target rations its ICMP errors, so closed ports are not proved yet: --prove goes on \
         until they are"
            .into()
    })
}

pub(super) fn by_design(o: &Outcome, _: &Context<'_>) -> Option<String> {
    let service = o.notes.iter().find_map(|note| match note {
        Note::SilentByDesign { service } => Some(service),
        _ => None,
    })?;
    let port = o.endpoint.port();
    is_silent(o).then(|| match o.evidence.control {
        Some(Control::Closed) => format!(
            "the host answers for other ports, so this one is open and as silent as {service} is, \
             or dropped by a rule for it (tcpdump -n udp port {port} there shows whether packets \
             arrive)"
        ),
        _ => format!(
            "silence is what an open {service} looks like, and a closed port behind a firewall: \
             only the other end can tell (tcpdump -n udp port {port} there)"
        ),
    })
}

fn is_by_design(o: &Outcome) -> bool {
    o.notes.iter().any(|note| matches!(note, Note::SilentByDesign { .. }))
}

pub(super) fn silent_port(o: &Outcome, c: &Context<'_>) -> Option<String> {
    if went_silent(o, c).is_some() {
        return None;
    }
    let answers = match o.evidence.control {
        Some(Control::Closed) => "answers for other ports",
        Some(Control::Rejected) => "rejects other ports by a rule",
        _ => return None,
    };
    (is_silent(o) && !is_by_design(o)).then(|| match o.endpoint.transport {
        Transport::Tcp => format!(
            "the host {answers}, so a rule drops {}/tcp: a firewall or security group ({})",
            o.endpoint.port(),
            trace(o)
        ),
        Transport::Udp => format!(
            "the host {answers}, so this one is open and silent, or dropped by a rule for it \
             (tcpdump -n udp port {} there shows whether packets arrive)",
            o.endpoint.port()
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

pub(super) fn lets_some_through(o: &Outcome, c: &Context<'_>) -> Option<String> {
    if !is_dark(o) || is_by_design(o) || went_silent(o, c).is_some() {
        return None;
    }
    let answering = answering(o, c)?;
    let (port, transport) = (o.endpoint.port(), o.endpoint.transport);
    Some(match transport {
        Transport::Tcp => format!(
            "the host answers for {answering} and for unused ones not at all: a firewall lets only \
             some through, and {port}/{transport} is none of them ({})",
            trace(o)
        ),
        // Its refusals may be what is dropped: then an open port is as silent.
        Transport::Udp => format!(
            "the host answers for {answering} and not for unused UDP ports: a firewall drops UDP \
             to it, or its ICMP errors (tcpdump -n udp port {port} there shows whether packets \
             arrive)"
        ),
    })
}

pub(super) fn dark_address(o: &Outcome, c: &Context<'_>) -> Option<String> {
    (is_dark(o) && answering(o, c).is_none()).then(|| {
        format!(
            "{} answers for no port at all: it is down, or everything to it is dropped ({})",
            o.endpoint.ip(),
            trace(o)
        )
    })
}

pub(super) fn dropped_behind_a_front(o: &Outcome, _: &Context<'_>) -> Option<String> {
    (is_silent(o) && o.evidence.control == Some(Control::Open)).then(|| {
        "something in front answers for unused ports and not for this one: a rule of that proxy \
         or firewall drops it"
            .into()
    })
}

pub(super) fn ungraded(o: &Outcome, _: &Context<'_>) -> Option<String> {
    (is_silent(o) && o.evidence.control.is_none()).then(|| {
        format!(
            "dropped by a rule, or the host is down: ask it another port, or see how far packets get ({})",
            trace(o)
        )
    })
}

pub(super) fn generic_payload(o: &Outcome, _: &Context<'_>) -> Option<String> {
    let generic = o.evidence.payload == PayloadKind::Generic;
    (is_silent(o) && generic && !is_by_design(o)).then(|| {
        "no plugin knows this port, so a generic datagram was sent: --plugin NAME sends what that \
         service answers"
            .into()
    })
}
