//! Reports in the forms of other tools, read by those tools.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use crate::run::portscan;

/// One open port, with its listener, and one that is closed as long as the guard lives.
fn ports() -> (TcpListener, String) {
    let open = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let ports = format!("{},{closed}", open.local_addr().unwrap().port());
    (open, ports)
}

/// Whether a tool is there. A test that cannot run here says so by name, and fails
/// where a skip is not allowed.
#[allow(clippy::print_stderr)]
fn has(tool: &str, test: &str) -> bool {
    let here = Command::new("sh").args(["-c", &format!("command -v {tool}")]).output().unwrap();
    if here.status.success() {
        return true;
    }
    eprintln!("SKIPPED: formats::{test}: {tool} is not installed");
    let forbidden = ["CI", "PORTSCAN_NO_SKIP"].iter().any(|name| std::env::var_os(name).is_some());
    assert!(!forbidden, "{test} must not be skipped here: {tool} is not installed");
    false
}

/// Runs a tool and requires that it is content.
fn content(command: &mut Command) -> String {
    let ended = command.output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success(), "{command:?}: {said}");
    String::from_utf8_lossy(&ended.stdout).into_owned()
}

#[test]
fn several_formats_are_written_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (_open, ports) = ports();
    let formats =
        ["json", "jsonl", "csv", "markdown", "html", "xml", "junit", "tap", "nagios", "prometheus"];
    let outputs: Vec<String> =
        formats.iter().map(|format| format!("-o {format}=x.{format}")).collect();
    portscan(&format!("127.0.0.1:{ports} --no-plugins {}", outputs.join(" ")))
        .dir(dir.path())
        .end()
        .code(1)
        .prints("1 open, 1 closed");
    for format in formats {
        let text = std::fs::read_to_string(dir.path().join(format!("x.{format}"))).unwrap();
        assert!(text.contains("closed"), "{format}: {text}");
    }
    let left = std::fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(left, formats.len(), "no half file is left");
}

#[test]
fn a_file_that_cannot_be_written_is_told_before_anything_is_sent() {
    for (output, said) in [
        ("json=/nonexistent/x.json", "--output /nonexistent/x.json: No such file"),
        ("json=/tmp", "--output /tmp: is a directory"),
        ("yaml=x", "is not FORMAT=FILE"),
        ("json", "is not FORMAT=FILE"),
        ("json=-", "--format writes to standard output"),
    ] {
        portscan(&format!("127.0.0.1:1 -o {output}")).end().code(2).prints_nothing().says(said);
    }
}

#[test]
fn nmaps_own_tools_read_the_xml() {
    if !has("xmllint", "nmaps_own_tools_read_the_xml")
        || !has("ndiff", "nmaps_own_tools_read_the_xml")
    {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    // An address of its own: the port that is let go is nobody else's.
    let open = TcpListener::bind("127.0.44.6:0").unwrap();
    let port = open.local_addr().unwrap().port();
    let line = format!("127.0.44.6:{port},1 --no-plugins --format table -o xml=");
    portscan(&format!("{line}a.xml")).dir(dir.path()).end().code(1);
    drop(open);
    portscan(&format!("{line}b.xml")).dir(dir.path()).end().code(1);
    let named = "localhost:1 -4 --no-plugins --format table -o xml=c.xml";
    portscan(named).dir(dir.path()).end().code(1);
    let dtd = Path::new("/usr/share/nmap/nmap.dtd");
    for file in ["a.xml", "c.xml"] {
        let mut xmllint = Command::new("xmllint");
        content(xmllint.args(["--noout", "--dtdvalid"]).arg(dtd).arg(dir.path().join(file)));
    }
    let ndiff = |a: &str, b: &str| {
        let ended = Command::new("ndiff").args([a, b]).current_dir(dir.path()).output().unwrap();
        (ended.status.code(), String::from_utf8_lossy(&ended.stdout).into_owned())
    };
    let (code, said) = ndiff("a.xml", "b.xml");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("open") && said.contains("closed"), "{said}");
    assert_eq!(ndiff("a.xml", "a.xml").0, Some(0));
}

#[test]
fn promtool_accepts_the_metrics() {
    if !has("promtool", "promtool_accepts_the_metrics") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (_open, ports) = ports();
    portscan(&format!("127.0.0.1:{ports} --no-plugins -o prometheus=x.prom")).dir(dir.path()).end();
    let file = std::fs::File::open(dir.path().join("x.prom")).unwrap();
    content(Command::new("promtool").args(["check", "metrics"]).stdin(file));
}

#[test]
fn nagios_gets_its_own_exit_codes() {
    let (open, ports) = ports();
    let port = open.local_addr().unwrap().port();
    let nagios = |what: &str| portscan(&format!("{what} --no-plugins --format nagios")).end();
    nagios(&format!("127.0.0.1:{port}")).code(0).prints("PORTSCAN OK - 1 of 1 fine |");
    nagios(&format!("127.0.0.1:{ports}"))
        .code(2)
        .prints("PORTSCAN CRITICAL - 1 of 2 fine: 127.0.0.1");
    nagios("nowhere.invalid.:1").code(3).prints("PORTSCAN UNKNOWN");
}
