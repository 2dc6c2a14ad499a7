//! The audit log through the real executable: what is acknowledged is there, whatever
//! kills the run, fills the disk or writes at the same time.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

#[allow(dead_code)]
#[path = "../support/skip.rs"]
mod skip;

fn portscan() -> Command {
    Command::new(env!("CARGO_BIN_EXE_portscan"))
}

/// A run with a log.
fn audited(log: &Path, line: &str) -> Command {
    let mut command = portscan();
    command.args(line.split_whitespace()).arg("--audit").arg(log);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn verify(log: &Path, more: &[&str]) -> Output {
    portscan().args(["audit", "verify"]).arg(log).args(more).output().unwrap()
}

/// The entries that a run was told of: number and digest.
fn acknowledged(stderr: &[u8]) -> Vec<(u64, String)> {
    let text = String::from_utf8_lossy(stderr).into_owned();
    let heads = text.lines().filter_map(|line| line.split("audited as entry ").nth(1));
    let head = |text: &str| text.split_once(':').map(|(n, d)| (n.parse().unwrap(), d.to_owned()));
    heads.filter_map(|text| head(text.trim())).collect()
}

/// Whether an entry is in the log, unchanged.
fn is_there(log: &Path, entry: &(u64, String)) -> bool {
    verify(log, &["--head", &format!("{}:{}", entry.0, entry.1)]).status.success()
}

fn entries(log: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(log).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_run_says_who_why_what_with_what_and_what_came_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("audit.jsonl");
    let open = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = open.local_addr().unwrap().port();
    let line = format!("127.0.0.1:{port},1 no.invalid:1 --vantage office");
    let ran = audited(&log, &line).args(["--reason", "CHG-123"]).output().unwrap();
    let told = acknowledged(&ran.stderr);
    assert_eq!(told.len(), 3, "{}", String::from_utf8_lossy(&ran.stderr));
    let [begin, results, end] = &entries(&log)[..] else { panic!("not three entries") };
    assert_eq!((&begin["event"], &begin["reason"]), (&"begin".into(), &"CHG-123".into()));
    assert_eq!(begin["vantage"], "office");
    assert_eq!(begin["scope"][0]["target"], "127.0.0.1");
    assert_eq!(begin["portscan"]["sha256"].as_str().unwrap().len(), 64);
    assert!(begin["plugins"].as_array().unwrap().len() >= 20);
    assert!(begin["plugins"][0]["sha256"].is_string());
    let states: Vec<&Value> =
        results["endpoints"].as_array().unwrap().iter().map(|row| &row["state"]).collect();
    assert_eq!(states.len(), 2);
    assert_eq!((&end["event"], &end["endpoints"]), (&"end".into(), &2.into()));
    assert_eq!(end["unresolved"][0]["target"], "no.invalid");
    assert!(entries(&log).iter().all(|entry| entry["run"] == begin["run"]));
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&log).unwrap());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_trace_is_written_down_as_a_probe_is() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("audit.jsonl");
    let open = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = open.local_addr().unwrap().port();
    let line = format!("trace 127.0.0.1:{port}");
    let ran = audited(&log, &line).args(["--reason", "CHG-9"]).output().unwrap();
    assert_eq!(ran.status.code(), Some(0), "{ran:?}");
    assert_eq!(acknowledged(&ran.stderr).len(), 3, "{ran:?}");
    let [begin, results, end] = &entries(&log)[..] else { panic!("not three entries") };
    let told = (&begin["event"], &begin["command"], &begin["reason"]);
    assert_eq!(told, (&"begin".into(), &"trace".into(), &"CHG-9".into()));
    assert_eq!(begin["scope"][0]["ports"], serde_json::json!([format!("{port}/tcp")]));
    let row = &results["endpoints"][0];
    assert_eq!((&row["address"], &row["port"]), (&"127.0.0.1".into(), &port.into()));
    assert!(row["packets_sent"].as_u64().unwrap() >= 1, "{row}");
    assert_eq!(row["conclusion"], "the endpoint is reached and open");
    assert_eq!((&end["event"], &end["endpoints"]), (&"end".into(), &1.into()));

    // Where a file or the environment asks for it, and for a name without an address.
    let mut asked = portscan();
    asked.args(["trace", "no.invalid:1"]).env("PORTSCAN_AUDIT", &log).env("PORTSCAN_COUNT", "3");
    let ran = asked.output().unwrap();
    assert_eq!((ran.status.code(), acknowledged(&ran.stderr).len()), (Some(2), 2), "{ran:?}");
    assert_eq!(entries(&log)[4]["unresolved"][0]["target"], "no.invalid");
    assert!(verify(&log, &[]).status.success());

    let diary = folder.path().join("diary");
    std::fs::write(&diary, "dear diary").unwrap();
    let ran = audited(&diary, &line).output().unwrap();
    assert_eq!((ran.status.code(), ran.stdout.len()), (Some(2), 0), "nothing is traced");
    // What a scope refuses was asked for all the same.
    std::fs::write(folder.path().join("scope.toml"), "never = [\"127.0.0.0/8\"]").unwrap();
    let scope = folder.path().join("scope.toml").display().to_string();
    let ran = audited(&log, &line).args(["--scope", &scope]).output().unwrap();
    assert_eq!((ran.status.code(), ran.stdout.len()), (Some(2), 0), "{ran:?}");
    assert_eq!(entries(&log).len(), 6, "it began, and has no end");
}

