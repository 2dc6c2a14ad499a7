//! Names and places in made-up cases, and docs/TROUBLESHOOTING.md of all rules.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::addresses::NAME_RULES;
use super::place::PLACE_RULES;
use super::scenarios::{applied, scenarios};
use super::{Advice, RULES, Seen, addresses, conclude_name, explain_place};
use crate::model::sample::{at, closed, open, outcome, silent};
use crate::model::{Outcome, PortState, Reason, Role, Transport};
use Transport::{Tcp, Udp};

/// Every scenario of a name: what is the case, and its rows.
fn names() -> Vec<(&'static str, Vec<Outcome>)> {
    let v4 = |row| at(row, "db.example", "192.0.2.1");
    let other = |row| at(row, "db.example", "192.0.2.2");
    let third = |row| at(row, "db.example", "192.0.2.3");
    let v6 = |row| at(row, "db.example", "2001:db8::1");
    let dark = |port| silent(port, Tcp, None);
    let no_route = outcome(80, Tcp, PortState::Unknown, Reason::LocalNoRoute);
    vec![
        ("all open", vec![v4(open(80)), v6(open(80))]),
        ("none open", vec![v4(closed(80)), v6(dark(80))]),
        ("IPv6 dropped", vec![v4(open(80)), v6(dark(80))]),
        ("IPv6 refused", vec![v4(open(80)), v6(closed(80))]),
        ("IPv4 dropped", vec![v4(dark(80)), v6(open(80))]),
        ("one of three silent", vec![v4(open(80)), other(dark(80)), third(open(80))]),
        ("one of three refuses", vec![v4(open(80)), other(closed(80)), third(open(80))]),
        ("two of three, mixed", vec![v4(open(80)), other(closed(80)), third(dark(80))]),
        ("one port of two", vec![v4(open(80)), v6(open(80)), v4(open(443)), v6(dark(443))]),
        ("one address", vec![v4(open(80)), v4(closed(443))]),
        ("no IPv6 here", vec![v4(open(80)), v6(no_route)]),
    ]
}

#[test]
fn a_name_with_several_addresses_gets_one_conclusion() {
    let concluded = |rows: &[Outcome]| {
        conclude_name(&rows.iter().collect::<Vec<_>>()).unwrap_or_else(|| "(nothing)".into())
    };
    let text: String =
        names().iter().map(|(title, rows)| format!("{title}: {}\n", concluded(rows))).collect();
    insta::assert_snapshot!(text);
}

/// Every scenario of a place: what is the case, and how the endpoint is seen from there.
fn places() -> Vec<(&'static str, Seen<'static>)> {
    let tcp = Seen {
        address: "192.0.2.7",
        port: 5432,
        transport: Tcp,
        state: PortState::Filtered,
        reason: Reason::NoResponse,
        from: None,
        from_role: None,
        asked_by_plugin: false,
    };
    let udp = Seen { port: 53, transport: Udp, state: PortState::OpenFiltered, ..tcp };
    let said = |reason, from, role| Seen { reason, from: Some(from), from_role: role, ..tcp };
    let router = |reason| said(reason, "10.0.0.1", Some(Role::Router));
    vec![
        ("an RST", Seen { state: PortState::Closed, reason: Reason::Reset, ..tcp }),
        ("DNS silent", Seen { asked_by_plugin: true, ..udp }),
        ("UDP silent", Seen { port: 5000, ..udp }),
        ("TCP silent", tcp),
        ("a router's rule", router(Reason::AdminProhibited)),
        ("no route at a router", router(Reason::NetUnreach)),
        ("REJECT of the target", said(Reason::PortUnreach, "192.0.2.7", Some(Role::Target))),
        ("no ARP answer", said(Reason::HostUnreach, "10.0.0.9", Some(Role::Own))),
        ("REJECT of somebody", said(Reason::AdminProhibited, "10.0.0.1", None)),
    ]
}

/// The rule that speaks about a place, with what it says.
fn placed(seen: &Seen<'_>) -> (&'static str, Advice) {
    let first = PLACE_RULES.iter().find_map(|rule| Some((rule.name, (rule.say)(seen)?)));
    let first = first.unwrap_or_else(|| panic!("nothing is said of {seen:?}"));
    assert_eq!(explain_place(seen), Some(first.1.clone()));
    first
}

