//! Runs portscan with one plugin against one endpoint and holds the row
//! against what must be said.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::portscan::{Ran, finish, program};

/// The longest that a run of one endpoint may take, whatever the peer does: a
/// silent UDP port is given 3.3 s by the probe and a check 10 s, and a first
/// run compiles the plugin, on a machine that runs the other tests too.
const LONGEST_RUN: Duration = Duration::from_secs(30);

/// TCP, as it is written after the slash.
pub const TCP: &str = "tcp";
/// UDP, as it is written after the slash.
pub const UDP: &str = "udp";

/// A check to be made.
pub struct Check {
    place: SocketAddr,
    transport: &'static str,
    plugin: &'static str,
    args: Vec<OsString>,
    trusted: Option<PathBuf>,
}

impl Check {
    /// A check of the endpoint by this plugin.
    pub fn new(plugin: &'static str, place: SocketAddr, transport: &'static str) -> Check {
        Check { place, transport, plugin, args: Vec::new(), trusted: None }
    }

    /// Sets one of the plugin's settings.
    pub fn set(mut self, name: &str, value: &str) -> Check {
        self.args.extend(["--set".into(), format!("{}.{name}={value}", self.plugin).into()]);
        self
    }

    /// Gives each check this long.
    pub fn within(mut self, time: &str) -> Check {
        self.args.extend(["--timeout".into(), time.into()]);
        self
    }

    /// Trusts the authority in this file, and no other.
    pub fn trusting(mut self, authority: &Path) -> Check {
        self.trusted = Some(authority.to_owned());
        self
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// When the run does not end in time, or its report is not valid.
    pub fn run(self) -> Checked {
        let (binary, home) = (program(), home());
        let mut args: Vec<OsString> = vec![
            self.place.ip().to_string().into(),
            format!("{}/{}", self.place.port(), self.transport).into(),
            "--plugin".into(),
            self.plugin.into(),
            "--format".into(),
            "json".into(),
        ];
        args.extend(self.args);
        let recordings = tempfile::tempdir().expect("a folder can be made");
        args.extend(["--record".into(), recordings.path().into()]);
        let mut command = Command::new(&binary);
        command
            .args(&args)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .env("RUST_BACKTRACE", "1")
            .env("HOME", &home)
            .current_dir(&home)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(authority) = &self.trusted {
            command.env("SSL_CERT_FILE", authority);
        }
        let started = Instant::now();
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", binary.display()));
        let watch = watch_memory(child.id());
        let (status, stdout, stderr) = finish(&mut child);
        let peak_mib = watch.join().expect("it watches");
        let words = args.iter().map(|arg| arg.to_string_lossy().into_owned());
        let ran = Ran {
            command: format!("{} {}", binary.display(), words.collect::<Vec<_>>().join(" ")),
            targets: String::new(),
            place: "on this machine".to_owned(),
            wall: started.elapsed(),
            status,
            stdout,
            stderr,
        };
        let checked = Checked { peak_mib, ..Checked::read(ran) };
        checked.is_replayed(&binary, recordings.path());
        checked
    }
}

/// The home of all runs, in the build folder: a plugin is compiled once and
/// then cached, as it is for a user.
fn home() -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("services-home-{}", nix::unistd::geteuid()));
    std::fs::create_dir_all(&home).expect("the build folder is ours");
    home
}

/// Follows the peak of a process' memory, in MiB, as the kernel keeps it.
fn watch_memory(pid: u32) -> std::thread::JoinHandle<u64> {
    let status = format!("/proc/{pid}/status");
    std::thread::spawn(move || {
        let mut peak = 0;
        while let Ok(text) = std::fs::read_to_string(&status) {
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let Some(kib) = line.and_then(|l| l.trim().strip_suffix(" kB")?.parse::<u64>().ok())
            else {
                break;
            };
            peak = kib / 1024;
            std::thread::sleep(Duration::from_millis(5));
        }
        peak
    })
}

/// The one row of a run, with the run that it is from.
///
/// Every method holds the row against one claim, and panics with the whole run
/// when the claim is wrong.
pub struct Checked {
    ran: Ran,
    row: Value,
    peak_mib: u64,
}

