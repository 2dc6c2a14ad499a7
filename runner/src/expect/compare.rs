//! What ought to be, beside what is.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::document::{Case, Check, Counts, Difference, Status};
use super::plan::{PlannedPort, holds_from};
use super::{Addresses, By, Expectation, Plan, Planned};
use crate::model::{Family, PortState, Transport, UnresolvedReason, Verdict};
use crate::report::{EndpointRow, Report};

/// What a name led to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// Its addresses, of the families asked for.
    pub addresses: Vec<IpAddr>,
    /// Why there is none, or none of one family.
    pub failed: Option<UnresolvedReason>,
}

/// Rows of a report by target, port and transport.
type Rows<'r> = HashMap<(&'r str, u16, Transport), Vec<&'r EndpointRow<'static>>>;

/// Holds a report against a plan. `resolved` says what each name led to.
pub fn compare(plan: &Plan, report: &Report, resolved: &HashMap<String, Resolved>) -> Check {
    let vantage = report.head.vantage.name.as_deref();
    let mut rows: Rows<'_> = HashMap::new();
    for row in &report.endpoints {
        rows.entry((&row.target, row.port, row.transport)).or_default().push(row);
    }
    let mut cases = Vec::new();
    for planned in &plan.targets {
        let all = planned.addresses.iter();
        cases.extend(all.map(|all| addresses_case(planned, all, vantage, resolved)));
        let right = planned.addresses_from(vantage).map(|all| &all.all);
        let right: Option<HashSet<IpAddr>> = right.map(|all| all.iter().copied().collect());
        for port in &planned.ports {
            let why = resolved.get(&*planned.text).and_then(|found| found.failed);
            port_cases(planned, port, vantage, (&rows, why, right.as_ref()), &mut cases);
        }
    }
    Check::new(report, cases, plan.warnings.clone())
}

/// Whether a name leads where it must.
fn addresses_case(
    planned: &Planned,
    all: &Addresses,
    vantage: Option<&str>,
    resolved: &HashMap<String, Resolved>,
) -> Case {
    let names = |all: &[IpAddr]| match all.is_empty() {
        true => "no address".to_owned(),
        false => all.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", "),
    };
    let mut case = Case::new(&planned.text, &all.place, format!("resolves to {}", names(&all.all)));
    if !holds_from(all.from.as_slice(), vantage) {
        return case.skipped(elsewhere(all.from.as_slice()));
    }
    let wanted = |ip: &&IpAddr| planned.family.allows(Family::of(**ip));
    let mut wanted: Vec<IpAddr> = all.all.iter().filter(wanted).copied().collect();
    let found = resolved.get(&*planned.text).cloned().unwrap_or_default();
    let mut got = found.addresses.clone();
    wanted.sort();
    wanted.dedup();
    got.sort();
    let failed = found
        .failed
        .filter(|why| matches!(why, UnresolvedReason::Servfail | UnresolvedReason::Timeout));
    if let Some(why) = failed {
        return case.not_measured(format!("the name could not be looked up: {}", why.name()));
    }
    if wanted != got {
        let shown = match (got.is_empty(), found.failed) {
            (true, Some(why)) => format!("no address ({})", why.name()),
            _ => names(&got),
        };
        case.differs("addresses", names(&wanted), shown);
    }
    case
}

/// Where rows come from, why there may be none, and the addresses that are right.
type Facts<'a> = (&'a Rows<'a>, Option<UnresolvedReason>, Option<&'a HashSet<IpAddr>>);

/// A case for each address that an expectation is held against.
fn port_cases(
    planned: &Planned,
    port: &PlannedPort,
    vantage: Option<&str>,
    (rows, unresolved, right): Facts<'_>,
    cases: &mut Vec<Case>,
) {
    let expected = &*port.expectation;
    let new = || {
        let mut case = Case::new(&planned.text, &expected.place, expected.to_string());
        case.port = Some(port.port.port);
        case.transport = Some(port.port.transport);
        case.role = port.role.as_deref().map(str::to_owned);
        case
    };
    if !holds_from(&expected.from, vantage) {
        return cases.push(new().skipped(elsewhere(&expected.from)));
    }
    let key = (&*planned.text, port.port.port, port.port.transport);
    let found = rows.get(&key).map(Vec::as_slice).unwrap_or_default();
    let mut missing: Vec<IpAddr> = expected.at.clone();
    for row in found {
        let ip = address(row);
        missing.retain(|at| Some(*at) != ip);
        if !expected.at.is_empty() && !ip.is_some_and(|ip| expected.at.contains(&ip)) {
            continue;
        }
        let mut case = new();
        case.address = Some(row.address.clone());
        case.endpoint = Some((*row).clone());
        if right.is_some_and(|right| !ip.is_some_and(|ip| right.contains(&ip))) {
            cases.push(case.skipped("the name must not lead to this address".into()));
            continue;
        }
        hold(expected, row, &mut case);
        cases.push(case);
    }
    if found.is_empty() {
        let why = match (unresolved, right) {
            (None | Some(UnresolvedReason::Nxdomain | UnresolvedReason::NoData), Some(_)) => {
                return cases.push(new().skipped("the name does not lead to its addresses".into()));
            }
            (Some(why), _) => format!("the name has no address: {}", why.name()),
            (None, _) => "the run ended before it was measured".into(),
        };
        return cases.push(new().not_measured(why));
    }
    for at in missing {
        let mut case = new();
        case.address = Some(at.to_string());
        case.differs("address", at.to_string(), "the name does not lead there".into());
        cases.push(case);
    }
}

