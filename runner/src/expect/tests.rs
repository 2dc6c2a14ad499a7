//! Files read whole, and reports held against them.

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Value, json};

use super::port::codes;
use super::{Known, Plan, Resolved, Status, compare, init, keys, read};
use crate::model::sample::{closed, open, outcome, silent};
use crate::model::{Family, Outcome, PortState, Reason, Transport, UnresolvedReason};
use crate::report::{EndpointRow, Report};

/// Plugins like those that are built in, and one that is not.
struct Plugins;

impl Known for Plugins {
    fn plugins(&self) -> Vec<String> {
        ["http", "dns", "postgres", "mine"].map(String::from).to_vec()
    }

    fn findings(&self, plugin: &str) -> Option<Vec<&str>> {
        match plugin {
            "http" => Some(vec!["http.status", "tls.days-left"]),
            "postgres" => Some(vec!["postgres.tls"]),
            "dns" => Some(vec!["dns.recursion-available"]),
            _ => None,
        }
    }

    fn by_itself(&self, port: u16, transport: Transport) -> Option<String> {
        match (port, transport) {
            (80 | 443, Transport::Tcp) => Some("http".into()),
            (53, _) => Some("dns".into()),
            (5432, Transport::Tcp) => Some("postgres".into()),
            _ => None,
        }
    }

    fn speaks(&self, plugin: &str, transport: Transport) -> bool {
        plugin != "http" || transport == Transport::Tcp
    }

    fn setting(&self, _: &str, name: &str, _: &str) -> Result<(), String> {
        if name == "path" { Ok(()) } else { Err(format!("no setting {name}")) }
    }
}

fn plan(text: &str) -> Result<Plan, String> {
    read(Path::new("f"), &mut |_| Ok(text.to_owned()), &Plugins).map_err(|wrong| wrong.to_string())
}

fn as_json(text: &str) -> Option<Value> {
    serde_json::to_value(toml::from_str::<toml::Table>(text).ok()?).ok()
}

fn schema() -> Value {
    let text = include_str!("../../../docs/schema/expectations.schema.json");
    serde_json::from_str(text).unwrap()
}

/// One of everything.
const GOOD: &[&str] = &[
    "[targets.a]\nhttps = 'open'",
    "[targets.a]\n'1-100,200/udp,all' = 'not-open'",
    "[variables]\nn = 'a'\np = 80\n[targets.\"x.${n}\"]\n'${p}' = 'closed'",
    "[roles.r]\n22 = 'open|filtered'\n[targets.'10.0.0.0/29']\nroles = 'r'",
    "[roles.r]\n22 = 'filtered'\n[targets.'2001:db8::1']\nroles = ['r']\n23 = 'rejected'",
    "[targets.a]\nfamily = 'ipv6'\naddresses = ['2001:db8::1']\n1 = 'dropped'",
    "[targets.a]\naddresses = []",
    "[targets.a.addresses]\noffice = '10.0.0.1'\nhome = ['192.0.2.1', '192.0.2.2']",
    "[targets.a]\n443 = { health = 'healthy', findings = ['tls.days-left >= 21', 'http.status != 500'], rtt = '< 50ms' }",
    "[targets.a]\n3306 = { code = 'admin-prohibited', by = '10.0.0.1' }",
    "[targets.a]\n1 = { state = 'rejected', by = 'router', at = '10.0.0.1' }",
    "[targets.a]\n8080 = { plugin = 'http', set = { path = '/x' }, findings = 'http.status = 200' }",
    "[targets.a]\n1 = { plugin = 'mine', findings = \"any.name = 'x'\" }",
    "[targets.a]\n1 = { plugin = 'mine', findings = ['a = +1', 'b > .5', 'c = -2e3', 'd = \"say \"x\"\"'] }",
    "[targets.a]\n'0,65535,09-0099' = { state = 'open', at = ['::ffff:10.0.0.1', '10.0.0.2'] }",
    "[targets.a]\n22 = [{ state = 'open', from = 'office' }, { state = 'not-open', from = ['home', 'train'] }]",
];

