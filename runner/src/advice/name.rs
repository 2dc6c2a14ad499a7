//! Rules about a row that is one of a name's addresses.

use super::refusal::is_missing_host;
use super::silence::is_silent;
use super::{Advice, Context};
use crate::model::{Control, Outcome, PortState, Transport};

/// Whether a target is a name, rather than addresses: those have no letters, or colons.
pub(super) fn is_name(target: &str) -> bool {
    target.chars().any(char::is_alphabetic) && !target.contains([':', '/'])
}

/// The name whose address a row is about, where nothing that was asked at that address
/// was answered.
fn unanswered_name<'o>(o: &'o Outcome, c: &Context<'_>) -> Option<&'o str> {
    let suspect = o.state == PortState::Filtered && is_missing_host(o.reason) || is_silent(o);
    let answers = |transport| (c.peer)(o.endpoint.ip(), transport).has_answered();
    let silent = suspect && is_name(&o.target);
    (silent && !answers(Transport::Tcp) && !answers(Transport::Udp)).then_some(&*o.target)
}

/// Nobody is there: a router or our own link says so, or unused ports are silent too.
fn is_gone(o: &Outcome) -> bool {
    !is_silent(o) || o.evidence.control == Some(Control::Silent)
}

pub(super) fn stale_address(o: &Outcome, c: &Context<'_>) -> Option<Advice> {
    let (ip, name) = (o.endpoint.ip(), unanswered_name(o, c)?);
    // Where a whole family fails, the family is the story, not one address of it.
    let (port, transport) = (o.endpoint.port(), o.endpoint.transport);
    let other = (c.open_address)(name, port, transport, ip.is_ipv4())?;
    let is_quiet = o.state == PortState::Filtered && o.evidence.control.is_none();
    let what = match (is_gone(o), is_quiet) {
        (true, _) => format!("nobody answers at {ip}: that host is down"),
        (_, true) => format!("{ip} is silent: a rule there drops it, that host is down"),
        _ => return None,
    };
    let sentence = format!(
        "{other}, another address of {name}, is open and {what}, or its DNS record is stale"
    );
    Some(Advice::new(sentence, format!("getent ahosts {name}")))
}

pub(super) fn may_have_moved(o: &Outcome, c: &Context<'_>) -> Option<Advice> {
    let name = unanswered_name(o, c).filter(|_| is_gone(o))?;
    let (port, transport) = (o.endpoint.port(), o.endpoint.transport);
    let is_open = |ipv4| (c.open_address)(name, port, transport, ipv4).is_some();
    (!is_open(true) && !is_open(false)).then(|| {
        Advice::new(
            format!("if {name} has moved, DNS still has its old address"),
            format!("getent ahosts {name}"),
        )
    })
}