#[test]
fn an_edit_a_removed_a_moved_line_and_a_cut_tail_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("audit.jsonl");
    for _ in 0..3 {
        audited(&log, "127.0.0.1:1 --no-plugins").output().unwrap();
    }
    let whole = std::fs::read_to_string(&log).unwrap();
    let head = portscan().args(["audit", "head"]).arg(&log).output().unwrap();
    let head = String::from_utf8(head.stdout).unwrap().trim().to_owned();
    assert!(head.starts_with("9:"), "{head}");
    assert_eq!(verify(&log, &["--head", &head]).status.code(), Some(0));
    let lines: Vec<&str> = whole.lines().collect();
    let mut moved = lines.clone();
    moved.swap(2, 5);
    let edited = whole.replacen("\"port\":1,", "\"port\":2,", 1);
    assert_ne!(edited, whole);
    for (text, says) in [
        (edited, "was changed"),
        ([&lines[..4], &lines[5..]].concat().join("\n") + "\n", "removed"),
        (moved.join("\n") + "\n", "moved"),
        (lines[..7].join("\n") + "\n", "ends with entry 7"),
        (String::new(), "ends with entry 0"),
        (whole.replace("\"entry\":9", "\"entry\":10"), "line 9"),
        (whole.replace("{\"entry\":5", "\"entry\":5"), "line 5 is no entry"),
    ] {
        std::fs::write(&log, text).unwrap();
        let ended = verify(&log, &["--head", &head]);
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{says}: {said}");
        assert!(said.contains(says), "{says}: {said}");
    }
    assert_eq!(verify(Path::new("/nonexistent"), &[]).status.code(), Some(2));
    assert_eq!(verify(&log, &["--head", "last one"]).status.code(), Some(2));
}

/// Forty runs at once, every second one killed at another moment.
#[test]
#[allow(clippy::print_stderr)]
fn killed_runs_and_many_at_once_lose_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("audit.jsonl");
    let (mut told, mut kills) = (Vec::new(), 0);
    for round in 0..4_u64 {
        let children: Vec<_> = (0..10_u64)
            .map(|n| {
                // A thousand rows: several entries each.
                let child = audited(&log, "127.0.0.1:1-1000 --no-plugins").spawn().unwrap();
                (n, child)
            })
            .collect();
        for (n, mut child) in children {
            if n % 2 == 0 {
                std::thread::sleep(Duration::from_micros(700 * (round * 10 + n)));
                child.kill().unwrap();
                kills += 1;
            }
            told.extend(acknowledged(&child.wait_with_output().unwrap().stderr));
        }
    }
    let ended = verify(&log, &[]);
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let lost = told.iter().filter(|entry| !is_there(&log, entry)).count();
    assert_eq!(lost, 0, "of {}", told.len());
    assert!(told.len() >= 20 * 6, "{} acknowledged", told.len());
    let all = entries(&log).len();
    eprintln!(
        "40 runs, {kills} killed: {} entries acknowledged, {all} there, {lost} lost",
        told.len()
    );
}

