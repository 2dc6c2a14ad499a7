use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::Context;
use super::refusal::is_missing_host;
use super::silence::is_silent;
use crate::model::{Control, Outcome, PortState, Transport};

/// Ports that are told apart in one sentence; more would hide the point.
const MOST_SENTENCES: usize = 2;

/// Whether a target is a name, rather than addresses: those have no letters, or colons.
fn is_name(target: &str) -> bool {
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

pub(super) fn stale_address(o: &Outcome, c: &Context<'_>) -> Option<String> {
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
    Some(format!(
        "{other}, another address of {name}, is open and {what}, or its DNS record is stale \
         (getent ahosts {name})"
    ))
}

pub(super) fn may_have_moved(o: &Outcome, c: &Context<'_>) -> Option<String> {
    let name = unanswered_name(o, c).filter(|_| is_gone(o))?;
    let (port, transport) = (o.endpoint.port(), o.endpoint.transport);
    let is_open = |ipv4| (c.open_address)(name, port, transport, ipv4).is_some();
    (!is_open(true) && !is_open(false)).then(|| {
        format!("if {name} has moved, DNS still has its old address (getent ahosts {name})")
    })
}

/// What the addresses of one name say together, when they do not all say the
/// same: a family that is broken, an address that is dead.
///
/// `rows` are all endpoints of the name. They are compared port by port, and
/// ports that tell the same story are told as one.
pub fn conclude_name(rows: &[&Outcome]) -> Option<String> {
    let addresses: BTreeSet<IpAddr> = rows.iter().map(|r| r.endpoint.ip()).collect();
    let mut ports: BTreeMap<(u16, Transport), BTreeMap<IpAddr, &Outcome>> = BTreeMap::new();
    for row in rows {
        let port = (row.endpoint.port(), row.endpoint.transport);
        ports.entry(port).or_default().insert(row.endpoint.ip(), row);
    }
    let mut stories: Vec<(String, Vec<String>)> = Vec::new();
    for ((port, transport), by_address) in &ports {
        let Some(sentence) = story(by_address) else { continue };
        let port = format!("{port}/{transport}");
        match stories.iter_mut().find(|(told, _)| *told == sentence) {
            Some((_, ports)) => ports.push(port),
            None => stories.push((sentence, vec![port])),
        }
    }
    if addresses.len() < 2 || stories.is_empty() {
        return None;
    }
    let all = ports.len();
    let told = stories.iter().take(MOST_SENTENCES).map(|(sentence, ports)| match ports.len() {
        n if n == all => sentence.clone(),
        1 => format!("{}: {sentence}", ports[0]),
        n => format!("{} and {} more ports: {sentence}", ports[0], n - 1),
    });
    Some(told.collect::<Vec<_>>().join("; "))
}

/// What the addresses say about one port, when it is open on some only.
fn story(by_address: &BTreeMap<IpAddr, &Outcome>) -> Option<String> {
    let (open, bad): (Vec<_>, Vec<_>) =
        by_address.iter().partition(|(_, row)| row.state == PortState::Open);
    // What could not be measured is no fact about the name.
    let bad: Vec<_> = bad.into_iter().filter(|(_, r)| r.state != PortState::Unknown).collect();
    let first = bad.first().filter(|_| !open.is_empty())?.1.state;
    let one_state = bad.iter().all(|(_, row)| row.state == first);
    let families =
        (open.iter().all(|(ip, _)| ip.is_ipv4()), bad.iter().all(|(ip, _)| ip.is_ipv6()));
    let mirrored =
        (open.iter().all(|(ip, _)| ip.is_ipv6()), bad.iter().all(|(ip, _)| ip.is_ipv4()));
    if one_state && families == (true, true) {
        return Some(format!(
            "IPv4 open, IPv6 {first}: check the AAAA record or {}",
            suspect(first, "IPv6")
        ));
    }
    if one_state && mirrored == (true, true) {
        return Some(format!(
            "IPv6 open, IPv4 {first}: check the A record or {}",
            suspect(first, "IPv4")
        ));
    }
    let list: Vec<String> = bad.iter().map(|(ip, row)| format!("{ip} {}", row.state)).collect();
    let silent = bad.iter().all(|(_, row)| row.state != PortState::Closed);
    let what = match (one_state && first == PortState::Closed, silent, bad.len()) {
        (true, _, 1) => "refuses",
        (true, ..) => "refuse",
        (_, true, 1) => "is dead",
        (_, true, _) => "are dead",
        _ => "are not open",
    };
    Some(format!(
        "{} of {} addresses {what} ({}): some clients will fail, others not",
        bad.len(),
        by_address.len(),
        list.join(", ")
    ))
}

/// What is wrong with one family most likely.
fn suspect(state: PortState, family: &str) -> String {
    match state {
        PortState::Closed => format!("whether the service listens on {family}"),
        _ => format!("the {family} firewall"),
    }
}
