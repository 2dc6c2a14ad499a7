//! Trees to a plan: roles, targets, and everything that is wrong with them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use super::port::{Expectation, addresses, expectations};
use super::source::{Key, Node, Sources, Value};
use super::words::{Variables, meant};
use super::{Addresses, Complaints, Place, Plan, Planned, PlannedPort, keys};
use crate::model::{Family, Transport};
use crate::target::{Host, PortSpec, parse_ports, service_port};

/// What there is to know of plugins before anything is sent.
pub trait Known {
    /// The names of all plugins.
    fn plugins(&self) -> Vec<String>;
    /// What a plugin can find; none when nobody knows.
    fn findings(&self, plugin: &str) -> Option<Vec<&str>>;
    /// The plugin that looks at a port when the file names none.
    fn by_itself(&self, port: u16, transport: Transport) -> Option<String>;
    /// Whether a plugin has something to say over a transport.
    fn speaks(&self, plugin: &str, transport: Transport) -> bool;
    /// Whether a plugin takes a setting's value.
    ///
    /// # Errors
    /// A sentence that says why not.
    fn setting(&self, plugin: &str, name: &str, value: &str) -> Result<(), String>;
}

/// Reads the file at `path` and all that it includes.
///
/// # Errors
/// Everything that is wrong with them, at once.
pub fn read(
    path: &Path,
    reader: &mut dyn FnMut(&Path) -> Result<String, String>,
    known: &dyn Known,
) -> Result<Plan, Complaints> {
    let mut wrong = Complaints::default();
    let sources = Sources::read(path, reader, &mut wrong);
    let syntax = wrong.len();
    let mut reading = Reading { partial: sources.partial, known, ..Reading::new(known) };
    sources.tables.iter().for_each(|table| reading.variables(table, &mut wrong));
    reading.variables.partial = sources.partial;
    sources.tables.iter().for_each(|table| reading.roles(table, &mut wrong));
    sources.tables.iter().for_each(|table| reading.targets(table, &mut wrong));
    if reading.plan.targets.is_empty() && wrong.is_empty() {
        let start = Place { file: path.display().to_string().into(), line: 1, column: 1 };
        wrong.add(&start, "nothing is expected: there is no [targets.\"HOST\"]");
    }
    match wrong.is_empty() {
        true => Ok(reading.end()),
        false => Err(wrong.sorted(syntax)),
    }
}

/// Ports of a role or a target with what is expected of each.
#[derive(Clone, Default)]
struct Ports {
    all: Vec<(PortSpec, Width, Arc<Expectation>)>,
    /// Where each is said, as a single port and as one of several.
    places: HashMap<(PortSpec, Width), Place>,
    /// Something is wrong with one of them, and told: it is not among them.
    is_partial: bool,
}

/// How many ports a key names: a single one says more than a list that has it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Width {
    Single,
    Several,
}

struct Reading<'a> {
    known: &'a dyn Known,
    partial: bool,
    variables: Variables,
    roles: BTreeMap<String, (Place, Ports)>,
    used: BTreeSet<String>,
    named: HashMap<Arc<str>, Place>,
    plan: Plan,
}

