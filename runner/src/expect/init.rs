//! The file that describes what is there now.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use super::Resolved;
use crate::model::{Family, Health, PortState, Reason, Transport, Verdict};
use crate::report::{EndpointRow, Report};

/// A file that was made of a report.
#[derive(Clone, Debug)]
pub struct Written {
    /// Its text.
    pub text: String,
    /// What could not be measured and is missing in it, a sentence each.
    pub left_out: Vec<String>,
}

/// The text of a file whose check, now, finds all as expected.
///
/// `family` is the one that the run was limited to; with `named` plugins are
/// written down, because they do not look at these ports by themselves.
pub fn init(
    report: &Report,
    resolved: &HashMap<String, Resolved>,
    family: Family,
    named: bool,
) -> Written {
    let mut text = format!(
        "# What portscan found on {}; portscan check FILE holds later runs against it.\n",
        report.head.started.split('T').next().unwrap_or_default()
    );
    let mut left_out = Vec::new();
    for row in report.tail.unresolved.iter() {
        left_out.push(format!("{}: it has no address ({})", row.target, row.reason.name()));
    }
    for (target, rows) in targets(report, resolved) {
        text += &format!("\n[targets.{}]\n", quoted(&target));
        if let Some(found) = resolved.get(&target) {
            text += &addresses(found, family);
        }
        let (known, unknown): (Vec<&EndpointRow<'_>>, Vec<_>) =
            rows.into_iter().partition(|row| row.state != PortState::Unknown);
        left_out.extend(unknown.iter().map(|row| {
            format!("{target} {}/{}: unknown ({})", row.port, row.transport, row.reason)
        }));
        text += &ports(&known, resolved.contains_key(&target), named);
    }
    Written { text, left_out }
}

/// Rows by what becomes a target: the name, or each address of a block.
fn targets<'r>(
    report: &'r Report,
    resolved: &HashMap<String, Resolved>,
) -> Vec<(String, Vec<&'r EndpointRow<'static>>)> {
    let mut order: Vec<(String, Vec<&EndpointRow<'static>>)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for row in &report.endpoints {
        let target = match resolved.contains_key(&*row.target) {
            true => row.target.to_string(),
            false => row.address.clone(),
        };
        let place = *places.entry(target.clone()).or_insert_with(|| {
            order.push((target, Vec::new()));
            order.len() - 1
        });
        // A target that was asked for twice has its rows twice.
        let rows = &mut order[place].1;
        let same = |other: &&EndpointRow<'_>| {
            (&other.address, other.port, other.transport) == (&row.address, row.port, row.transport)
        };
        if !rows.iter().any(same) {
            rows.push(row);
        }
    }
    order
}

fn addresses(found: &Resolved, family: Family) -> String {
    let mut all: Vec<IpAddr> = found.addresses.clone();
    all.sort();
    let list: Vec<String> = all.iter().map(|ip| quoted(&ip.to_string())).collect();
    let family = match family {
        Family::Any => "",
        Family::Ipv4 => "family = \"ipv4\"\n",
        Family::Ipv6 => "family = \"ipv6\"\n",
    };
    format!("{family}addresses = [{}]\n", list.join(", "))
}

/// Lines of one target's ports; those with the same words share a line.
fn ports(rows: &[&EndpointRow<'_>], is_name: bool, named: bool) -> String {
    let mut by_port: BTreeMap<(Transport, u16), Vec<&EndpointRow<'_>>> = BTreeMap::new();
    for row in rows {
        by_port.entry((row.transport, row.port)).or_default().push(row);
    }
    let mut lines: Vec<Line> = Vec::new();
    for (port, rows) in by_port {
        let (value, remark) = value(&rows, is_name, named);
        let same = |line: &&mut Line| line.value == value && line.remark.is_empty();
        match lines.iter_mut().find(same) {
            Some(line) if remark.is_empty() => line.ports.push(port),
            _ => lines.push(Line { value, remark, ports: vec![port] }),
        }
    }
    let text = |line: &Line| format!("{}\"{}\" = {}\n", line.remark, list(&line.ports), line.value);
    lines.iter().map(text).collect()
}

/// Ports of which the same is expected.
struct Line {
    /// What is expected.
    value: String,
    /// Comments above it.
    remark: String,
    ports: Vec<(Transport, u16)>,
}

/// `22,80-90,53/udp`, of ports in order.
fn list(ports: &[(Transport, u16)]) -> String {
    let mut runs: Vec<(Transport, u16, u16)> = Vec::new();
    for (transport, port) in ports {
        match runs.last_mut() {
            Some((t, _, last)) if t == transport && last.checked_add(1) == Some(*port) => {
                *last = *port;
            }
            _ => runs.push((*transport, *port, *port)),
        }
    }
    let text = |(transport, first, last): &(Transport, u16, u16)| {
        let suffix = if *transport == Transport::Udp { "/udp" } else { "" };
        match first == last {
            true => format!("{first}{suffix}"),
            false => format!("{first}-{last}{suffix}"),
        }
    };
    runs.iter().map(text).collect::<Vec<_>>().join(",")
}

/// What is expected of a port, and a comment above it: one for all addresses, or
/// one each where they differ.
fn value(rows: &[&EndpointRow<'_>], is_name: bool, named: bool) -> (String, String) {
    let Some(first) = rows.first() else { return (String::new(), String::new()) };
    let facts = fields(first, named);
    if rows.iter().all(|row| fields(row, named) == facts) {
        return (table(&facts), remark(first));
    }
    let one = |row: &&EndpointRow<'_>| {
        let mut facts = fields(row, named);
        if is_name {
            let address = row.address.split('%').next().unwrap_or_default();
            facts.push(format!("at = {}", quoted(address)));
        }
        format!("  {},\n", inline(&facts))
    };
    (format!("[\n{}]", rows.iter().map(one).collect::<String>()), String::new())
}

/// The keys of an expectation that this row meets.
fn fields(row: &EndpointRow<'_>, named: bool) -> Vec<String> {
    let state = match (row.state, row.reason) {
        (PortState::Filtered, Reason::NoResponse) => "dropped",
        (PortState::Filtered, _) => "rejected",
        (state, _) => state.name(),
    };
    let mut fields = vec![format!("state = \"{state}\"")];
    if state == "rejected" {
        fields.push(format!("code = \"{}\"", row.reason));
        fields.extend(row.evidence.from.as_ref().map(|from| format!("by = {}", quoted(from))));
    }
    if let Some(check) = row.check.as_ref().filter(|check| check.verdict == Verdict::Confirmed) {
        if named {
            fields.push(format!("plugin = {}", quoted(&check.plugin)));
        }
        if check.health != Health::Unknown {
            fields.push(format!("health = \"{}\"", check.health.name()));
        }
    }
    fields
}

/// A state alone is a text; more is a table.
fn table(fields: &[String]) -> String {
    match fields {
        [state] => state.trim_start_matches("state = ").to_owned(),
        more => inline(more),
    }
}

fn inline(fields: &[String]) -> String {
    format!("{{ {} }}", fields.join(", "))
}

/// What was found, ready to be made part of the expectation.
fn remark(row: &EndpointRow<'_>) -> String {
    let Some(check) = &row.check else { return String::new() };
    let line = |finding: &crate::report::FindingRow| {
        format!("# found: {} = {}\n", finding.name, comment(&finding.value.to_string()))
    };
    check.findings.iter().map(line).collect()
}

/// Text that stays within a comment: no control character ends it.
fn comment(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
