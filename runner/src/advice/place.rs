//! Rules about an endpoint that is open from one place and not from another.

use super::Advice;
use crate::model::{PortState, Reason, Role, Transport};

/// How a place sees an endpoint that is open from elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The endpoint's address.
    pub address: &'a str,
    /// Its port.
    pub port: u16,
    /// Its transport.
    pub transport: Transport,
    /// Its state from there.
    pub state: PortState,
    /// Why.
    pub reason: Reason,
    /// Who said so.
    pub from: Option<&'a str>,
    /// What that is to the endpoint.
    pub from_role: Option<Role>,
    /// Whether it was asked in its service's own words.
    pub asked_by_plugin: bool,
}

impl Seen<'_> {
    /// The endpoint as a command takes it.
    fn endpoint(&self) -> String {
        format!("{} {}", self.address, self.transport.typed(self.port))
    }

    /// The command, run at that place, that shows how far packets get from it.
    fn trace(&self) -> String {
        format!("portscan trace {} there", self.endpoint())
    }
}

/// One rule about a place.
pub struct PlaceRule {
    /// kebab-case, for tests and documents.
    pub name: &'static str,
    /// What it looks at and when it speaks, in one line.
    pub about: &'static str,
    /// What it says, when it applies.
    pub say: fn(&Seen<'_>) -> Option<Advice>,
}

/// All rules about places. The first that applies is shown.
pub const PLACE_RULES: &[PlaceRule] = &[
    PlaceRule {
        name: "refused-elsewhere",
        about: "open from one place, refused from another",
        say: refused,
    },
    PlaceRule {
        name: "unanswered-elsewhere",
        about: "the same UDP question is answered at one place and not at another",
        say: unanswered,
    },
    PlaceRule {
        name: "unproved-elsewhere",
        about: "open from one place, UDP silence to a datagram of no protocol from another",
        say: unproved,
    },
    PlaceRule {
        name: "silent-elsewhere",
        about: "open from one place, TCP silence from another",
        say: silent,
    },
    PlaceRule {
        name: "source-rule-on-the-way",
        about: "open from one place, refused by rule of a router from another",
        say: rule_on_the_way,
    },
    PlaceRule {
        name: "no-way-from-there",
        about: "open from one place, unreachable by a router's word from another",
        say: no_way,
    },
    PlaceRule {
        name: "source-rule-at-target",
        about: "open from one place, refused by ICMP of the target from another",
        say: rule_at_target,
    },
    PlaceRule {
        name: "not-on-that-link",
        about: "open from one place, no neighbour answer at another",
        say: not_on_link,
    },
    PlaceRule {
        name: "source-rule-somewhere",
        about: "open from one place, refused by who knows whom from another",
        say: rule_somewhere,
    },
];

/// What it means that an endpoint is not open from a place although it is so from
/// elsewhere.
pub fn explain_place(seen: &Seen<'_>) -> Option<Advice> {
    PLACE_RULES.iter().find_map(|rule| (rule.say)(seen))
}

fn refused(seen: &Seen<'_>) -> Option<Advice> {
    (seen.state == PortState::Closed).then(|| {
        Advice::new(
            "another machine or service answers there under this address, or it refuses by source",
            seen.trace(),
        )
    })
}

fn unanswered(seen: &Seen<'_>) -> Option<Advice> {
    (seen.state == PortState::OpenFiltered && seen.asked_by_plugin).then(|| {
        Advice::new(
            "the same question is answered elsewhere: a rule by source drops it, the service \
             ignores this source, or the way back is missing",
            seen.trace(),
        )
    })
}

fn unproved(seen: &Seen<'_>) -> Option<Advice> {
    (seen.state == PortState::OpenFiltered && !seen.asked_by_plugin).then(|| {
        Advice::new(
            "silence proves nothing: ask in the service's own words",
            format!("portscan {} --plugin NAME there", seen.endpoint()),
        )
    })
}

fn silent(seen: &Seen<'_>) -> Option<Advice> {
    (seen.state == PortState::Filtered && seen.reason == Reason::NoResponse)
        .then(|| Advice::new("a rule by source drops it, or the way back is missing", seen.trace()))
}

/// The sender of the ICMP error, where it has this role.
fn sender<'a>(seen: &Seen<'a>, role: Role) -> Option<&'a str> {
    let is = seen.state == PortState::Filtered && seen.from_role == Some(role);
    seen.from.filter(|_| is)
}

fn rule_on_the_way(seen: &Seen<'_>) -> Option<Advice> {
    let from = sender(seen, Role::Router).filter(|_| !seen.reason.is_unreachable())?;
    Some(Advice::new(format!("a rule by source at {from}"), seen.trace()))
}

fn no_way(seen: &Seen<'_>) -> Option<Advice> {
    let from = sender(seen, Role::Router)?;
    Some(Advice::new(format!("{from} has no way on for packets from there"), seen.trace()))
}

fn rule_at_target(seen: &Seen<'_>) -> Option<Advice> {
    sender(seen, Role::Target)?;
    let command = format!("nft list ruleset at {}", seen.address);
    Some(Advice::new("a rule by source on the target itself", command))
}

fn not_on_link(seen: &Seen<'_>) -> Option<Advice> {
    sender(seen, Role::Own)?;
    Some(Advice::new(
        "it is not on the link that it is looked for on there",
        format!("ip neigh show {} there", seen.address),
    ))
}

fn rule_somewhere(seen: &Seen<'_>) -> Option<Advice> {
    (seen.state == PortState::Filtered)
        .then(|| Advice::new("a rule by source, of somebody who is not known", seen.trace()))
}