/// What is wrong with the form, and what is said of it.
const BAD_FORM: &[(&str, &str)] = &[
    ("[target.a]\n1 = 'open'", "f:1:2: no key 'target' at the top level; did you mean 'targets'?"),
    ("[targets.a]\nadresses = ['10.0.0.1']", "f:2:1: no key 'adresses' of a target"),
    ("[targets.a]\n1 = 'opne'", "f:2:5: no state 'opne'; did you mean 'open'?"),
    ("[targets.a]\n1 = 'unknown'", "what cannot be measured cannot be expected"),
    ("[targets.a]\n1 = 3", "f:2:5: a port has a state or a table, not a number"),
    ("[targets.a]\n1 = []", "nothing is expected here"),
    ("[targets.a]\n1 = { stat = 'open' }", "f:2:7: no key 'stat' of a port; did you mean 'state'?"),
    ("[targets.a]\n1 = { from = 'office' }", "no state is expected here"),
    ("[targets.a]\n1 = { code = 'no-response' }", "code is the reason of a rejection"),
    ("[targets.a]\n1 = { code = 'admin-prohibitet' }", "did you mean 'admin-prohibited'?"),
    ("[targets.a]\n443 = { health = 'good' }", "no health 'good'"),
    ("[targets.a]\n443 = { findings = ['tls.days-left'] }", "NAME OPERATOR VALUE"),
    ("[targets.a]\n443 = { findings = ['http.status = OK'] }", "f:2:21: 'OK' is no number"),
    ("[targets.a]\n443 = { rtt = '50ms' }", "is no limit"),
    ("[targets.a]\n1 = { state = 'open', set = { path = '/' } }", "only with plugin"),
    ("[targets.a]\nfamily = 'ipv5'\n1 = 'open'", "no family 'ipv5'; did you mean 'ipv4'?"),
    ("[targets.a]\nroles = 3", "the name of a role is text, not a number"),
    ("[targets.a]", "nothing is expected of 'a'"),
    ("[roles.r]\nfoo = 'open'", "f:2:1: 'foo' is no port"),
    ("[roles.r]\nhtps = 'open'", "did you mean 'https' (443)?"),
    ("include = 3", "include is a list of file names"),
    ("variables = 3", "variables is a table, not a number"),
    ("[targets.a]\n443 = { findings = ['http.status = 1.2.3'] }", "'1.2.3' is no number"),
    ("[targets.a]\n1 = { state = 'open', at = 'x' }", "'x' is no IP address"),
    ("include = ['']", "include is a list of file names"),
    ("[targets.a]\n1 = { state = 'rejected', by = 'somebody' }", "by is an address"),
    ("[targets.a]\naddresses = ['x']", "'x' is no IP address"),
    (
        "[targets.a]\n70000 = 'open'",
        "f:2:1: '70000' is no port: a port is a number from 0 to 65535",
    ),
    ("[variables]\na = '${b}'\nb = ''", "a variable cannot be made of another one"),
];

/// What is wrong with the meaning.
const BAD_MEANING: &[(&str, &str)] = &[
    ("[targets.a]\n'80/sctp' = 'open'", "transport is 'tcp' or 'udp'"),
    ("[targets.'a:80']\n1 = 'open'", "'a:80' names its port"),
    ("[targets.'10.0.0']\n1 = 'open'", "f:1:10: '10.0.0' is no host name"),
    ("[targets.'${x}']\n1 = 'open'", "f:1:10: no variable 'x'"),
    ("[targets.a]\nroles = ['wbe']\n[roles.web]\n1 = 'open'", "no role 'wbe'; did you mean 'web'?"),
    ("[targets.a]\n1 = { plugin = 'htp' }", "no plugin 'htp'; did you mean 'http'?"),
    ("[targets.a]\n'1/udp' = { plugin = 'http' }", "does not speak udp"),
    ("[targets.a]\n80 = { plugin = 'http', set = { pth = 1 } }", "no setting pth"),
    ("[targets.a]\n443 = { findings = ['tls.day-left > 1'] }", "did you mean 'tls.days-left'?"),
    ("[targets.a]\n25 = { health = 'healthy' }", "no plugin looks at 25/tcp by itself"),
    ("[targets.a]\n80 = { state = 'closed', health = 'healthy' }", "must be open, not closed"),
    (
        "[targets.a]\n80 = { state = 'open', code = 'admin-prohibited' }",
        "must be rejected, not open",
    ),
    ("[targets.'10.0.0.1']\naddresses = ['10.0.0.1']", "only a name resolves to addresses"),
    ("[targets.a]\naddresses = []\n1 = 'open'", "a name that must not resolve has no ports"),
    ("[targets.a]\n22 = 'open'\nssh = 'closed'", "f:3:1: 22/tcp is at f:2:1 already"),
    (
        "[targets.a]\nroles = ['r', 's']\n[roles.r]\n1 = 'open'\n[roles.s]\n1 = 'closed'",
        "is expected in two ways",
    ),
    ("", "nothing is expected: there is no [targets.\"HOST\"]"),
];

