//! What is expected of one port.

use std::fmt;
use std::net::IpAddr;

use super::source::{Key, Node, Value};
use super::words::{Variables, meant};
use super::{Complaints, Condition, Limit, Place, keys};
use crate::model::{Health, PortState, Reason};

/// The state that a port ought to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Exactly this state.
    State(PortState),
    /// Any measured state but open.
    NotOpen,
    /// Filtered, and an ICMP error says so.
    Rejected,
    /// Nothing comes back: filtered (TCP) or open|filtered (UDP) for silence.
    Dropped,
}

impl Expected {
    fn parse(text: &str) -> Option<Expected> {
        Some(match text {
            "not-open" => Expected::NotOpen,
            "rejected" => Expected::Rejected,
            "dropped" => Expected::Dropped,
            "unknown" => return None,
            _ => Expected::State(PortState::ALL.into_iter().find(|s| s.name() == text)?),
        })
    }

    /// Whether a measured state is so.
    pub fn holds(self, state: PortState, reason: Reason) -> bool {
        let silent = reason == Reason::NoResponse;
        match self {
            Expected::State(wanted) => state == wanted,
            Expected::NotOpen => state != PortState::Open,
            Expected::Rejected => state == PortState::Filtered && !silent,
            Expected::Dropped => {
                silent && matches!(state, PortState::Filtered | PortState::OpenFiltered)
            }
        }
    }

    /// The word of the file.
    pub fn name(self) -> &'static str {
        match self {
            Expected::State(state) => state.name(),
            Expected::NotOpen => "not-open",
            Expected::Rejected => "rejected",
            Expected::Dropped => "dropped",
        }
    }
}

/// Who ought to send the rejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// This address.
    Address(IpAddr),
    /// The machine itself.
    Target,
    /// Somebody on the way to it.
    Router,
}

impl By {
    fn parse(text: &str) -> Option<By> {
        match text {
            "target" => Some(By::Target),
            "router" => Some(By::Router),
            _ => text.parse().ok().map(|ip: IpAddr| By::Address(ip.to_canonical())),
        }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            By::Address(ip) => write!(f, "{ip}"),
            By::Target => f.write_str("target"),
            By::Router => f.write_str("router"),
        }
    }
}

/// All that is expected of one port at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// Where it is written.
    pub place: Place,
    /// The port's state.
    pub state: Expected,
    /// The reason of a rejection.
    pub code: Option<Reason>,
    /// Its sender.
    pub by: Option<By>,
    /// The service's health.
    pub health: Option<Health>,
    /// What the plugin must find.
    pub findings: Vec<(Place, Condition)>,
    /// What a round trip may take.
    pub rtt: Option<Limit>,
    /// The plugin that must confirm the service.
    pub plugin: Option<(Place, String)>,
    /// Settings of that plugin: name and value as typed.
    pub settings: Vec<(Place, String, String)>,
    /// Vantage points that it holds from; empty for all.
    pub from: Vec<String>,
    /// Addresses of the target that it holds for; empty for all.
    pub at: Vec<IpAddr>,
}

impl Expectation {
    /// Whether it says the same as another, wherever they stand.
    pub(super) fn says_the_same(&self, other: &Expectation) -> bool {
        format!("{self}") == format!("{other}")
            && (&self.from, &self.at) == (&other.from, &other.at)
            && self
                .settings
                .iter()
                .map(|(_, n, v)| (n, v))
                .eq(other.settings.iter().map(|(_, n, v)| (n, v)))
    }

    /// Whether it speaks of the service, so that a plugin must look.
    pub fn needs_check(&self) -> bool {
        self.health.is_some() || !self.findings.is_empty() || self.plugin.is_some()
    }
}

impl fmt::Display for Expectation {
    /// In the order in which it is compared: `open, postgres, healthy, rtt < 50ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.state.name())?;
        self.code.map_or(Ok(()), |code| write!(f, " ({code})"))?;
        self.by.map_or(Ok(()), |by| write!(f, " by {by}"))?;
        self.plugin.as_ref().map_or(Ok(()), |(_, plugin)| write!(f, ", {plugin}"))?;
        self.health.map_or(Ok(()), |health| write!(f, ", {}", health.name()))?;
        self.findings.iter().try_for_each(|(_, condition)| write!(f, ", {condition}"))?;
        self.rtt.map_or(Ok(()), |limit| write!(f, ", rtt {limit}"))
    }
}

/// Reads what a port's key says: a state, a table, or a list of tables.
pub(super) fn expectations(
    key: &Key,
    node: &Node,
    variables: &Variables,
    wrong: &mut Complaints,
) -> Vec<Expectation> {
    match &node.value {
        Value::List(nodes) if nodes.is_empty() => {
            wrong.add(&node.place, "nothing is expected here: write a state");
            Vec::new()
        }
        Value::List(nodes) => {
            nodes.iter().filter_map(|node| one(&node.place, node, variables, wrong)).collect()
        }
        _ => one(&key.place, node, variables, wrong).into_iter().collect(),
    }
}

