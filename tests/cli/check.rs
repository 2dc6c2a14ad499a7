//! Expected states, over loopback: what is as it ought to be, what is not, and files
//! that make no sense.

use std::net::TcpListener;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::run::{Ended, portscan};

/// An open port, with its listener, and one that nobody listens on.
fn ports() -> (TcpListener, u16, u16) {
    let open = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let port = open.local_addr().unwrap().port();
    (open, port, closed)
}

/// A folder with this file.
fn file(text: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("f.toml"), text).unwrap();
    dir
}

fn check(dir: &Path, words: &str) -> Ended {
    portscan(&format!("check f.toml {words}")).dir(dir).end()
}

#[test]
fn what_is_as_expected_is_only_counted_and_what_differs_is_shown() {
    let (_open, open, closed) = ports();
    let good = format!("[targets.'127.0.0.1']\n{open} = 'open'\n{closed} = 'closed'\n");
    let dir = file(&good);
    let ended = check(dir.path(), "").code(0);
    assert_eq!(ended.stdout(), "2 as expected\n");
    check(dir.path(), "--all").code(0).prints(&format!("127.0.0.1 {open}/tcp  f.toml:2:1"));

    let dir = file(&good.replace("'closed'", "'open'"));
    let ended = check(dir.path(), "").code(1);
    let wanted = format!("differs       127.0.0.1 {closed}/tcp  f.toml:3:1\n");
    let ended = ended.prints(&wanted).prints("state: expected open, is closed (reset)");
    let ended =
        ended.prints("-> nothing listens on this port").prints("1 as expected, 1 differs\n");
    assert!(!ended.stdout().contains(&format!("{open}/tcp")), "{}", ended.stdout());
    let ended = check(dir.path(), "--no-advice").code(1);
    assert!(!ended.stdout().contains("->"), "{}", ended.stdout());
}

#[test]
fn names_vantage_points_and_families_count() {
    let (_open, open, _) = ports();
    let text = format!(
        "[targets.localhost]\nfamily = 'ipv4'\naddresses = ['127.0.0.1']\n\
         {open} = [{{ state = 'open', from = 'here' }}, {{ state = 'not-open', from = 'there' }}]\n"
    );
    let dir = file(&text);
    check(dir.path(), "--vantage here").code(0).prints("2 as expected, 1 skipped");
    check(dir.path(), "--vantage there").code(1).prints("1 as expected, 1 differs, 1 skipped");
    check(dir.path(), "").code(0).prints("1 as expected, 2 skipped");
    check(dir.path(), "-6").code(2).says("localhost is expected over IPv4");

    let dir = file(&text.replace("127.0.0.1", "127.0.0.2"));
    let said = "addresses: expected 127.0.0.2, is 127.0.0.1";
    check(dir.path(), "--vantage here").code(1).prints(said).prints("1 differs, 2 skipped");
}

#[test]
fn what_cannot_be_measured_ends_with_2() {
    let dir = file("[targets.'nowhere.invalid.']\n1 = 'closed'\n");
    check(dir.path(), "").code(2).prints("not measured").prints("the name has no address");
    let dir = file("[targets.'nowhere.invalid.']\naddresses = []\n");
    // Without a name server on this machine the name is unresolved for another reason.
    let ended = check(dir.path(), "");
    let known = ended.stdout().contains("1 as expected");
    assert!(known || ended.stdout().contains("could not be looked up"), "{}", ended.stdout());
}

#[test]
fn everything_that_is_wrong_with_a_file_is_told_at_once() {
    let dir = file(
        "includ = 'x'\n[targets.a]\nroles = ['wbe']\n443 = { findings = ['tls.day-left > 1'] }\n\
         70000 = 'open'\n80 = { plugin = 'htpp' }\n1 = 'opne'\n2 = \n",
    );
    let ended = check(dir.path(), "").code(2).prints_nothing();
    for said in [
        "f.toml:1:1: no key 'includ' at the top level; did you mean 'include'?",
        "f.toml:4:21: the plugin http finds no 'tls.day-left'; did you mean 'tls.days-left'?",
        "f.toml:5:1: '70000' is no port",
        "f.toml:6:17: no plugin 'htpp'; did you mean 'http'?",
        "f.toml:7:5: no state 'opne'; did you mean 'open'?",
        "f.toml:8:",
    ] {
        assert!(ended.stderr().contains(said), "no {said}\n{}", ended.stderr());
    }
    assert_eq!(ended.stderr().lines().count(), 6, "{}", ended.stderr());
    // One mistake hides no other one of its table, and makes none of its own.
    let dir = file(
        "[roles.web]\n443 = { helth = 'healthy', findings = ['tls.day-left > 1', 'http.status ~ 3'] }\n\
         [targets.a]\nroles = ['web']\n",
    );
    let ended = check(dir.path(), "").code(2).prints_nothing();
    for said in [
        "f.toml:2:9: no key 'helth' of a port; did you mean 'health'?",
        "f.toml:2:40: the plugin http finds no 'tls.day-left'; did you mean 'tls.days-left'?",
        "f.toml:2:60: 'http.status ~ 3': write NAME OPERATOR VALUE",
    ] {
        assert!(ended.stderr().contains(said), "no {said}\n{}", ended.stderr());
    }
    assert_eq!(ended.stderr().lines().count(), 3, "{}", ended.stderr());
    portscan("check").end().code(2).says("check takes one file");
    portscan("check gone.toml").end().code(2).says("portscan: gone.toml: No such file");
    portscan("check a b").end().code(2).says("check takes one file");
}

