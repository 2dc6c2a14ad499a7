//! Rules from evidence to the next step, in plain words.
//!
//! A rule looks at the evidence of one endpoint, and at what else is known of
//! its peer and of this machine, and says what to do next, with one command
//! that would confirm it. Others look at all addresses of a name, or at one
//! endpoint from several places. Rules never change a verdict. Start reading at
//! [`RULES`]; `scenarios.rs` holds each of them to a made-up case.

mod addresses;
mod local;
#[cfg(test)]
mod manual;
mod name;
mod place;
mod refusal;
#[cfg(test)]
mod scenarios;
mod service;
mod silence;
mod varying;

pub use addresses::{NAME_RULES, NameRule, Split, conclude_name};
pub use place::{PLACE_RULES, PlaceRule, Seen, explain_place};

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use crate::model::{Note, Outcome, PortState, Transport};
use crate::vantage::Listeners;

/// What a rule may look at besides the endpoint itself.
pub struct Context<'a> {
    /// Whether an address belongs to this machine.
    pub is_own: &'a dyn Fn(IpAddr) -> bool,
    /// What listens on this machine; read when first asked for.
    pub listeners: &'a dyn Fn() -> &'a Listeners,
    /// Whether another endpoint of this run was found open so far.
    pub is_open: &'a dyn Fn(IpAddr, u16, Transport) -> bool,
    /// The first address of a name, among those of IPv4 or of IPv6, at which a port was
    /// found open so far.
    pub open_address: &'a dyn Fn(&str, u16, Transport, bool) -> Option<IpAddr>,
    /// What the other endpoints of an address showed so far.
    pub peer: &'a dyn Fn(IpAddr, Transport) -> Peer,
}

/// What the endpoints of one address and transport showed in a run so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// How many are open.
    pub open: u32,
    /// How many were refused by the target itself.
    pub closed: u32,
    /// How many of both without a packet lost.
    pub lossless: u32,
    /// How many were asked so far, those under way included.
    pub asked: u32,
    /// The last of the open and refused ones, by place in the request.
    pub last_answered: u64,
}

impl Peer {
    /// Takes one endpoint into account.
    pub fn add(&mut self, outcome: &Outcome) {
        let (open, closed) = (outcome.state == PortState::Open, outcome.state == PortState::Closed);
        self.open += u32::from(open);
        self.closed += u32::from(closed);
        if open || closed {
            self.last_answered = self.last_answered.max(outcome.order);
        }
        self.lossless += u32::from((open || closed) && !outcome.notes.contains(&Note::Loss));
    }

    /// How many were asked and have not answered.
    fn unanswered(self) -> u32 {
        self.asked.saturating_sub(self.open + self.closed)
    }

    /// Whether anything came back from it.
    fn has_answered(self) -> bool {
        self.open + self.closed > 0
    }
}

/// What a rule says. It may hold text from a network or a plugin: escape before
/// showing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// What is probably the case, and what to do.
    pub sentence: Cow<'static, str>,
    /// The command that would confirm it; with `there`, on the machine in question.
    pub command: Cow<'static, str>,
}

impl Advice {
    fn new(
        sentence: impl Into<Cow<'static, str>>,
        command: impl Into<Cow<'static, str>>,
    ) -> Advice {
        Advice { sentence: sentence.into(), command: command.into() }
    }
}