fn one(
    place: &Place,
    node: &Node,
    variables: &Variables,
    wrong: &mut Complaints,
) -> Option<Expectation> {
    let mut all = Draft::default();
    let before = wrong.len();
    match &node.value {
        Value::Text(_) => {
            all.state = state(node, variables, wrong);
            all.state_is_wrong = all.state.is_none();
        }
        Value::Table(entries) => {
            for (key, node) in entries {
                all.take(key, node, variables, wrong);
            }
        }
        other => {
            let kind = other.kind();
            wrong.add(&node.place, format!("a port has a state or a table, not {kind}"));
            return None;
        }
    }
    // What is said to be wrong already may have been meant as the state.
    all.state_is_wrong |= wrong.len() > before;
    all.end(place, wrong)
}

/// What is read so far.
#[derive(Default)]
struct Draft {
    /// It was given and is wrong: nothing more is to be said of it.
    state_is_wrong: bool,
    state: Option<Expected>,
    code: Option<(Place, Reason)>,
    by: Option<(Place, By)>,
    health: Option<(Place, Health)>,
    findings: Vec<(Place, Condition)>,
    rtt: Option<(Place, Limit)>,
    plugin: Option<(Place, String)>,
    settings: Vec<(Place, String, String)>,
    from: Vec<String>,
    at: Vec<IpAddr>,
}

impl Draft {
    fn take(&mut self, key: &Key, node: &Node, variables: &Variables, wrong: &mut Complaints) {
        let place = &node.place;
        match key.name.as_str() {
            "state" => {
                self.state = state(node, variables, wrong);
                self.state_is_wrong = self.state.is_none();
            }
            "code" => self.code = word(node, "code", variables, wrong, code, CODES),
            "by" => {
                let what = "by is an address, 'target' or 'router'";
                self.by = word(node, "by", variables, wrong, By::parse, what);
            }
            "health" => self.health = health(node, variables, wrong),
            "rtt" => {
                let text = variables.text(node, "rtt", wrong);
                self.rtt = text.and_then(|text| {
                    Some((place.clone(), told(place, Limit::parse(&text), wrong)?))
                });
            }
            "findings" => {
                for (place, text) in variables.texts(node, "a finding's condition", wrong) {
                    let condition = told(&place, Condition::parse(&text), wrong);
                    self.findings.extend(condition.map(|condition| (place, condition)));
                }
            }
            "plugin" => {
                self.plugin = variables.text(node, "plugin", wrong).map(|p| (place.clone(), p))
            }
            "set" => self.settings(node, variables, wrong),
            "from" => {
                let names = variables.texts(node, "the name of a vantage point", wrong);
                self.from.extend(names.into_iter().map(|(_, name)| name));
            }
            "at" => self.at = addresses(node, variables, wrong),
            name => {
                let hint = meant(name, keys::PORT.iter().copied());
                wrong.add(&key.place, format!("no key '{name}' of a port{hint}"));
            }
        }
    }

    fn settings(&mut self, node: &Node, variables: &Variables, wrong: &mut Complaints) {
        let Value::Table(entries) = &node.value else {
            return wrong.add(&node.place, "set is a table: set = { user = \"me\" }");
        };
        for (key, node) in entries {
            let text = match &node.value {
                Value::Text(text) => variables.expand(text, &node.place, wrong),
                Value::Boolean(is) => is.to_string(),
                Value::Bare(number) => number.clone(),
                other => {
                    let text =
                        format!("a setting is text, a number or a boolean, not {}", other.kind());
                    wrong.add(&node.place, text);
                    continue;
                }
            };
            self.settings.push((key.place.clone(), key.name.clone(), text));
        }
    }

