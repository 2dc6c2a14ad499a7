//! A run that goes on where an earlier one stopped.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::run::portscan;

const RUN: &str = "127.0.0.1:1-3000 --no-plugins --rate 2000 --resume rows.jsonl --quiet";

/// How often each port has a row.
fn rows(file: &Path) -> BTreeMap<u64, u32> {
    let mut rows = BTreeMap::new();
    let text = std::fs::read_to_string(file).unwrap_or_default();
    for line in text.lines() {
        // A killed run may have left half a line.
        let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
        if line["type"] == "endpoint" && line["reason"] != "interrupted" {
            *rows.entry(line["port"].as_u64().unwrap()).or_default() += 1;
        }
    }
    rows
}

#[test]
fn an_interrupted_and_a_killed_run_are_gone_on_with_until_every_endpoint_has_one_row() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.jsonl");
    let mut seen = 0;
    for signal in [Signal::SIGINT, Signal::SIGKILL, Signal::SIGINT] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_portscan"))
            .args(RUN.split_whitespace())
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // As soon as there is something new, on a slow machine too.
        let began = Instant::now();
        while rows(&file).len() <= seen && began.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(20));
        }
        kill(Pid::from_raw(child.id() as i32), signal).unwrap();
        child.wait().unwrap();
        let now = rows(&file).len();
        assert!(now > seen && now < 3000, "{signal}: {seen}, then {now}");
        seen = now;
    }
    portscan(RUN).dir(folder.path()).end().code(1).says("have a row already");
    let all = rows(&file);
    assert_eq!(all.len(), 3000);
    assert!(all.values().all(|count| *count == 1), "an endpoint was probed twice");
    // Nothing is left to do, and the exit code is still that of all rows.
    portscan(RUN).dir(folder.path()).end().code(1).says("3000 endpoints");
}

#[test]
fn what_is_no_earlier_run_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let open = TcpListener::bind("127.0.0.1:0").unwrap();
    let line = format!("127.0.0.1:{} --resume f", open.local_addr().unwrap().port());
    for text in ["dear diary", "dear diary\n", "{\"type\":\"endpoint\"}\n"] {
        std::fs::write(folder.path().join("f"), text).unwrap();
        portscan(&line)
            .dir(folder.path())
            .end()
            .code(2)
            .prints_nothing()
            .says("--resume f: line 1");
        assert_eq!(std::fs::read_to_string(folder.path().join("f")).unwrap(), text);
    }
    portscan("127.0.0.1:1 --resume f --count 2").end().code(2).says("--resume");
    portscan("watch 127.0.0.1:1 --resume f").end().code(2).says("--resume");
}