#[test]
fn a_file_is_read_from_standard_input_and_includes_others() {
    let (_open, open, _) = ports();
    let dir = file("[roles.r]\n1 = 'open'\n[variables]\nport = 1\n");
    let text = format!("include = 'f.toml'\n[targets.'127.0.0.1']\n{open} = 'open'\n");
    portscan("check -")
        .dir(dir.path())
        .input(text)
        .end()
        .code(0)
        .says("no target has the role 'r'");
}

#[test]
fn the_file_of_init_expects_what_is_there() {
    let (_listener, open, closed) = ports();
    let dir = tempfile::tempdir().unwrap();
    let made =
        portscan(&format!("check --init localhost:{open},{closed} 127.0.0.0/30:{closed}")).end();
    let text = made.code(0).stdout();
    assert!(text.contains("[targets.\"localhost\"]") && text.contains("127.0.0.3"), "{text}");
    std::fs::write(dir.path().join("f.toml"), &text).unwrap();
    check(dir.path(), "").code(0).prints("as expected");
    check(dir.path(), "--format json").code(0);
    portscan("check --init nowhere.invalid.:1").end().code(2).says("it has no address");
}

/// A check with one of each status, in a format.
fn of_each(format: &str) -> Ended {
    let (_open, open, closed) = ports();
    let dir = file(&format!(
        "[targets.'127.0.0.1']\n{open} = 'open'\n{closed} = 'open'\n\
         1 = {{ state = 'open', from = 'office' }}\n[targets.'nowhere.invalid.']\n1 = 'open'\n"
    ));
    check(dir.path(), &format!("--format {format}"))
}

#[test]
fn the_document_keeps_to_its_schema() {
    let schema = |text: &str| -> Value { serde_json::from_str(text).unwrap() };
    let report = schema(include_str!("../../docs/schema/report-1.schema.json"));
    let own = schema(include_str!("../../docs/schema/check-1.schema.json"));
    let registry = jsonschema::Registry::new()
        .add("file:///schema/report-1.schema.json", jsonschema::Resource::from_contents(report))
        .unwrap()
        .prepare()
        .unwrap();
    let validator = jsonschema::options()
        .with_registry(&registry)
        .with_base_uri("file:///schema/check-1.schema.json")
        .build(&own)
        .unwrap();
    let document: Value = serde_json::from_str(&of_each("json").code(2).stdout()).unwrap();
    let complaints: Vec<_> = validator.iter_errors(&document).map(|e| e.to_string()).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
    let counts =
        serde_json::json!({"as_expected": 1, "differ": 1, "not_measured": 1, "skipped": 1});
    assert_eq!(document["counts"], counts);
    let mut wrong = document.clone();
    let cases = wrong["expectations"].as_array_mut().unwrap();
    let differing = cases.iter_mut().find(|case| case["status"] == "differs").unwrap();
    differing["differences"] = serde_json::json!([]);
    assert!(!validator.is_valid(&wrong), "a difference without one");
}

#[test]
fn each_format_says_what_is_as_expected() {
    let junit = of_each("junit").code(2).stdout();
    for said in
        ["tests=\"4\"", "failures=\"1\"", "errors=\"1\"", "skipped=\"1\"", "<skipped message"]
    {
        assert!(junit.contains(said), "{said}\n{junit}");
    }
    let tap = of_each("tap").code(2).stdout();
    let count = |start: &str| tap.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!((count("ok "), count("not ok "), count("1..4")), (2, 2, 1), "{tap}");
    assert!(tap.contains("# SKIP it holds from office"), "{tap}");
    let nagios = of_each("nagios").code(3).stdout();
    assert!(nagios.starts_with("PORTSCAN UNKNOWN - 1 of 3 as expected: "), "{nagios}");
    assert_eq!(of_each("csv").code(2).stdout().lines().count(), 5);
    assert_eq!(of_each("jsonl").code(2).stdout().lines().count(), 6);
    of_each("markdown").code(2).prints("1 as expected, 1 differs, 1 not measured, 1 skipped");
    of_each("prometheus").code(2).prints("portscan_expectations{status=\"differs\"} 1");
    of_each("xml").code(2).prints("<nmaprun");
}

#[test]
fn the_page_gives_advice_for_what_differs_and_for_nothing_else() {
    let (_open, open, closed) = ports();
    let dir = file(&format!("[targets.'127.0.0.1']\n{closed} = 'closed'\n"));
    let page = check(dir.path(), "--format html").code(0).stdout();
    assert!(page.contains("1 as expected") && !page.contains("nothing listens"), "{page}");
    let dir = file(&format!("[targets.'127.0.0.1']\n{closed} = 'open'\n{open} = 'open'\n"));
    check(dir.path(), "--format html").code(1).prints("nothing listens");
}

#[test]
fn several_formats_are_written_at_once() {
    let (_open, open, _) = ports();
    let dir = file(&format!("[targets.'127.0.0.1']\n{open} = 'closed'\n"));
    check(dir.path(), "-o junit=x.xml -o json=x.json -q")
        .code(1)
        .prints("0 as expected, 1 differs");
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    assert!(read("x.xml").contains("failures=\"1\""));
    assert!(read("x.json").contains("portscan/check/1"));
    check(dir.path(), "--format nagios").code(2).prints("PORTSCAN CRITICAL - 0 of 1 as expected");
}