/// What a rule says in each of its cases.
type Cases = Vec<(String, Advice)>;

/// One rule of docs/TROUBLESHOOTING.md: what it looks at, and its cases.
fn section(text: &mut String, name: &str, about: &str, cases: &[(String, Advice)]) {
    let _ = writeln!(text, "\n### {name}\n\n{about}.\n");
    for (case, said) in cases {
        let _ = writeln!(text, "- {case}: {} (`{}`)", said.sentence, said.command);
    }
}

/// Every rule with its cases, in the order of the manual.
fn all() -> Vec<(&'static str, &'static str, Cases)> {
    let of_row = |name: &str| {
        let mut cases = Vec::new();
        for (title, row, world) in scenarios() {
            let said = applied(&row, &world).into_iter().filter(|(rule, _)| *rule == name);
            let title = format!("{title}, `{} ({})`", row.state, row.reason);
            cases.extend(said.map(|(_, said)| (title.clone(), said)));
        }
        cases
    };
    let of_name = |name: &str| {
        let mut cases = Vec::new();
        for (title, rows) in names() {
            let said = addresses::applied(&rows.iter().collect::<Vec<_>>()).into_iter();
            let said = said.filter(|(rule, _)| *rule == name);
            cases.extend(said.map(|(_, said)| (title.to_owned(), said)));
        }
        cases
    };
    let of_place = |name: &str| {
        let said = places().into_iter().map(|(title, seen)| (title, placed(&seen)));
        let said = said.filter(|(_, (rule, _))| *rule == name);
        said.map(|(title, (_, said))| (title.to_owned(), said)).collect()
    };
    let rows = RULES.iter().map(|rule| (rule.name, rule.about, of_row(rule.name)));
    let names = NAME_RULES.iter().map(|rule| (rule.name, rule.about, of_name(rule.name)));
    let places = PLACE_RULES.iter().map(|rule| (rule.name, rule.about, of_place(rule.name)));
    rows.chain(names).chain(places).collect()
}

/// docs/TROUBLESHOOTING.md, from the rules and their scenarios.
fn manual() -> String {
    let mut text = String::from(
        "# What to do next\n\n\
         Under every row that is not fine stand one or two sentences, each from a rule over the evidence of the run, and in\n\
         parentheses the command that would confirm it: here, or `there`, on the machine in question. These are all rules, in the\n\
         order in which they are asked, with what each looks at and what it says in a made-up case. Written from\n\
         `runner/src/advice/` by its tests (`PORTSCAN_WRITE_DOCS=1 cargo test --lib advice`).\n\n\
         ## One endpoint\n",
    );
    for (at, (name, about, cases)) in all().iter().enumerate() {
        match at.checked_sub(RULES.len()) {
            Some(0) => text += "\n## All addresses of a name\n",
            Some(at) if at == NAME_RULES.len() => {
                text += "\n## One endpoint from several places\n\n\
                         `portscan compare` and `--via` say so of a place from which an endpoint is not open, though it is from another.\n";
            }
            _ => {}
        }
        section(&mut text, name, about, cases);
    }
    text
}

#[test]
fn the_manual_is_what_the_rules_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/TROUBLESHOOTING.md");
    if std::env::var_os("PORTSCAN_WRITE_DOCS").is_some() {
        std::fs::write(path, manual()).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == manual(), "PORTSCAN_WRITE_DOCS=1 cargo test --lib advice writes it anew");
}

#[test]
fn every_rule_has_a_name_of_its_own_and_a_scenario_with_one_command() {
    const PROGRAMS: [&str; 8] =
        ["portscan", "ss", "nft", "ip", "getent", "tcpdump", "ulimit", "sysctl"];
    let mut seen = BTreeSet::new();
    for (name, _, cases) in all() {
        assert!(seen.insert(name), "two rules are called {name}");
        assert!(!cases.is_empty(), "{name} has no scenario");
        for (case, said) in cases {
            let program = said.command.split(' ').next().unwrap_or_default();
            assert!(PROGRAMS.contains(&program), "{name}, {case}: {}", said.command);
            let named = PROGRAMS.iter().find(|p| said.sentence.contains(&format!("({p} ")));
            assert_eq!(named, None, "{name}, {case}: two commands in {said}");
        }
    }
}
