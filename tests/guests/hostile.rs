//! Hostile plugins through the real executable: one at an endpoint of its own,
//! beside honest ones, and a thousand at once.
//!
//! Each case is a component that is written below. Whatever it does, the run ends
//! in time, the other endpoints' results are complete and right, memory stays
//! bounded, and the row or the note names the plugin and the cause. What was
//! measured is written as a table into the build folder.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use portscan::host::limits;
use portscan::model::{DefaultPort, Transport};
use serde_json::Value;

use crate::checks::DIALOGUE;
use crate::hostile_cases::{Case, Outcome, cases};
use crate::plugin::Plugin;

/// Time of one check, as the user sets it.
const CHECK: Duration = Duration::from_millis(1500);

/// The longest that a run may take: its checks, or a compilation to its limit,
/// and the work around on a machine that runs the other tests too.
const LONGEST: Duration = Duration::from_secs(limits::COMPILE_WALL.as_secs() + 25);

/// Most memory of the runner itself, in MiB. Four guests at their full 64 MiB, and
/// what everything else takes.
const MOST_MIB: u64 = 4 * 64 + 96;

/// Echoes whatever comes, over TCP and UDP, at one port of all loopback addresses.
fn echo() -> u16 {
    let (tcp, udp) = loop {
        let tcp = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("loopback");
        let port = tcp.local_addr().expect("bound").port();
        if let Ok(udp) = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)) {
            break (tcp, udp);
        }
    };
    let port = tcp.local_addr().expect("bound").port();
    thread::spawn(move || {
        for mut stream in tcp.incoming().flatten() {
            // One thread each, small: a thousand connections stand at once.
            let serve = move || {
                let mut bytes = [0; 4096];
                while let Ok(n @ 1..) = stream.read(&mut bytes) {
                    if stream.write_all(&bytes[..n]).is_err() {
                        break;
                    }
                }
            };
            let _ = thread::Builder::new().stack_size(64 << 10).spawn(serve);
        }
    });
    thread::spawn(move || {
        let mut bytes = [0; 2048];
        while let Ok((n, from)) = udp.recv_from(&mut bytes) {
            let _ = udp.send_to(&bytes[..n], from);
        }
    });
    port
}

/// A run, its report, and what it took.
struct Run {
    report: Value,
    stderr: String,
    code: Option<i32>,
    wall: Duration,
    peak_mib: u64,
}