impl Checked {
    /// Takes the one row of a run.
    ///
    /// # Panics
    /// When the report is not valid, has another number of rows or took too long.
    pub fn read(ran: Ran) -> Checked {
        let rows = ran.rows();
        let [row] = rows.as_slice() else { panic!("not one row, but {}\n{ran:?}", rows.len()) };
        let row = row.clone();
        assert!(ran.wall < LONGEST_RUN, "took longer than any run may\n{ran:?}");
        Checked { ran, row, peak_mib: 0 }
    }

    /// Every transcript of the run, played to the plugin, ends as the run did.
    fn is_replayed(&self, binary: &Path, recordings: &Path) {
        for entry in std::fs::read_dir(recordings).expect("the folder is there") {
            let file = entry.expect("it is read").path();
            let text = std::fs::read_to_string(&file).expect("a transcript is text");
            // A flood is not kept whole, so it does not end the same way.
            if text.contains("more than a recording keeps") {
                continue;
            }
            let replay = Command::new(binary)
                .args(["plugin", "test", "--replay"])
                .arg(&file)
                .output()
                .expect("portscan starts");
            let said = String::from_utf8_lossy(&replay.stdout);
            let trouble = String::from_utf8_lossy(&replay.stderr);
            self.claim(
                replay.status.success(),
                &format!("its transcript replays\n{said}{trouble}\n{text}"),
            );
        }
    }

    /// The value at a JSON pointer of the row.
    pub fn at(&self, pointer: &str) -> &Value {
        self.row.pointer(pointer).unwrap_or(&Value::Null)
    }

    fn text(&self, pointer: &str) -> &str {
        self.at(pointer).as_str().unwrap_or_default()
    }

    /// Fails unless `holds`, with the whole story.
    #[track_caller]
    pub fn claim(&self, holds: bool, claim: &str) -> &Checked {
        assert!(holds, "wrong: {claim}\nrow: {:#}\n{:?}", self.row, self.ran);
        self
    }

    /// The port's state.
    #[track_caller]
    pub fn is(&self, state: &str) -> &Checked {
        self.claim(self.text("/state") == state, &format!("the state is {state}"))
    }

    /// Verdict and health of the check, which had no fault.
    #[track_caller]
    pub fn found(&self, verdict: &str, health: &str) -> &Checked {
        self.claim(
            self.text("/check/verdict") == verdict && self.text("/check/health") == health,
            &format!("the check says {verdict}, {health}"),
        );
        self.has_no_fault()
    }

    /// The plugin kept to its rules: whatever a peer does is no fault of it.
    #[track_caller]
    pub fn has_no_fault(&self) -> &Checked {
        self.claim(self.at("/check/fault").is_null(), "the plugin kept to the rules")
    }

    /// The service is open and something about it is not in order.
    #[track_caller]
    pub fn claim_not_healthy(&self) -> &Checked {
        let health = self.text("/check/health");
        self.claim(["degraded", "unhealthy"].contains(&health), "the check sees what is wrong")
    }

    /// The verdict is not that the service was recognised.
    #[track_caller]
    pub fn is_not_confirmed(&self) -> &Checked {
        self.claim(self.text("/check/verdict") != "confirmed", "the peer is not that service");
        self.has_no_fault()
    }

    /// The summary has these words, in whatever case.
    #[track_caller]
    pub fn says(&self, words: &str) -> &Checked {
        let summary = self.text("/check/summary").to_lowercase();
        self.claim(
            summary.contains(&words.to_lowercase()),
            &format!("the summary speaks of '{words}'"),
        )
    }

    /// A finding has this value.
    #[track_caller]
    pub fn finding(&self, name: &str, value: impl Into<Value>) -> &Checked {
        let value = value.into();
        let found = self.finding_named(name);
        self.claim(found == Some(&value), &format!("{name} is {value}"))
    }

    /// The value of a finding.
    pub fn finding_named(&self, name: &str) -> Option<&Value> {
        let findings = self.at("/check/findings").as_array()?;
        findings.iter().find(|finding| finding["name"] == name).map(|finding| &finding["value"])
    }

    /// The run took no more memory than this.
    #[track_caller]
    pub fn took_at_most(&self, mib: u64) -> &Checked {
        self.claim(self.peak_mib <= mib, &format!("{} MiB are at most {mib}", self.peak_mib))
    }

    /// The exit code.
    #[track_caller]
    pub fn exits(&self, code: i32) -> &Checked {
        self.claim(self.ran.status.code() == Some(code), &format!("the exit code is {code}"))
    }
}
