//! The runbook of a small site: about thirty expectations, all met; then ten
//! mistakes, of which `portscan check` finds all ten and nothing else.
//!
//! Real servers run in a network of namespaces (`site.rs`); what is expected of
//! them is `expected.toml`, as a user would write it.

#[path = "../services/servers/mod.rs"]
#[allow(dead_code)]
mod servers;
mod site;
#[path = "../support/mod.rs"]
#[allow(unused_imports)]
mod support;

use std::path::{Path, PathBuf};

use serde_json::Value;

use site::Site;
use support::portscan::{Portscan, Ran};
use support::world::{NEAR, address};

/// The ten, as (target, port, what differs, what is found).
const MISTAKES: [(&str, u64, &str, &str); 10] = [
    // A service is stopped.
    ("10.99.2.11", 22, "state", "closed (reset)"),
    // Another is bound to an address that nobody reaches.
    ("web.test", 80, "state", "closed (reset)"),
    // A firewall's rule is gone.
    ("web.test", 22, "state", "closed (reset)"),
    // A REJECT is a DROP now.
    ("10.99.2.12", 3306, "state", "filtered (no-response)"),
    // A certificate has expired.
    ("web.test", 443, "tls.days-left", "-"),
    // A port is open of which nobody knows.
    ("10.99.2.14", 23, "state", "open (syn-ack)"),
    // A name leads to an address of the past.
    ("api.test", 0, "addresses", "10.99.2.16"),
    // The cache asks for a password.
    ("10.99.2.11", 6379, "redis.reply", "NOAUTH"),
    // The firewall rejects with another code.
    ("10.99.2.12", 1433, "code", "port-unreach"),
    // A way has become slow.
    ("10.99.2.17", 9000, "rtt", "ms"),
];

/// Formats that are written beside the table.
const FORMATS: [&str; 9] =
    ["json", "jsonl", "csv", "markdown", "html", "junit", "tap", "nagios", "prometheus"];

#[test]
fn ten_mistakes_are_found_and_nothing_else() {
    let Some(site) = Site::new() else { return };
    // Servers end with the thread that started them, so all of it runs in this one.
    let peer = site.peer().clone();
    peer.enter(move || {
        let Some(mut site) = site.furnished() else { return };
        let out = site.folder();
        let before = check(&site, &out, &[]);
        assert_eq!(before.code(), 0, "{before:?}");
        let document = json(&out);
        let total = document["counts"]["as_expected"].as_u64().unwrap();
        assert!((28..40).contains(&total), "{total} expectations");
        let counts = serde_json::json!(
            {"as_expected": total, "differ": 0, "not_measured": 0, "skipped": 1});
        assert_eq!(document["counts"], counts);
        assert_eq!(before.stdout, format!("{total} as expected, 1 skipped\n"), "{before:?}");

        site.make_mistakes();
        let after = check(&site, &out, &[]);
        assert_eq!(after.code(), 1, "{after:?}");
        let document = json(&out);
        found_all_and_nothing_else(&document, &after);
        every_format_says_so(&out, &document);
        let nagios = check(&site, &out, &["--format", "nagios"]);
        assert_eq!(nagios.code(), 2, "{nagios:?}");
        assert!(nagios.stdout.starts_with("PORTSCAN CRITICAL - "), "{nagios:?}");
    });
}

/// Runs `portscan check` from the office, with every format beside the first.
fn check(site: &Site, out: &Path, more: &[&str]) -> Ran {
    let file = site.file("expected.toml", include_str!("expected.toml"));
    let mut run = Portscan::new(&site.world)
        .args(["check".into(), file.into_os_string()])
        .args(["--vantage", "office", "--timeout", "2s"])
        .args(more.iter().copied())
        .resolver(address(support::packet::Family::V4, NEAR, 1));
    for format in FORMATS {
        run = run.args(["-o".to_owned(), format!("{format}={}", path(out, format).display())]);
    }
    run.run()
}

fn path(out: &Path, format: &str) -> PathBuf {
    out.join(format!("check.{format}"))
}

fn text(out: &Path, format: &str) -> String {
    std::fs::read_to_string(path(out, format)).expect("portscan wrote it")
}

fn json(out: &Path) -> Value {
    serde_json::from_str(&text(out, "json")).expect("a document")
}

fn found_all_and_nothing_else(document: &Value, ran: &Ran) {
    let cases = document["expectations"].as_array().expect("a list");
    let differing: Vec<&Value> = cases.iter().filter(|case| case["status"] == "differs").collect();
    for (target, port, what, found) in MISTAKES {
        let is_it =
            |case: &&&Value| case["target"] == target && case["port"].as_u64().unwrap_or(0) == port;
        let case = differing.iter().find(is_it);
        let case = case.unwrap_or_else(|| panic!("{target} {port} is not found\n{ran:?}"));
        let differences = case["differences"].as_array().expect("a list");
        let fits = |difference: &Value| {
            difference["what"] == what && difference["found"].as_str().unwrap().contains(found)
        };
        assert!(differences.iter().any(fits), "{target} {port}: {case:#}");
    }
    assert_eq!(differing.len(), MISTAKES.len(), "{ran:?}");
    assert_eq!(document["counts"]["not_measured"], 0, "{ran:?}");
    // The ports behind a stale name say nothing about the machine that is meant.
    assert_eq!(document["counts"]["skipped"], 3, "{ran:?}");
    let shown = ran.stdout.lines().filter(|line| line.starts_with("differs ")).count();
    assert_eq!(shown, MISTAKES.len(), "{ran:?}");
    assert!(ran.stdout.contains("10 differ, 3 skipped"), "{ran:?}");
}

/// Each in its own way, and all the same.
fn every_format_says_so(out: &Path, document: &Value) {
    let total = document["expectations"].as_array().expect("a list").len();
    let fine = document["counts"]["as_expected"].as_u64().expect("a number");
    let lines = |format: &str, part: &str| {
        text(out, format).lines().filter(|line| line.contains(part)).count()
    };
    assert_eq!(lines("jsonl", "\"status\":\"differs\""), 10);
    assert_eq!(lines("csv", ",differs,"), 10);
    assert_eq!(lines("markdown", "| differs |"), 10);
    let page = text(out, "html");
    assert!(page.contains(&format!("{fine} as expected, 10 differ")), "{page}");
    assert_eq!(page.matches(": expected ").count(), 10, "{page}");
    assert_eq!(lines("junit", "<failure "), 10);
    let counts = format!("tests=\"{total}\" failures=\"10\" errors=\"0\" skipped=\"3\"");
    assert_eq!(lines("junit", &counts), 1, "{}", text(out, "junit"));
    let tap = text(out, "tap");
    assert_eq!(tap.lines().filter(|line| line.starts_with("not ok ")).count(), 10, "{tap}");
    assert!(tap.contains(&format!("1..{total}\n")), "{tap}");
    let nagios = text(out, "nagios");
    let head = format!("PORTSCAN CRITICAL - {fine} of {} as expected: ", fine + 10);
    assert!(nagios.starts_with(&head), "{nagios}");
    assert_eq!(nagios.lines().count(), 11, "{nagios}");
    assert_eq!(lines("prometheus", "portscan_expectations{status=\"differs\"} 10"), 1);
}
