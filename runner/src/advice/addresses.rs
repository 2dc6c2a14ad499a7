//! Rules about all addresses of a name, held against each other.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::Advice;
use crate::model::{Outcome, PortState, Transport};

/// Ports that are told apart in one sentence; more would hide the point.
const MOST_SENTENCES: usize = 2;

/// A port that is open at some addresses of a name and not at others.
pub struct Split<'a> {
    name: &'a str,
    port: u16,
    transport: Transport,
    open: Vec<IpAddr>,
    /// What could not be measured is no fact about the name, and not here.
    bad: Vec<(IpAddr, PortState)>,
    addresses: usize,
}

impl Split<'_> {
    /// The state of all that are not open, where they have one in common.
    fn one_state(&self) -> Option<PortState> {
        let first = self.bad.first()?.1;
        self.bad.iter().all(|(_, state)| *state == first).then_some(first)
    }
}

/// One rule about a name.
pub struct NameRule {
    /// kebab-case, for tests and documents.
    pub name: &'static str,
    /// What it looks at and when it speaks, in one line.
    pub about: &'static str,
    /// What it says, when it applies.
    pub say: fn(&Split<'_>) -> Option<Advice>,
}

/// All rules about a name. The first that applies is shown.
pub const NAME_RULES: &[NameRule] = &[
    NameRule {
        name: "one-family-broken",
        about: "a name's addresses of one family are open, and those of the other are not",
        say: one_family,
    },
    NameRule {
        name: "some-addresses-broken",
        about: "some of a name's addresses are open, and others are not",
        say: some_addresses,
    },
];

fn one_family(split: &Split<'_>) -> Option<Advice> {
    let state = split.one_state()?;
    let is = |v4: fn(&IpAddr) -> bool, other: fn(&IpAddr) -> bool| {
        split.open.iter().all(v4) && split.bad.iter().all(|(ip, _)| other(ip))
    };
    let (good, broken, record, option) = match () {
        () if is(IpAddr::is_ipv4, IpAddr::is_ipv6) => ("IPv4", "IPv6", "AAAA", "-6"),
        () if is(IpAddr::is_ipv6, IpAddr::is_ipv4) => ("IPv6", "IPv4", "A", "-4"),
        () => return None,
    };
    let suspect = match state {
        PortState::Closed => format!("whether the service listens on {broken}"),
        _ => format!("the {broken} firewall"),
    };
    Some(Advice::new(
        format!("{good} open, {broken} {state}: check the {record} record or {suspect}"),
        format!("portscan {} {} {option}", split.name, split.transport.typed(split.port)),
    ))
}

fn some_addresses(split: &Split<'_>) -> Option<Advice> {
    let is_closed = split.one_state() == Some(PortState::Closed);
    let silent = split.bad.iter().all(|(_, state)| *state != PortState::Closed);
    let what = match (is_closed, silent, split.bad.len()) {
        (true, _, 1) => "refuses",
        (true, ..) => "refuse",
        // Filtered by a rule, or gone: only its own row tells.
        (_, true, _) => "cannot be reached",
        _ => "are not open",
    };
    let list: Vec<String> = split.bad.iter().map(|(ip, state)| format!("{ip} {state}")).collect();
    let sentence = format!(
        "{} of {} addresses {what} ({}): some clients will fail, others not",
        split.bad.len(),
        split.addresses,
        list.join(", ")
    );
    Some(Advice::new(sentence, format!("getent ahosts {}", split.name)))
}

/// The ports that are open at some addresses and not at others.
fn splits<'a>(rows: &[&'a Outcome]) -> (Vec<Split<'a>>, usize) {
    let mut ports: BTreeMap<(u16, Transport), BTreeMap<IpAddr, &'a Outcome>> = BTreeMap::new();
    for row in rows {
        let port = (row.endpoint.port(), row.endpoint.transport);
        ports.entry(port).or_default().insert(row.endpoint.ip(), row);
    }
    let asked = ports.len();
    let split = |((port, transport), by_address): (_, BTreeMap<IpAddr, &'a Outcome>)| {
        let name: &str = &by_address.values().next()?.target;
        let (open, bad): (Vec<_>, Vec<_>) =
            by_address.iter().partition(|(_, row)| row.state == PortState::Open);
        let open: Vec<IpAddr> = open.into_iter().map(|(ip, _)| *ip).collect();
        let bad = bad.into_iter().filter(|(_, row)| row.state != PortState::Unknown);
        let bad: Vec<(IpAddr, PortState)> = bad.map(|(ip, row)| (*ip, row.state)).collect();
        let is_split = !open.is_empty() && !bad.is_empty();
        let addresses = by_address.len();
        is_split.then_some(Split { name, port, transport, open, bad, addresses })
    };
    (ports.into_iter().filter_map(split).collect(), asked)
}

/// What the addresses of one name say together, when they do not all say the
/// same: a family that is broken, an address that is dead.
///
/// `rows` are all endpoints of the name. They are compared port by port, and
/// ports that tell the same story are told as one.
pub fn conclude_name(rows: &[&Outcome]) -> Option<String> {
    let addresses: BTreeSet<IpAddr> = rows.iter().map(|r| r.endpoint.ip()).collect();
    let (splits, asked) = splits(rows);
    let mut stories: Vec<(Advice, Vec<String>)> = Vec::new();
    for split in &splits {
        let Some(advice) = NAME_RULES.iter().find_map(|rule| (rule.say)(split)) else { continue };
        let port = format!("{}/{}", split.port, split.transport);
        match stories.iter_mut().find(|(told, _)| told.sentence == advice.sentence) {
            Some((_, ports)) => ports.push(port),
            None => stories.push((advice, vec![port])),
        }
    }
    if addresses.len() < 2 || stories.is_empty() {
        return None;
    }
    let told = stories.iter().take(MOST_SENTENCES).map(|(advice, ports)| match ports.as_slice() {
        all if all.len() == asked => advice.to_string(),
        [one] => format!("{one}: {advice}"),
        [first, more @ ..] => format!("{first} and {} more ports: {advice}", more.len()),
        [] => String::new(),
    });
    Some(told.collect::<Vec<_>>().join("; "))
}

/// What each rule says of a name's rows, for documents.
#[cfg(test)]
pub(super) fn applied(rows: &[&Outcome]) -> Vec<(&'static str, Advice)> {
    let (splits, _) = splits(rows);
    let first = |split| NAME_RULES.iter().find_map(|r| Some((r.name, (r.say)(split)?)));
    splits.iter().filter_map(first).collect()
}