impl Advice {
    /// The sentence with its command. Put together, not formatted: a scan of all ports
    /// says it tens of thousands of times.
    fn text(&self) -> String {
        [&self.sentence, " (", &self.command, ")"].concat()
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

/// One rule about an endpoint.
pub struct Rule {
    /// kebab-case, for tests and documents.
    pub name: &'static str,
    /// What it looks at and when it speaks, in one line.
    pub about: &'static str,
    /// What it says, when it applies.
    pub say: fn(&Outcome, &Context<'_>) -> Option<Advice>,
}

/// All rules. The first [`MOST`] that apply are shown, so the more specific
/// stand first.
pub const RULES: &[Rule] = &[
    Rule {
        name: "bound-elsewhere",
        about: "refused here while a listener is bound to another own address",
        say: local::bound_elsewhere,
    },
    Rule {
        name: "nothing-listens",
        about: "refused on an own address where nothing listens",
        say: local::nothing_listens,
    },
    Rule {
        name: "own-rejection",
        about: "refused on an own address although something listens there",
        say: local::own_rejection,
    },
    Rule {
        name: "could-not-measure",
        about: "this machine was in the way: no route, own firewall, a limit",
        say: local::could_not_measure,
    },
    Rule {
        name: "wrong-transport",
        about: "not open, but the same port of the other transport is",
        say: refusal::wrong_transport,
    },
    Rule {
        name: "refused",
        about: "the target's RST, or its port-unreachable for UDP",
        say: refusal::refused,
    },
    Rule {
        name: "rejected-by-target",
        about: "an ICMP refusal by the target itself",
        say: refusal::rejected_by_target,
    },
    Rule {
        name: "rejected-on-the-way",
        about: "an ICMP refusal by rule of somebody on the way",
        say: refusal::rejected_on_the_way,
    },
    Rule {
        name: "stale-address",
        about: "of one name's addresses, one is open and nothing is answered at another",
        say: name::stale_address,
    },
    Rule {
        name: "no-neighbour",
        about: "no ARP or neighbour answer on our own link",
        say: refusal::no_neighbour,
    },
    Rule { name: "routing-loop", about: "packets expire on the way", say: refusal::routing_loop },
    Rule {
        name: "host-down",
        about: "the last router gets no answer from the host",
        say: refusal::host_down,
    },
    Rule { name: "no-way", about: "a router knows no way to the target", say: refusal::no_way },
    Rule {
        name: "icmp-budget",
        about: "the ICMP budget withholds the proof",
        say: silence::icmp_budget,
    },
    Rule {
        name: "silent-by-design",
        about: "UDP silence of a service for which no answer is normal",
        say: silence::by_design,
    },
    Rule {
        name: "went-silent",
        about: "silence after many ports of the host were refused, of all later or of unused ones",
        say: varying::went_silent,
    },
    Rule {
        name: "silent-port",
        about: "silence, while control ports are answered",
        say: silence::silent_port,
    },
    Rule {
        name: "lets-some-through",
        about: "silence, also of unused ports, while other ports of the host answer",
        say: silence::lets_some_through,
    },
    Rule {
        name: "dark-address",
        about: "silence of the whole address",
        say: silence::dark_address,
    },
    Rule {
        name: "may-have-moved",
        about: "a name leads to addresses where nobody is",
        say: name::may_have_moved,
    },
    Rule {
        name: "dropped-behind-a-front",
        about: "silence, while control ports are open",
        say: silence::dropped_behind_a_front,
    },
    Rule {
        name: "ungraded-silence",
        about: "silence without control probes beside it",
        say: silence::ungraded,
    },
    Rule {
        name: "generic-payload",
        about: "UDP silence to a datagram of no protocol",
        say: silence::generic_payload,
    },
    Rule {
        name: "open-for-everything",
        about: "ports that nobody uses are open too",
        say: service::open_for_everything,
    },
    Rule {
        name: "comes-and-goes",
        about: "open in some rounds of --count and not in others",
        say: varying::comes_and_goes,
    },
    Rule {
        name: "lost-alone",
        about: "answered after losses, while other ports of the host lost nothing",
        say: varying::lost_alone,
    },
    Rule {
        name: "hangs-up",
        about: "the connection is reset right after the handshake",
        say: service::hangs_up,
    },
    Rule {
        name: "other-service",
        about: "open, and another protocol answers",
        say: service::other_service,
    },
    Rule {
        name: "certificate",
        about: "a certificate that has expired or soon will",
        say: service::certificate,
    },
    Rule {
        name: "unhealthy",
        about: "open, and the service says that it cannot serve",
        say: service::unhealthy,
    },
];

/// Most sentences under one row.
pub const MOST: usize = 2;

/// What to do next about one endpoint; nothing when all is well.
pub fn advise(outcome: &Outcome, context: &Context<'_>) -> Vec<String> {
    let said = RULES.iter().filter_map(|rule| (rule.say)(outcome, context)).take(MOST);
    said.map(|advice| advice.text()).collect()
}