#[test]
fn half_a_line_of_a_killed_run_is_taken_away_and_what_is_no_log_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("audit.jsonl");
    let first = audited(&log, "127.0.0.1:1 --no-plugins").output().unwrap();
    let whole = std::fs::read_to_string(&log).unwrap();
    std::fs::write(&log, whole.clone() + "{\"entry\":4,\"previ").unwrap();
    let ended = verify(&log, &[]);
    assert!(ended.status.success());
    assert!(String::from_utf8_lossy(&ended.stderr).contains("without an end"));
    // An entry that was told of and cut through looks the same, but for its head.
    let (number, digest) = acknowledged(&first.stderr).pop().unwrap();
    let head = format!("{number}:{digest}");
    std::fs::write(&log, &whole[..whole.len() - 20]).unwrap();
    assert!(verify(&log, &[]).status.success());
    let cut = verify(&log, &["--head", &head]);
    assert_eq!(cut.status.code(), Some(1), "{cut:?}");
    let said = verify(&log, &["--head", "zz"]);
    assert!(String::from_utf8_lossy(&said.stderr).contains("'zz' is not NUMBER:SHA-256"));
    std::fs::write(&log, whole.clone() + "{\"entry\":4,\"previ").unwrap();
    audited(&log, "127.0.0.1:1 --no-plugins").output().unwrap();
    assert!(verify(&log, &[]).status.success());
    assert_eq!(entries(&log)[3]["removed_bytes_without_end"], 17);

    let diary = folder.path().join("diary");
    for text in ["dear diary", "dear diary\n"] {
        std::fs::write(&diary, text).unwrap();
        let ran = audited(&diary, "127.0.0.1:1 --no-plugins").output().unwrap();
        assert_eq!(ran.status.code(), Some(2), "nothing is probed that is not written down");
        assert!(ran.stdout.is_empty());
        assert_eq!(std::fs::read_to_string(&diary).unwrap(), text);
    }
}

/// In a file system of 64 KiB of the test's own.
#[test]
fn a_full_disk_stops_the_run_and_corrupts_nothing() {
    if !nix::unistd::geteuid().is_root() {
        return skip::skip("mounting a small file system needs root");
    }
    let folder = tempfile::tempdir().unwrap();
    let script = format!(
        "mount -t tmpfs -o size=64k tmpfs {0} || exit 77\n\
         for run in $(seq 40); do\n\
           {1} 127.0.0.1:1-400 --no-plugins --quiet --audit {0}/log >/dev/null 2>>{0}.err || last=$?\n\
         done\n\
         {1} audit verify {0}/log && exit ${{last:-0}}; exit 99\n",
        folder.path().display(),
        env!("CARGO_BIN_EXE_portscan"),
    );
    let ran = Command::new("unshare").args(["-m", "sh", "-c", &script]).output().unwrap();
    let errors = format!("{}.err", folder.path().display());
    let said = std::fs::read_to_string(&errors).unwrap_or_default();
    let _ = std::fs::remove_file(&errors);
    let out = String::from_utf8_lossy(&ran.stdout) + String::from_utf8_lossy(&ran.stderr);
    // The last run could not write, and said so; the log is whole.
    assert_eq!(ran.status.code(), Some(2), "{out}{said}");
    assert!(said.contains("No space left"), "{said}");
    assert!(out.contains("entries, whole"), "{out}");
    let most = acknowledged(said.as_bytes()).last().map(|(number, _)| *number).unwrap();
    assert!(out.contains(&format!("{most} entries, whole")), "{most}: {out}");
}