#[test]
fn what_is_wrong_is_told_with_its_place_and_the_word_that_was_meant() {
    for (text, said) in BAD_FORM.iter().chain(BAD_MEANING) {
        let error = plan(text).expect_err(text);
        assert!(error.contains(said), "{text}\n{error}\nnot: {said}");
        assert_eq!(error.lines().count(), 1, "{text}\n{error}");
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let mut all = String::new();
    for (n, (text, _)) in
        BAD_FORM.iter().filter(|(t, _)| t.starts_with("[targets.a]\n")).enumerate()
    {
        all += &text.replace("[targets.a]", &format!("[targets.a{n}]"));
        all += "\n";
    }
    let error = plan(&all).expect_err("all of it");
    let wanted = BAD_FORM.iter().filter(|(text, _)| text.starts_with("[targets.a]\n")).count();
    assert_eq!(error.lines().count(), wanted, "{error}");
}

#[test]
fn the_schema_for_editors_takes_what_the_parser_takes() {
    let schema = jsonschema::validator_for(&schema()).unwrap();
    for text in GOOD {
        plan(text).unwrap_or_else(|error| panic!("{text}\n{error}"));
        let complaints: Vec<_> =
            schema.iter_errors(&as_json(text).unwrap()).map(|e| e.to_string()).collect();
        assert!(complaints.is_empty(), "{text}\n{complaints:#?}");
    }
    for (text, _) in BAD_FORM {
        assert!(!schema.is_valid(&as_json(text).unwrap()), "the schema takes: {text}");
    }
}

#[test]
fn every_key_and_word_of_the_parser_is_in_the_schema() {
    let schema = schema();
    let names = |at: &str| -> Vec<String> {
        let mut all: Vec<_> =
            schema.pointer(at).unwrap().as_object().unwrap().keys().cloned().collect();
        all.sort();
        all
    };
    let words = |at: &str| -> Vec<String> {
        let list = schema.pointer(at).unwrap().as_array().unwrap();
        list.iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    let sorted = |known: &[&str]| {
        let mut all: Vec<String> = known.iter().map(|word| word.to_string()).collect();
        all.sort();
        all
    };
    assert_eq!(names("/properties"), sorted(keys::TOP));
    assert_eq!(names("/$defs/target/properties"), sorted(keys::TARGET));
    assert_eq!(names("/$defs/expectation/properties"), sorted(keys::PORT));
    assert_eq!(words("/$defs/state/anyOf/0/enum"), keys::STATES);
    assert_eq!(words("/$defs/target/properties/family/anyOf/0/enum"), keys::FAMILIES);
    let health = "/$defs/expectation/properties/health/anyOf/0/enum";
    assert_eq!(words(health), keys::HEALTHS);
    let code = "/$defs/expectation/properties/code/anyOf/0/enum";
    assert_eq!(words(code), codes().map(Reason::name).collect::<Vec<_>>());
}

#[test]
fn what_says_more_of_a_port_counts() {
    let plan = plan(
        "[roles.r]\n22 = 'open'\nall = 'closed'\n[targets.a]\nroles = 'r'\n80 = 'open'\n'1-100' = 'dropped'",
    )
    .unwrap();
    let state = |port: u16| {
        let found = plan.targets[0].ports.iter().find(|p| p.port.port == port).unwrap();
        found.expectation.state.name()
    };
    assert_eq!([22, 80, 23, 443].map(state), ["open", "open", "dropped", "closed"]);
    assert_eq!(plan.targets[0].ports.len(), 65_535);
}

#[test]
fn an_including_file_replaces_variables_and_roles_are_defined_once() {
    let files = [
        (
            "f",
            "include = 'g'\n[variables]\nh = 'own'\n[targets.\"${h}\"]\nroles = 'r'\n[roles.r]\n2 = 'open'",
        ),
        ("g", "[variables]\nh = 'other'\n[roles.r]\n1 = 'open'"),
    ];
    let mut reader = |path: &Path| {
        let found = files.iter().find(|(name, _)| Path::new(name) == path);
        found.map(|(_, text)| text.to_string()).ok_or_else(|| "gone".to_owned())
    };
    let error = read(Path::new("f"), &mut reader, &Plugins).unwrap_err().to_string();
    assert_eq!(error, "f:6:8: the role 'r' is at g:3:8 already");
}

#[test]
fn a_role_that_nobody_has_is_a_warning() {
    let plan = plan("[roles.r]\n1 = 'open'\n[targets.a]\n1 = 'open'").unwrap();
    assert_eq!(plan.warnings, ["f:1:8: no target has the role 'r'"]);
}

/// A report with these rows, seen from `vantage`.
fn report(vantage: Option<&str>, rows: &[Outcome]) -> Report {
    let rows: Vec<Value> =
        rows.iter().map(|row| serde_json::to_value(EndpointRow::from(row)).unwrap()).collect();
    let document = json!({
        "schema": "portscan/report/1", "portscan": "0", "started": "2026-01-01T00:00:00Z",
        "vantage": {"name": vantage, "hostname": "h", "user": "u", "privileged": false,
            "source_addresses": []},
        "endpoints": rows, "finished": "2026-01-01T00:00:01Z", "unresolved": [],
    });
    Report::read(&document.to_string()).unwrap()
}

/// Status and differences of each expectation about 192.0.2.7.
fn held(text: &str, vantage: Option<&str>, rows: &[Outcome]) -> Vec<String> {
    let plan = plan(&format!("[targets.'192.0.2.7']\n{text}")).unwrap();
    let check = compare(&plan, &report(vantage, rows), &HashMap::new());
    let line = |case: &super::Case| {
        let all =
            case.differences.iter().map(|d| format!(" {}: {} / {}", d.what, d.expected, d.found));
        format!("{}{}", case.status.name(), all.collect::<String>())
    };
    check.expectations.iter().map(line).collect()
}

#[test]
fn states_are_held_to_what_they_mean() {
    let rejected = || outcome(1, Transport::Tcp, PortState::Filtered, Reason::AdminProhibited);
    let unknown = || outcome(1, Transport::Tcp, PortState::Unknown, Reason::LocalNoRoute);
    let dropped = || silent(1, Transport::Tcp, None);
    for (state, row, status) in [
        ("open", open(1), "as-expected"),
        ("not-open", closed(1), "as-expected"),
        ("not-open", dropped(), "as-expected"),
        ("not-open", unknown(), "not-measured"),
        ("not-open", open(1), "differs"),
        ("filtered", dropped(), "as-expected"),
        ("filtered", rejected(), "as-expected"),
        ("dropped", dropped(), "as-expected"),
        ("dropped", rejected(), "differs"),
        ("rejected", rejected(), "as-expected"),
        ("rejected", dropped(), "differs"),
        ("rejected", closed(1), "differs"),
        ("closed", closed(1), "as-expected"),
        ("closed", unknown(), "not-measured"),
    ] {
        let shown = format!("{state} {} {}", row.state, row.reason);
        let said = held(&format!("1 = '{state}'"), None, &[row]);
        assert!(said[0].starts_with(status), "{shown}: {said:?}");
    }
}

#[test]
fn other_vantage_points_are_skipped_and_missing_rows_are_not_measured() {
    let text = "1 = [{ state = 'open', from = 'office' }, { state = 'closed', from = 'home' }]";
    assert_eq!(held(text, Some("home"), &[closed(1)]), ["skipped", "as-expected"]);
    assert_eq!(held(text, None, &[]), ["skipped", "skipped"]);
    assert_eq!(held("1 = 'open'", None, &[]), ["not-measured"]);
}

#[test]
fn codes_limits_and_senders_are_compared() {
    let rejected = outcome(1, Transport::Tcp, PortState::Filtered, Reason::AdminProhibited);
    assert_eq!(
        held("1 = { code = 'port-unreach', by = '10.0.0.1' }", None, &[rejected]),
        ["differs code: port-unreach / admin-prohibited by: 10.0.0.1 / nobody"]
    );
    let slow = held("1 = { rtt = '< 1ms' }", None, &[open(1)]);
    assert_eq!(slow, ["differs rtt: < 1ms / 1.2ms"]);
    assert_eq!(held("1 = { rtt = '< 2ms' }", None, &[open(1)]), ["as-expected"]);
}

#[test]
fn a_stale_name_is_one_difference_and_not_one_for_each_port() {
    let plan = plan("[targets.a]\naddresses = ['192.0.2.1']\n1 = 'open'\n2 = 'open'").unwrap();
    let mut rows = [closed(1), closed(2)];
    rows.iter_mut().for_each(|row| row.target = "a".into());
    let found = |ip: Option<&str>, failed| Resolved {
        addresses: ip.iter().map(|ip| ip.parse().unwrap()).collect(),
        failed,
    };
    let statuses = |resolved: Resolved, rows: &[Outcome]| -> Vec<Status> {
        let resolved = HashMap::from([("a".to_owned(), resolved)]);
        let check = compare(&plan, &report(None, rows), &resolved);
        check.expectations.iter().map(|case| case.status).collect()
    };
    use Status::{Differs, NotMeasured, Skipped};
    assert_eq!(statuses(found(Some("192.0.2.7"), None), &rows), [Differs, Skipped, Skipped]);
    let gone = found(None, Some(UnresolvedReason::Nxdomain));
    assert_eq!(statuses(gone, &[]), [Differs, Skipped, Skipped]);
    let failed = found(None, Some(UnresolvedReason::Timeout));
    assert_eq!(statuses(failed, &[]), [NotMeasured, NotMeasured, NotMeasured]);
}

#[test]
fn the_file_of_a_report_expects_that_report() {
    let mut rejected = outcome(3306, Transport::Tcp, PortState::Filtered, Reason::AdminProhibited);
    rejected.evidence.from = Some("10.0.0.1".parse().unwrap());
    let mut rows = vec![open(22), closed(80), closed(81), closed(83), rejected];
    rows.push(silent(9000, Transport::Tcp, None));
    rows.push(silent(53, Transport::Udp, None));
    rows.push(outcome(1, Transport::Tcp, PortState::Unknown, Reason::LocalNoRoute));
    // A name whose two addresses differ at one port.
    for (ip, row) in
        [([192, 0, 2, 1], open(443)), ([192, 0, 2, 2], closed(443)), ([192, 0, 2, 1], open(25))]
    {
        let mut row = row;
        row.target = "two.example".into();
        row.endpoint.socket.set_ip(ip.into());
        rows.push(row);
    }
    rows.push({
        let mut row = open(25);
        row.target = "two.example".into();
        row.endpoint.socket.set_ip([192, 0, 2, 2].into());
        row
    });
    let report = report(None, &rows);
    let two = Resolved {
        addresses: vec!["192.0.2.2".parse().unwrap(), "192.0.2.1".parse().unwrap()],
        failed: None,
    };
    let resolved = HashMap::from([("two.example".to_owned(), two)]);
    let written = init(&report, &resolved, Family::Any, false);
    assert_eq!(written.left_out, ["192.0.2.7 1/tcp: unknown (local-no-route)"]);
    insta::assert_snapshot!(written.text);
    let plan = plan(&written.text).unwrap();
    let check = compare(&plan, &report, &resolved);
    let wrong: Vec<_> =
        check.expectations.iter().filter(|case| case.status != Status::AsExpected).collect();
    assert!(wrong.is_empty(), "{}\n{wrong:#?}", written.text);
    assert_eq!(check.counts.as_expected, 1 + 7 + 4);
}

#[test]
fn the_example_of_the_manual_is_one() {
    let manual = include_str!("../../../docs/EXPECTATIONS.md");
    let example = manual.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let mut reader = |path: &Path| match path == Path::new("expected.toml") {
        true => Ok(example.to_owned()),
        false => Ok(String::new()),
    };
    let plan = read(Path::new("expected.toml"), &mut reader, &Plugins).unwrap();
    assert_eq!(plan.warnings, [""; 0]);
    let cases = |planned: &super::Planned| {
        planned.ports.len() as u64 * planned.host.count() + planned.addresses.len() as u64
    };
    let counts = "8220 as expected, 2 differ, 1 skipped";
    assert!(manual.contains(counts));
    assert_eq!(plan.targets.iter().map(cases).sum::<u64>(), 8220 + 2 + 1);
    for key in keys::TARGET.iter().chain(keys::PORT).chain(keys::STATES).chain(keys::TOP) {
        let (quoted, escaped) = (format!("`{key}`"), format!("`{}`", key.replace('|', "\\|")));
        let assigned = format!("{key} = ");
        let tables = [format!("[{key}."), format!("[{key}]")];
        let is_there =
            [quoted, escaped, assigned].iter().chain(&tables).any(|text| manual.contains(text));
        assert!(is_there, "the manual does not explain {key}");
    }
}

#[test]
fn whole_ranges_cost_little() {
    let all = "all = [{ state = 'closed', from = 'a' }, { state = 'dropped', from = 'b' }]";
    let text = format!("[roles.r]\n{all}\n[roles.s]\n{all}\n[targets.x]\nroles = ['r', 's']\n");
    assert_eq!(plan(&text).unwrap().targets[0].ports.len(), 2 * 65_535);
    let text = text.replacen("'dropped'", "'open'", 1);
    assert_eq!(plan(&text).unwrap_err().lines().count(), 1);
}