impl<'a> Reading<'a> {
    fn new(known: &'a dyn Known) -> Reading<'a> {
        Reading {
            known,
            partial: false,
            variables: Variables::default(),
            roles: BTreeMap::new(),
            used: BTreeSet::new(),
            named: HashMap::new(),
            plan: Plan::default(),
        }
    }

    /// Variables; those of an including file replace those of an included one.
    fn variables(&mut self, table: &[(Key, Node)], wrong: &mut Complaints) {
        for (key, node) in table {
            if !keys::TOP.contains(&key.name.as_str()) {
                let hint = meant(&key.name, keys::TOP.iter().copied());
                wrong.add(&key.place, format!("no key '{}' at the top level{hint}", key.name));
            }
            if key.name != "variables" {
                continue;
            }
            for (key, node) in entries(node, "variables", wrong) {
                let value = match &node.value {
                    Value::Text(text) if text.contains("${") => {
                        wrong.add(&node.place, "a variable cannot be made of another one");
                        continue;
                    }
                    Value::Text(text) => text.clone(),
                    Value::Bare(number) => number.clone(),
                    other => {
                        wrong.add(&node.place, format!("a variable is text, not {}", other.kind()));
                        continue;
                    }
                };
                self.variables.known.insert(key.name.clone(), (key.place.clone(), value));
            }
        }
    }

    fn roles(&mut self, table: &[(Key, Node)], wrong: &mut Complaints) {
        let Some((_, node)) = table.iter().find(|(key, _)| key.name == "roles") else { return };
        for (key, node) in entries(node, "roles", wrong) {
            let mut ports = Ports::default();
            for (port, node) in entries(node, "a role", wrong) {
                if !self.port(port, node, &mut ports, wrong) {
                    ports.is_partial = true;
                    let text = format!(
                        "'{}' is no port: a role has nothing but ports{}",
                        port.name,
                        near_port(&port.name)
                    );
                    wrong.add(&port.place, text);
                }
            }
            if let Some((place, _)) = self.roles.get(&key.name) {
                wrong.add(&key.place, format!("the role '{}' is at {place} already", key.name));
                continue;
            }
            self.roles.insert(key.name.clone(), (key.place.clone(), ports));
        }
    }

    /// Takes a port's key; false when it is none.
    fn port(&self, key: &Key, node: &Node, ports: &mut Ports, wrong: &mut Complaints) -> bool {
        let name = self.variables.expand(&key.name, &key.place, wrong);
        if !looks_like_ports(&name) {
            return false;
        }
        let specs = match parse_ports(&name) {
            Ok(specs) => specs,
            Err(error) => {
                wrong.add(&key.place, error.to_string());
                ports.is_partial = true;
                return true;
            }
        };
        let width = if specs.len() == 1 { Width::Single } else { Width::Several };
        let before = wrong.len();
        let all = expectations(key, node, &self.variables, wrong);
        // What is wrong in part is looked through to its end, and no more is made of it.
        let is_whole = wrong.len() == before;
        ports.is_partial |= !is_whole;
        for expectation in all.into_iter().map(Arc::new) {
            if let Some(spec) = specs.first() {
                self.check(&expectation, &specs, *spec, is_whole, wrong);
            }
            if !is_whole {
                continue;
            }
            ports.all.extend(specs.iter().map(|spec| (*spec, width, expectation.clone())));
        }
        let mut clash = None;
        for spec in &specs {
            let before = ports.places.insert((*spec, width), key.place.clone());
            clash = clash.or(before.map(|place| (spec, place)));
        }
        if let Some((spec, place)) = clash {
            let text = format!("{}/{} is at {place} already", spec.port, spec.transport);
            wrong.add(&key.place, text);
        }
        true
    }

    /// Holds plugin, settings and findings to what there is.
    fn check(
        &self,
        expected: &Expectation,
        specs: &[PortSpec],
        first: PortSpec,
        is_whole: bool,
        wrong: &mut Complaints,
    ) {
        let by_itself = || self.known.by_itself(first.port, first.transport);
        if let Some((place, name)) = &expected.plugin {
            let plugins = self.known.plugins();
            if !plugins.contains(name) {
                let hint = meant(name, plugins.iter().map(String::as_str));
                return wrong
                    .add(place, format!("no plugin '{name}'{hint} (portscan plugin list)"));
            }
        }
        if let Some((place, name)) = &expected.plugin
            && !self.known.speaks(name, first.transport)
        {
            return wrong
                .add(place, format!("the plugin {name} does not speak {}", first.transport));
        }
        if !expected.needs_check() {
            return;
        }
        let name = match &expected.plugin {
            Some((_, name)) => Some(name.clone()),
            None if specs.len() == 1 => by_itself(),
            None => None,
        };
        let Some(name) = name else {
            // A plugin may have been meant by what is wrong.
            if !is_whole {
                return;
            }
            let ports = format!("{}/{}", first.port, first.transport);
            return wrong.add(
                &expected.place,
                format!(
                    "no plugin looks at {ports} by itself: name one, for example plugin = \"http\""
                ),
            );
        };
        for (place, setting, value) in &expected.settings {
            if let Err(why) = self.known.setting(&name, setting, value) {
                wrong.add(place, why);
            }
        }
        let Some(findings) = self.known.findings(&name) else { return };
        for (place, condition) in &expected.findings {
            if !findings.contains(&condition.name.as_str()) {
                let hint = meant(&condition.name, findings.iter().copied());
                wrong.add(place, format!("the plugin {name} finds no '{}'{hint}", condition.name));
            }
        }
    }

    fn targets(&mut self, table: &[(Key, Node)], wrong: &mut Complaints) {
        let Some((_, node)) = table.iter().find(|(key, _)| key.name == "targets") else { return };
        for (key, node) in entries(node, "targets", wrong) {
            let planned = self.target(key, node, wrong);
            let Some(planned) = planned else { continue };
            if let Some(place) = self.named.get(&planned.text) {
                wrong.add(
                    &key.place,
                    format!("the target '{}' is at {place} already", planned.text),
                );
                continue;
            }
            self.named.insert(planned.text.clone(), key.place.clone());
            self.plan.targets.push(planned);
        }
    }

    fn target(&mut self, key: &Key, node: &Node, wrong: &mut Complaints) -> Option<Planned> {
        let before = wrong.len();
        let text = self.variables.expand(&key.name, &key.place, wrong);
        // Without its variables it is no host, and nothing more is to be said of it.
        let host = match wrong.len() == before {
            true => host(&text).map_err(|why| wrong.add(&key.place, why)).ok(),
            false => None,
        };
        let mut planned = Planned {
            place: key.place.clone(),
            text: text.into(),
            host: Host::Name(String::new()),
            family: Family::Any,
            addresses: Vec::new(),
            ports: Vec::new(),
        };
        let (mut own, mut roles) = (Ports::default(), Vec::new());
        for (key, node) in entries(node, "a target", wrong) {
            match key.name.as_str() {
                "roles" => roles = self.variables.texts(node, "the name of a role", wrong),
                "family" => planned.family = self.family(node, wrong),
                "addresses" => planned.addresses = self.addresses(node, wrong),
                name => {
                    if !self.port(key, node, &mut own, wrong) {
                        let hint = match crate::nearest::nearest(name, keys::TARGET.iter().copied())
                        {
                            Some(word) => format!("; did you mean '{word}'?"),
                            None => near_port(name),
                        };
                        wrong.add(
                            &key.place,
                            format!("no key '{name}' of a target, and no port{hint}"),
                        );
                    }
                }
            }
        }
        let is_partial = own.is_partial
            || roles.iter().any(|(_, name)| self.roles.get(name).is_some_and(|r| r.1.is_partial));
        planned.ports = self.merged(own, &roles, wrong);
        planned.host = host?;
        let fits = match (&planned.host, planned.addresses.first()) {
            (Host::Name(_), Some(none)) if none.all.is_empty() && !planned.ports.is_empty() => {
                Some("a name that must not resolve has no ports")
            }
            (Host::Name(_), _) | (_, None) => None,
            (_, Some(_)) => Some("only a name resolves to addresses"),
        };
        if let (Some(why), Some(first)) = (fits, planned.addresses.first()) {
            wrong.add(&first.place, why);
        }
        let is_empty = planned.ports.is_empty() && planned.addresses.is_empty();
        if is_empty && !is_partial && wrong.len() == before {
            wrong.add(
                &key.place,
                format!(
                    "nothing is expected of '{}': give it roles, ports or addresses",
                    planned.text
                ),
            );
        }
        Some(planned)
    }

    /// A target's own ports and those of its roles; what says more of a port counts.
    fn merged(
        &mut self,
        own: Ports,
        roles: &[(Place, String)],
        wrong: &mut Complaints,
    ) -> Vec<PlannedPort> {
        let mut layers: Vec<(Option<Arc<str>>, Ports)> = vec![(None, own)];
        let mut named = Vec::new();
        for (place, name) in roles {
            match self.roles.get(name) {
                Some((_, ports)) => {
                    layers.push((Some(name.as_str().into()), ports.clone()));
                    named.push((place.clone(), name));
                }
                None if self.partial => {}
                None => {
                    let hint = meant(name, self.roles.keys().map(String::as_str));
                    wrong.add(place, format!("no role '{name}'{hint}"));
                }
            }
            self.used.insert(name.clone());
        }
        let mut all: Vec<PlannedPort> = Vec::new();
        // What was said first of each port, and where that is in `all`.
        let mut said: HashMap<PortSpec, (Width, usize, Vec<usize>)> = HashMap::new();
        let mut contradicts = HashSet::new();
        for width in [Width::Single, Width::Several] {
            for (layer, (role, ports)) in layers.iter().enumerate() {
                for (spec, _, expectation) in ports.all.iter().filter(|(_, w, _)| *w == width) {
                    let first = said.entry(*spec).or_insert((width, layer, Vec::new()));
                    if (first.0, first.1) == (width, layer) {
                        first.2.push(all.len());
                        let (role, expectation) = (role.clone(), expectation.clone());
                        all.push(PlannedPort { port: *spec, role, expectation });
                        continue;
                    }
                    let mut others = first.2.iter().filter_map(|at| all.get(*at));
                    let is_same =
                        |other: &PlannedPort| other.expectation.says_the_same(expectation);
                    // Two roles that want different things leave nobody any wiser: told once.
                    if first.0 == width
                        && first.1 != 0
                        && !contradicts.contains(&layer)
                        && !others.clone().any(is_same)
                        && let (Some(other), Some((place, _))) =
                            (others.next(), named.get(layer - 1))
                    {
                        contradicts.insert(layer);
                        wrong.add(place, contradiction(*spec, &other.expectation, expectation));
                    }
                }
            }
        }
        all.sort_by_key(|port| port.port);
        all
    }

    fn family(&self, node: &Node, wrong: &mut Complaints) -> Family {
        match self.variables.text(node, "family", wrong).as_deref() {
            Some("ipv4") => Family::Ipv4,
            Some("ipv6") => Family::Ipv6,
            Some(other) => {
                let hint = meant(other, keys::FAMILIES.iter().copied());
                wrong.add(&node.place, format!("no family '{other}'{hint}"));
                Family::Any
            }
            None => Family::Any,
        }
    }

    /// `addresses = [...]`, or a list for each vantage point.
    fn addresses(&self, node: &Node, wrong: &mut Complaints) -> Vec<Addresses> {
        let list = |place: &Place, from: Option<String>, node: &Node, wrong: &mut Complaints| {
            let all = addresses(node, &self.variables, wrong);
            Addresses { place: place.clone(), from, all }
        };
        match &node.value {
            Value::Table(entries) => entries
                .iter()
                .map(|(key, node)| list(&key.place, Some(key.name.clone()), node, wrong))
                .collect(),
            _ => vec![list(&node.place, None, node, wrong)],
        }
    }

    fn end(mut self) -> Plan {
        let unused = self.roles.iter().filter(|(name, _)| !self.used.contains(*name));
        let mut warnings: Vec<_> = unused
            .map(|(name, (place, _))| format!("{place}: no target has the role '{name}'"))
            .collect();
        self.plan.warnings.append(&mut warnings);
        self.plan
    }
}

/// The entries of a table, or a complaint that it is none.
fn entries<'n>(node: &'n Node, what: &str, wrong: &mut Complaints) -> &'n [(Key, Node)] {
    match &node.value {
        Value::Table(entries) => entries,
        other => {
            wrong.add(&node.place, format!("{what} is a table, not {}", other.kind()));
            &[]
        }
    }
}