fn run(plugins: &Path, targets: &[String]) -> Run {
    let started = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_portscan"))
        .args(["--targets", "-", "--format", "json", "--timeout"])
        .arg(format!("{}ms", CHECK.as_millis()))
        .arg("--plugin-dir")
        .arg(plugins)
        .env("XDG_CACHE_HOME", plugins.join("cache"))
        .env("XDG_DATA_HOME", plugins.join("data"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("portscan starts");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(targets.join("\n").as_bytes()).expect("it reads its targets");
    drop(stdin);
    // The peak that the kernel keeps; a parent's own size would be in wait4's.
    let status = format!("/proc/{}/status", child.id());
    let watch = thread::spawn(move || {
        let mut peak = 0;
        while let Ok(text) = std::fs::read_to_string(&status) {
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let Some(kib) = line.and_then(|l| l.trim().strip_suffix(" kB")?.parse().ok()) else {
                break;
            };
            peak = kib;
            thread::sleep(Duration::from_millis(2));
        }
        peak / 1024
    });
    let ended = child.wait_with_output().expect("it ends");
    let wall = started.elapsed();
    let stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
    let report = serde_json::from_slice(&ended.stdout)
        .unwrap_or_else(|error| panic!("{error}: no whole report\n{stderr}"));
    let peak_mib: u64 = watch.join().expect("it watches");
    Run { report, stderr, code: ended.status.code(), wall, peak_mib }
}

impl Run {
    fn rows(&self, port: u16) -> Vec<&Value> {
        let rows = self.report["endpoints"].as_array().expect("rows");
        rows.iter().filter(|row| row["port"] == port).collect()
    }

    /// The honest rows are as if nobody else were there.
    fn assert_honest(&self, case: &str, ports: &[u16], closed: u16) {
        for port in ports {
            for row in self.rows(*port) {
                assert_eq!(row["state"], "open", "{case}: {row}");
                assert_eq!(row["check"]["plugin"], "honest", "{case}: {row}");
                assert_eq!(row["check"]["verdict"], "confirmed", "{case}: {row}\n{}", self.stderr);
                assert_eq!(row["check"]["summary"], "ping", "{case}: {row}");
            }
        }
        let [row] = self.rows(closed)[..] else { panic!("{case}: no row") };
        assert_eq!((&row["state"], &row["reason"]), (&"closed".into(), &"reset".into()), "{case}");
        assert!(!self.stderr.contains('\u{1b}'), "{case}: {}", self.stderr);
    }
}

/// A folder with the honest plugin and the case's own.
fn folder(honest: &[u16]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let mut plugin = Plugin::check(DIALOGUE);
    plugin.metadata.name = "honest".to_owned();
    plugin.metadata.ports =
        honest.iter().map(|port| DefaultPort { port: *port, transport: Transport::Tcp }).collect();
    let component = plugin.build_with_section(&plugin.metadata);
    std::fs::write(folder.path().join("honest.wasm"), component).expect("written");
    folder
}

/// A port at which nobody listens.
fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    listener.local_addr().expect("bound").port()
}

/// What came of the hostile row, in a few words for the table.
fn outcome(run: &Run, case: &Case, port: u16) -> String {
    let [row] = run.rows(port)[..] else { panic!("{}: not one row", case.name) };
    assert_eq!(row["state"], "open", "{}: {row}", case.name);
    let check = &row["check"];
    match &case.outcome {
        Outcome::Fault(kinds) => {
            let kind = check["fault"]["kind"].as_str().unwrap_or("no fault");
            assert!(kinds.contains(&kind), "{}: {row}", case.name);
            assert_eq!(check["verdict"], "not-checked", "{}", case.name);
            assert_eq!(check["plugin"], "hostile", "{}", case.name);
            assert!(check["fault"]["text"].as_str().is_some_and(|text| !text.is_empty()));
            format!("not-checked: {kind}")
        }
        Outcome::Verdict(verdict) => {
            assert_eq!(check["verdict"], *verdict, "{}: {row}\n{}", case.name, run.stderr);
            (*verdict).to_owned()
        }
        Outcome::Ignored(why) => {
            assert!(run.stderr.contains("hostile.wasm"), "{}: {}", case.name, run.stderr);
            assert!(run.stderr.contains(why), "{}: {}", case.name, run.stderr);
            assert!(check.is_null() || check["plugin"] != "hostile", "{}: {row}", case.name);
            format!("ignored: {why}")
        }
    }
}

#[test]
fn whatever_a_hostile_plugin_does_the_others_results_stand() {
    let (honest, hostile, closed) = ([echo(), echo(), echo()], echo(), closed_port());
    let mut table = String::from("| case | outcome | time | peak memory |\n|---|---|--:|--:|\n");
    for case in cases(hostile) {
        let folder = folder(&honest);
        std::fs::write(folder.path().join("hostile.wasm"), &case.component).expect("written");
        let mut targets: Vec<String> =
            honest.iter().chain([&closed]).map(|port| format!("127.0.0.1:{port}")).collect();
        targets.push(format!("127.0.0.1:{hostile}/{}", case.transport));
        let run = run(folder.path(), &targets);
        assert_eq!(run.code, Some(1), "{}: {}", case.name, run.stderr);
        run.assert_honest(case.name, &honest, closed);
        let outcome = outcome(&run, &case, hostile);
        assert!(run.wall < LONGEST, "{}: {:?}", case.name, run.wall);
        assert!(run.peak_mib < MOST_MIB, "{}: {} MiB", case.name, run.peak_mib);
        let (name, seconds, mib) = (case.name, run.wall.as_secs_f64(), run.peak_mib);
        let _ = writeln!(table, "| {name} | {outcome} | {seconds:.2} s | {mib} MiB |");
    }
    std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile-guests.md"), table)
        .expect("the build folder is ours");
}

/// Ten kinds of hostility at a hundred addresses each.
#[test]
fn a_thousand_hostile_checks_at_once_change_nothing_for_the_honest() {
    let (honest, closed) = ([echo(), echo(), echo()], closed_port());
    let folder = folder(&honest);
    let chosen = [
        "endless loop in check",
        "memory bomb",
        "table growth",
        "deep recursion",
        "trap while the host waits",
        "log flood",
        "host-call flood",
        "list of 4 GiB to the host",
        "future that never ends",
        "undeclared sends",
    ];
    let mut targets: Vec<String> =
        honest.iter().chain([&closed]).map(|port| format!("127.0.0.1:{port}")).collect();
    let mut expected = Vec::new();
    for (at, name) in chosen.iter().enumerate() {
        let port = echo();
        let case = cases(port).into_iter().find(|case| case.name == *name).expect("a case");
        let Outcome::Fault(kinds) = case.outcome else {
            panic!("{name} is no fault");
        };
        // The names must differ: of two with one name the first one counts.
        let component = crate::hostile_cases::renamed(&case, at);
        std::fs::write(folder.path().join(format!("hostile-{at}.wasm")), component)
            .expect("written");
        targets.push(format!("127.1.0.1-127.1.0.100:{port}"));
        expected.push((port, kinds));
    }
    // Among them, more of the honest.
    targets.push(format!("127.1.1.1-127.1.1.20:{}", honest[0]));
    let run = run(folder.path(), &targets);
    run.assert_honest("a thousand", &honest, closed);
    assert_eq!(run.rows(honest[0]).len(), 21);
    for (port, kinds) in expected {
        let rows = run.rows(port);
        assert_eq!(rows.len(), 100);
        for row in rows {
            let kind = row["check"]["fault"]["kind"].as_str().unwrap_or("no fault");
            // With so many, the deadline may come before a budget is used up.
            assert!(kinds.contains(&kind) || kind == "deadline", "{row}");
        }
    }
    assert!(run.wall < Duration::from_secs(120), "{:?}", run.wall);
    assert!(run.peak_mib < 2 * MOST_MIB, "{} MiB", run.peak_mib);
    let line = format!("1,000 at once: {:.1} s, {} MiB\n", run.wall.as_secs_f64(), run.peak_mib);
    std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile-thousand.txt"), line)
        .expect("the build folder is ours");
}
