//! Reports that were written earlier: compared and kept.

use std::net::TcpListener;
use std::path::Path;

use crate::run::{Run, portscan};

/// A run with a home of its own.
fn at_home(dir: &Path, line: &str) -> Run {
    portscan(line).env("HOME", &dir.display().to_string()).dir(dir)
}

/// The report of a probe, kept as a file.
///
/// Each test has a loopback address of its own: on a shared one, the port of a
/// listener that is gone is soon somebody else's.
fn report(dir: &Path, file: &str, target: &str, more: &str) {
    let line = format!("{target} --no-plugins --format json {more}");
    std::fs::write(dir.join(file), at_home(dir, &line).end().stdout()).unwrap();
}

#[test]
fn a_service_that_went_away_is_the_one_difference() {
    let dir = tempfile::tempdir().unwrap();
    let (stays, goes) =
        (TcpListener::bind("127.0.44.1:0").unwrap(), TcpListener::bind("127.0.44.1:0").unwrap());
    let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
    let gone = port(&goes);
    let ports = format!("127.0.44.1:{},{gone}", port(&stays));
    report(dir.path(), "a.json", &ports, "");
    report(dir.path(), "again.json", &ports, "");
    drop(goes);
    report(dir.path(), "b.json", &ports, "");
    at_home(dir.path(), "diff a.json again.json").end().code(0).prints_nothing().says("no change");
    at_home(dir.path(), "diff a.json b.json").end().code(1).prints(&format!(
        "127.0.44.1 {gone}/tcp  state: open (syn-ack) -> closed (reset)\n1 change\n"
    ));
    let json = at_home(dir.path(), "diff a.json b.json --format json").end().code(1).stdout();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["schema"], "portscan/changes/1");
    assert_eq!(json["changes"][0]["port"], gone);
}

#[test]
fn a_baseline_is_kept_held_against_and_taken_over() {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.44.2:0").unwrap();
    let port = listener.local_addr().unwrap().to_string();
    report(dir.path(), "a.json", &port, "");
    let a = std::fs::read(dir.path().join("a.json")).unwrap();
    at_home(dir.path(), "baseline diff web").input(&a).end().code(2).says("baseline save web");
    at_home(dir.path(), "baseline save web").input(&a).end().code(0);
    at_home(dir.path(), "baseline save web a.json").end().code(2).says("accept web replaces it");
    at_home(dir.path(), "baseline diff web a.json")
        .end()
        .code(0)
        .prints_nothing()
        .says("no change");
    drop(listener);
    report(dir.path(), "b.json", &port, "");
    at_home(dir.path(), "baseline diff web b.json").end().code(1).prints("closed (reset)");
    at_home(dir.path(), "baseline accept web b.json").end().code(0).prints("1 change");
    at_home(dir.path(), "baseline diff web b.json")
        .end()
        .code(0)
        .prints_nothing()
        .says("no change");
    at_home(dir.path(), "baseline save ../x a.json").end().code(2).says("no name for a baseline");
}

#[test]
fn places_stand_side_by_side_under_their_names() {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.44.3:0").unwrap();
    let port = listener.local_addr().unwrap().to_string();
    report(dir.path(), "a.json", &port, "--vantage vpc");
    drop(listener);
    report(dir.path(), "b.json", &port, "--vantage office");
    at_home(dir.path(), "compare a.json b.json")
        .end()
        .code(1)
        .prints("vpc")
        .prints("-> open from vpc, closed (reset) from office:");
}

#[test]
fn what_is_no_report_is_named_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("x.json"), "{\n \"schema\": 1}").unwrap();
    at_home(dir.path(), "diff x.json x.json").end().code(2).prints_nothing().says("x.json: line 2");
    at_home(dir.path(), "diff no.json x.json").end().code(2).says("no.json: No such file");
}

#[test]
fn standard_input_is_read_once_and_whoever_names_it_twice_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    report(dir.path(), "a.json", "127.0.44.5:1", "");
    let a = std::fs::read(dir.path().join("a.json")).unwrap();
    for line in ["diff - -", "compare - a.json -", "--targets - --targets -"] {
        at_home(dir.path(), line).input(&a).end().code(2).prints_nothing().says("named twice");
    }
    at_home(dir.path(), "diff - a.json").input(&a).end().code(0).prints_nothing().says("no change");
    at_home(dir.path(), "diff a.json -").input(&a).end().code(0).prints_nothing().says("no change");
}