/// That two roles say different things of a port.
fn contradiction(spec: PortSpec, first: &Expectation, second: &Expectation) -> String {
    let (port, transport) = (spec.port, spec.transport);
    format!(
        "{port}/{transport} is expected in two ways, at {} and {}: say in the target which one holds",
        first.place, second.place
    )
}

/// Whether a key can only be meant as ports.
fn looks_like_ports(name: &str) -> bool {
    let word = name.split(['/', ',']).next().unwrap_or(name);
    name.starts_with(|c: char| c.is_ascii_digit())
        || name.contains(['/', ','])
        || word == "all"
        || service_port(word).is_some()
}

/// The service that a key was probably meant to be.
fn near_port(name: &str) -> String {
    match parse_ports(name) {
        Err(crate::target::TargetError::Port { why, .. }) if why.contains("did you mean") => {
            format!("; {}", why.trim_start_matches("no such service; "))
        }
        _ => String::new(),
    }
}

/// A target's key: a host, and nothing else.
fn host(text: &str) -> Result<Host, String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    Host::parse(bare).map_err(|error| match text.rsplit_once(':') {
        Some((host, _)) if Host::parse(host.trim_matches(['[', ']'])).is_ok() => {
            format!("'{text}' names its port: write the host here and the port as a key below it")
        }
        _ => error.to_string(),
    })
}
