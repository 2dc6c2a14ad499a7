//! Rules about silence, as control probes grade it.

use super::Context;
use super::refusal::trace;
use crate::model::{Control, Note, Outcome, PayloadKind, Reason, Transport};

fn is_budget_spent(o: &Outcome) -> bool {
    o.notes.iter().any(|n| matches!(n, Note::IcmpBudgetSpent { .. }))
}

/// Silence that is not explained by a missing ICMP budget.
fn is_silent(o: &Outcome) -> bool {
    o.reason == Reason::NoResponse && !is_budget_spent(o)
}

pub(super) fn icmp_budget(o: &Outcome, _: &Context<'_>) -> Option<String> {
    is_budget_spent(o).then(|| {
        "the target rations its ICMP errors, so closed ports are not proved yet: --prove goes on \
         until they are"
            .into()
    })
}

pub(super) fn silent_port(o: &Outcome, _: &Context<'_>) -> Option<String> {
    let answers = match o.evidence.control {
        Some(Control::Closed) => "answers for other ports",
        Some(Control::Rejected) => "rejects other ports by a rule",
        _ => return None,
    };
    is_silent(o).then(|| match o.endpoint.transport {
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

pub(super) fn dark_address(o: &Outcome, _: &Context<'_>) -> Option<String> {
    (is_silent(o) && o.evidence.control == Some(Control::Silent)).then(|| {
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
    let by_design = o.notes.iter().any(|n| matches!(n, Note::SilentByDesign { .. }));
    let generic = o.evidence.payload == PayloadKind::Generic;
    (is_silent(o) && generic && !by_design).then(|| {
        "no plugin knows this port, so a generic datagram was sent: --plugin NAME sends what that \
         service answers"
            .into()
    })
}