    /// The expectation, when what was read makes sense together.
    fn end(self, place: &Place, wrong: &mut Complaints) -> Option<Expectation> {
        if self.state_is_wrong {
            // Nobody makes anything of its state; its plugin and findings can be wrong, too.
            return Some(self.expectation(place, Expected::NotOpen));
        }
        let of_service = self.health.as_ref().map(|(place, _)| (place, "health"));
        let of_service = of_service
            .or(self.findings.first().map(|(place, _)| (place, "findings")))
            .or(self.plugin.as_ref().map(|(place, _)| (place, "plugin")))
            .or(self.rtt.as_ref().map(|(place, _)| (place, "rtt")));
        let of_no = self.code.as_ref().map(|(place, _)| (place, "code"));
        let of_no = of_no.or(self.by.as_ref().map(|(place, _)| (place, "by")));
        let implied = match (of_service, of_no) {
            (Some(_), _) => Some(Expected::State(PortState::Open)),
            (None, Some(_)) => Some(Expected::Rejected),
            (None, None) => None,
        };
        let Some(state) = self.state.or(implied) else {
            wrong.add(
                place,
                format!("no state is expected here; known are {}", keys::STATES.join(", ")),
            );
            return None;
        };
        let is_open = state == Expected::State(PortState::Open);
        if let Some((place, key)) = of_service.filter(|(_, key)| *key != "rtt" && !is_open) {
            wrong.add(
                place,
                format!(
                    "{key} is a fact about a service: the state must be open, not {}",
                    state.name()
                ),
            );
        }
        let can_be_no = matches!(
            state,
            Expected::Rejected
                | Expected::State(PortState::Filtered | PortState::Closed)
                | Expected::NotOpen
        );
        if let Some((place, key)) = of_no.filter(|_| !can_be_no) {
            wrong.add(
                place,
                format!(
                    "{key} is a fact about a rejection: the state must be rejected, not {}",
                    state.name()
                ),
            );
        }
        if let (Some((place, ..)), None) = (self.settings.first(), &self.plugin) {
            wrong.add(place, "set means something only with plugin: say whose setting it is");
        }
        Some(self.expectation(place, state))
    }

    fn expectation(self, place: &Place, state: Expected) -> Expectation {
        Expectation {
            place: place.clone(),
            state,
            code: self.code.map(|(_, code)| code),
            by: self.by.map(|(_, by)| by),
            health: self.health.map(|(_, health)| health),
            findings: self.findings,
            rtt: self.rtt.map(|(_, limit)| limit),
            plugin: self.plugin,
            settings: self.settings,
            from: self.from,
            at: self.at,
        }
    }
}

const CODES: &str = "code is the reason of a rejection, for example admin-prohibited";

fn state(node: &Node, variables: &Variables, wrong: &mut Complaints) -> Option<Expected> {
    let text = variables.text(node, "a state", wrong)?;
    let state = Expected::parse(&text);
    if state.is_none() {
        let hint = match text.as_str() {
            "unknown" => "; what cannot be measured cannot be expected".to_owned(),
            _ => meant(&text, keys::STATES.iter().copied()),
        };
        wrong.add(&node.place, format!("no state '{text}'{hint}"));
    }
    state
}

fn health(node: &Node, variables: &Variables, wrong: &mut Complaints) -> Option<(Place, Health)> {
    let text = variables.text(node, "health", wrong)?;
    let all = [Health::Healthy, Health::Degraded, Health::Unhealthy, Health::Unknown];
    let found = all.into_iter().find(|health| health.name() == text);
    if found.is_none() {
        let hint = meant(&text, keys::HEALTHS.iter().copied());
        wrong.add(&node.place, format!("no health '{text}'{hint}"));
    }
    Some((node.place.clone(), found?))
}

/// The reasons that an ICMP error can be.
pub(super) fn codes() -> impl Iterator<Item = Reason> {
    Reason::ALL.iter().copied().filter(|reason| {
        !matches!(
            reason,
            Reason::SynAck
                | Reason::Reset
                | Reason::UdpResponse
                | Reason::NoResponse
                | Reason::LocalNoRoute
                | Reason::LocalDenied
                | Reason::LocalLimit
                | Reason::Interrupted
        )
    })
}

fn code(text: &str) -> Option<Reason> {
    codes().find(|reason| reason.name() == text)
}

/// A text that `parse` understands, or the complaint that it does not.
fn word<T>(
    node: &Node,
    key: &str,
    variables: &Variables,
    wrong: &mut Complaints,
    parse: impl Fn(&str) -> Option<T>,
    what: &str,
) -> Option<(Place, T)> {
    let text = variables.text(node, key, wrong)?;
    match parse(&text) {
        Some(value) => Some((node.place.clone(), value)),
        None => {
            let known: Vec<&str> = match key {
                "code" => codes().map(Reason::name).collect(),
                _ => vec!["target", "router"],
            };
            let near = crate::nearest::nearest(&text, known.into_iter());
            let hint = near.map(|word| format!("; did you mean '{word}'?")).unwrap_or_default();
            wrong.add(&node.place, format!("'{text}': {what}{hint}"));
            None
        }
    }
}

/// A list of addresses.
pub(super) fn addresses(node: &Node, variables: &Variables, wrong: &mut Complaints) -> Vec<IpAddr> {
    let mut all = Vec::new();
    for (place, text) in variables.texts(node, "an address", wrong) {
        match text.parse::<IpAddr>() {
            Ok(ip) => all.push(ip.to_canonical()),
            Err(_) => wrong.add(&place, format!("'{text}' is no IP address")),
        }
    }
    all
}

fn told<T>(place: &Place, result: Result<T, String>, wrong: &mut Complaints) -> Option<T> {
    result.map_err(|why| wrong.add(place, why)).ok()
}
