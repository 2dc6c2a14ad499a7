//! The runbook of a small site: thirty expectations, all met; then ten
//! mistakes, of which `portscan check` finds all ten and nothing else.
//!
//! Real servers run in a network of namespaces (`site.rs`); what is expected of
//! them is `expected.toml`, as a user would write it. The ten are drawn by a seed from
//! sixteen (`mistakes.rs`); `PORTSCAN_RUNBOOK_SEED=N` draws others.

mod mistakes;
#[path = "../services/servers/mod.rs"]
#[allow(dead_code)]
mod servers;
mod site;
#[path = "../support/mod.rs"]
#[allow(unused_imports)]
mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use mistakes::{Mistake, ten};
use site::Site;
use support::portscan::{Portscan, Ran};
use support::world::{NEAR, address};

/// Between them they draw every mistake.
const SEEDS: [u64; 3] = [1, 2, 3];

/// Formats that are written beside the table.
const FORMATS: [&str; 9] =
    ["json", "jsonl", "csv", "markdown", "html", "junit", "tap", "nagios", "prometheus"];

#[test]
fn every_mistake_is_drawn_by_some_seed() {
    let drawn: BTreeSet<Mistake> = SEEDS.into_iter().flat_map(ten).collect();
    assert_eq!(drawn, BTreeSet::from(Mistake::ALL));
}

#[test]
fn ten_mistakes_of_the_first_seed_are_found_and_nothing_else() {
    run(std::env::var("PORTSCAN_RUNBOOK_SEED").map_or(SEEDS[0], |seed| seed.parse().unwrap()));
}

#[test]
fn ten_mistakes_of_the_second_seed_are_found_and_nothing_else() {
    run(SEEDS[1]);
}

#[test]
fn ten_mistakes_of_the_third_seed_are_found_and_nothing_else() {
    run(SEEDS[2]);
}

#[expect(clippy::print_stdout, reason = "a failed test shows its captured output")]
fn run(seed: u64) {
    let mistakes = ten(seed);
    println!("PORTSCAN_RUNBOOK_SEED={seed}: {mistakes:?}");
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
        assert_eq!(total, 30, "those of expected.toml that hold from here");
        let counts = serde_json::json!(
            {"as_expected": total, "differ": 0, "not_measured": 0, "skipped": 1});
        assert_eq!(document["counts"], counts);
        assert_eq!(before.stdout, format!("{total} as expected, 1 skipped\n"), "{before:?}");

        site.make(&mistakes);
        let after = check(&site, &out, &[]);
        assert_eq!(after.code(), 1, "{after:?}");
        let document = json(&out);
        let skipped = 1 + mistakes.iter().map(|mistake| mistake.skips()).sum::<u64>();
        found_all_and_nothing_else(&mistakes, skipped, &document, &after);
        every_format_says_so(&out, &document, skipped);
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

fn found_all_and_nothing_else(mistakes: &[Mistake], skipped: u64, document: &Value, ran: &Ran) {
    let cases = document["expectations"].as_array().expect("a list");
    let differing: Vec<&Value> = cases.iter().filter(|case| case["status"] == "differs").collect();
    for mistake in mistakes {
        let (target, port, transport, what, found) = mistake.expected();
        let is_it = |case: &&&Value| {
            case["target"] == target
                && case["port"].as_u64().unwrap_or(0) == port
                && case["transport"].as_str().unwrap_or("") == transport
        };
        let case = differing.iter().find(is_it);
        let case = case.unwrap_or_else(|| panic!("{mistake:?} is not found\n{ran:?}"));
        let differences = case["differences"].as_array().expect("a list");
        let fits = |difference: &Value| {
            difference["what"] == what && difference["found"].as_str().unwrap().contains(found)
        };
        assert!(differences.iter().any(fits), "{mistake:?}: {case:#}");
    }
    assert_eq!(differing.len(), mistakes.len(), "{ran:?}");
    assert_eq!(document["counts"]["not_measured"], 0, "{ran:?}");
    assert_eq!(document["counts"]["skipped"], skipped, "{ran:?}");
    let shown = ran.stdout.lines().filter(|line| line.starts_with("differs ")).count();
    assert_eq!(shown, mistakes.len(), "{ran:?}");
    assert!(ran.stdout.contains(&format!("10 differ, {skipped} skipped")), "{ran:?}");
}

/// Each in its own way, and all the same.
fn every_format_says_so(out: &Path, document: &Value, skipped: u64) {
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
    let counts = format!("tests=\"{total}\" failures=\"10\" errors=\"0\" skipped=\"{skipped}\"");
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