fn elsewhere(from: &[String]) -> String {
    format!("it holds from {}", from.join(", "))
}

/// The row's address without its zone.
fn address(row: &EndpointRow<'_>) -> Option<IpAddr> {
    row.address.split('%').next()?.parse().ok()
}

/// Holds one row against what is expected of it.
fn hold(expected: &Expectation, row: &EndpointRow<'_>, case: &mut Case) {
    if row.state == PortState::Unknown {
        case.status = Status::NotMeasured;
        case.why = Some(format!("unknown ({})", row.reason));
        return;
    }
    let from = row.evidence.from.as_deref().filter(|_| row.evidence.icmp.is_some());
    let found = match from {
        Some(from) => format!("{} ({} from {from})", row.state, row.reason),
        None => format!("{} ({})", row.state, row.reason),
    };
    if !expected.state.holds(row.state, row.reason) {
        // What is said of a service or a rejection follows from the state.
        return case.differs("state", expected.state.name().to_owned(), found);
    }
    if let Some(code) = expected.code.filter(|code| *code != row.reason) {
        case.differs("code", code.name().to_owned(), row.reason.name().to_owned());
    }
    if let Some(by) = expected.by.filter(|by| !is_by(*by, row)) {
        let from = row.evidence.from.clone().unwrap_or_else(|| "nobody".into());
        let role = row.evidence.from_role.map(|role| format!(" ({})", role.name()));
        case.differs("by", by.to_string(), from + &role.unwrap_or_default());
    }
    service(expected, row, case);
    if let Some(limit) = expected.rtt {
        let median = row.rounds.as_ref().and_then(|rounds| rounds.rtt_ms).map(|rtt| rtt.median);
        let rtt = median.or(row.rtt_ms);
        if !rtt.is_some_and(|rtt| limit.holds(rtt)) {
            let rtt = rtt.map_or("no round trip".to_owned(), |rtt| format!("{rtt:.1}ms"));
            case.differs("rtt", limit.to_string(), rtt);
        }
    }
}

fn is_by(by: By, row: &EndpointRow<'_>) -> bool {
    let from = row.evidence.from.as_deref().and_then(|from| from.parse::<IpAddr>().ok());
    match by {
        By::Address(ip) => from == Some(ip),
        By::Target => from.is_some() && from == address(row),
        By::Router => from.is_some() && from != address(row),
    }
}

/// Holds what a plugin said against what is expected of the service.
fn service(expected: &Expectation, row: &EndpointRow<'_>, case: &mut Case) {
    if !expected.needs_check() {
        return;
    }
    let Some(check) = &row.check else {
        case.status = Status::NotMeasured;
        case.why = Some("no plugin looked at the service".into());
        return;
    };
    if let Some(fault) = &check.fault {
        case.status = Status::NotMeasured;
        case.why = Some(format!("the plugin {} failed: {}", check.plugin, fault.text));
        return;
    }
    let summary = || format!("{}: {}", check.verdict.name(), check.summary);
    if let Some((_, plugin)) = &expected.plugin
        && (*plugin != check.plugin || check.verdict != Verdict::Confirmed)
    {
        return case.differs("service", plugin.clone(), summary());
    }
    if let Some(health) = expected.health.filter(|health| *health != check.health) {
        let found = match check.verdict {
            Verdict::Confirmed => format!("{}: {}", check.health.name(), check.summary),
            _ => summary(),
        };
        case.differs("health", health.name().to_owned(), found);
    }
    for (_, condition) in &expected.findings {
        let found = check.findings.iter().find(|finding| finding.name == condition.name);
        if !found.is_some_and(|finding| condition.holds(&finding.value)) {
            let value = found.map_or("not found".to_owned(), |f| f.value.to_string());
            let wanted = format!("{} {}", condition.operator, condition.value);
            case.differs(&condition.name, wanted, value);
        }
    }
}

impl Check {
    /// Counts the cases, and takes over what the report says of the run.
    fn new(report: &Report, cases: Vec<Case>, warnings: Vec<String>) -> Check {
        let count = |status| cases.iter().filter(|case| case.status == status).count();
        let counts = Counts {
            as_expected: count(Status::AsExpected),
            differ: count(Status::Differs),
            not_measured: count(Status::NotMeasured),
            skipped: count(Status::Skipped),
        };
        Check {
            schema: super::CHECK_SCHEMA,
            portscan: report.head.portscan.clone(),
            started: report.head.started.clone(),
            vantage: report.head.vantage.clone(),
            expectations: cases,
            counts,
            warnings,
            finished: report.tail.finished.clone(),
            interrupted: report.tail.interrupted,
        }
    }
}

impl Case {
    fn differs(&mut self, what: &str, expected: String, found: String) {
        self.status = Status::Differs;
        self.differences.push(Difference { what: what.to_owned(), expected, found });
    }
}
