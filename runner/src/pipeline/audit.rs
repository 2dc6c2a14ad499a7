//! Runs that are written down, and `portscan audit`.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::audit::{AuditError, Head, Log, verify as walk};
use crate::check::Checks;
use crate::exit::ExitStatus;
use crate::host::digest;
use crate::model::Outcome;
use crate::render::{self, Renderer};
use crate::report::{EndpointRow, Footer, Header, TailRow};
use crate::settings::ProbeSettings;
use crate::target::TargetSpec;
use crate::via::Place;

/// Rows in one entry: far from the longest line, and few enough to lose.
const ROWS: usize = 250;

/// Looks through a log. 0 when it is whole, 1 when it is not.
pub(super) fn verify(log: &Path, kept: Option<&Head>) -> ExitStatus {
    let read = File::open(log).and_then(|file| walk(&mut BufReader::new(file), kept));
    match read {
        Ok(Ok(verified)) => {
            if verified.torn > 0 {
                render::talk::note(&format!(
                    "{} bytes without an end: a run was cut off there, which nobody was told of, or \
                     the log was: --head with the last entry that a run told of shows which",
                    verified.torn
                ));
            }
            said(&format!("{} entries, whole; head {}", verified.head.number, verified.head))
        }
        Ok(Err(flaw)) => {
            render::talk::error(&format!("{}: {flaw}", log.display()));
            ExitStatus::NotAllOpen
        }
        Err(error) => failed(&format!("{}: {error}", log.display())),
    }
}

/// Prints the last entry's number and digest.
pub(super) fn head(log: &Path) -> ExitStatus {
    match Log::new(log).head() {
        Ok(head) => said(&head.to_string()),
        Err(error) => failed(&error.to_string()),
    }
}

fn said(line: &str) -> ExitStatus {
    let out = &mut *render::stdout();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => failed(&error.to_string()),
        _ => ExitStatus::AllOpen,
    }
}

fn failed(message: &str) -> ExitStatus {
    render::talk::error(message);
    ExitStatus::CannotRun
}

/// Writes down that a run begins: before a packet leaves, or not at all. Returns what
/// writes down its rows.
///
/// # Errors
/// A sentence: the log cannot be written, so nothing may be probed.
pub(super) fn begin(
    path: &Path,
    settings: &ProbeSettings,
    checks: &Checks,
    header: &Header,
) -> Result<Box<dyn Renderer>, String> {
    let (targets, reason) = (&settings.targets, &settings.reason);
    let asked = Asked { command: "probe", targets, reason, via: &[] };
    Ok(Box::new(open(path, &asked, checks, header)?))
}

/// What was asked for.
pub(super) struct Asked<'a> {
    /// `probe` or `trace`.
    pub command: &'static str,
    pub targets: &'a [TargetSpec],
    pub reason: &'a Option<String>,
    /// Other places that do it. Which plugins they run is for their own logs.
    pub via: &'a [Place],
}

/// The same for any command: what it found is for the caller to write down.
///
/// # Errors
/// As [`begin`].
pub(super) fn open(
    path: &Path,
    asked: &Asked<'_>,
    checks: &Checks,
    header: &Header,
) -> Result<Audited, String> {
    let log = Log::new(path);
    let run = format!("{:016x}", super::unpredictable_seed());
    let scope: Vec<Value> = asked
        .targets
        .iter()
        .map(|target| {
            let ports: Vec<String> = target
                .ports
                .iter()
                .map(|port| format!("{}/{}", port.port, port.transport))
                .collect();
            json!({"target": &*target.text, "ports": ranges(&ports)})
        })
        .collect();
    let plugins: Vec<Value> = checks
        .chosen()
        .filter(|_| asked.via.is_empty())
        .map(|plugin| {
            let sha256 = plugin.inspection().ok().map(|inspection| inspection.digest.clone());
            let metadata = &plugin.metadata;
            json!({"name": metadata.name, "version": metadata.version, "sha256": sha256})
        })
        .collect();
    let via: Vec<String> = asked.via.iter().map(Place::to_string).collect();
    let vantage = &header.vantage;
    let addresses: Vec<String> = vantage.source_addresses.iter().map(|a| a.to_string()).collect();
    let entry = json!({
        "event": "begin",
        "command": asked.command,
        "run": run,
        "time": header.started.to_string(),
        "user": vantage.user,
        "hostname": vantage.hostname,
        "vantage": vantage.name,
        "source_addresses": addresses,
        "reason": asked.reason,
        "via": via,
        "scope": scope,
        "portscan": {"version": env!("CARGO_PKG_VERSION"), "sha256": own_digest()},
        "plugins": plugins,
    });
    let audited = Audited { log, run, rows: Vec::new(), done: 0 };
    audited.append(entry).map_err(|error| error.to_string())?;
    Ok(audited)
}

/// The digest of the program that runs.
fn own_digest() -> Option<String> {
    std::fs::read("/proc/self/exe").ok().map(|bytes| digest(&bytes))
}

/// Ports as they are read: a run of all of them is a line of 400 KB otherwise.
fn ranges(ports: &[String]) -> Value {
    match ports.len() > 64 {
        true => {
            let joined = digest(ports.join(",").as_bytes());
            let (first, last) = (ports.first(), ports.last());
            json!({"count": ports.len(), "first": first, "last": last, "sha256": joined})
        }
        false => json!(ports),
    }
}

/// Writes rows down as they end, some hundred in an entry.
pub(super) struct Audited {
    log: Log,
    run: String,
    rows: Vec<Value>,
    done: u64,
}

impl Audited {
    fn append(&self, entry: Value) -> Result<(), AuditError> {
        let Value::Object(entry) = entry else { return Ok(()) };
        let head = self.log.append(entry)?;
        render::talk::note(&format!("audited as entry {head}"));
        Ok(())
    }

    /// Writes down one thing that was found, at once.
    ///
    /// # Errors
    /// A sentence: the log cannot be written.
    pub fn found(&mut self, row: Value) -> Result<(), String> {
        self.rows.push(row);
        self.done += 1;
        self.write_rows().map_err(|error| error.to_string())
    }

    /// Writes down what another place found.
    ///
    /// # Errors
    /// Those of writing.
    pub fn found_at(&mut self, vantage: &str, row: &EndpointRow<'_>) -> io::Result<()> {
        let mut short = short(row);
        short.insert("vantage".into(), json!(vantage));
        self.row(short)
    }

    fn row(&mut self, row: Map<String, Value>) -> io::Result<()> {
        self.rows.push(Value::Object(row));
        self.done += 1;
        match self.rows.len() >= ROWS {
            true => self.write_rows(),
            false => Ok(()),
        }
    }

    fn write_rows(&mut self) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.rows);
        self.append(json!({"event": "results", "run": self.run, "endpoints": rows}))
            .map_err(io::Error::other)
    }
}

/// What a log keeps of a row.
fn short(row: &EndpointRow<'_>) -> Map<String, Value> {
    let mut short = Map::new();
    let evidence = &row.evidence;
    for (name, value) in [
        ("target", json!(row.target)),
        ("address", json!(row.address)),
        ("port", json!(row.port)),
        ("transport", json!(row.transport)),
        ("state", json!(row.state)),
        ("reason", json!(row.reason)),
        ("packets_sent", json!(evidence.attempts)),
        ("payload", json!(evidence.payload)),
        ("from", json!(evidence.from)),
    ] {
        short.insert(name.into(), value);
    }
    if let Some(check) = &row.check {
        let (plugin, verdict, health) = (&check.plugin, check.verdict, check.health);
        let check = json!({"plugin": plugin, "verdict": verdict, "health": health});
        short.insert("check".into(), check);
    }
    short
}

impl Renderer for Audited {
    fn begin(&mut self, _: &Header) -> io::Result<()> {
        Ok(())
    }

    fn outcome(&mut self, outcome: Outcome) -> io::Result<()> {
        self.row(short(&EndpointRow::from(&outcome)))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self, footer: &Footer) -> io::Result<()> {
        self.write_rows()?;
        let tail = TailRow::from(footer);
        let entry = json!({
            "event": "end",
            "run": self.run,
            "time": tail.finished,
            "endpoints": self.done,
            "unresolved": tail.unresolved,
            "interrupted": tail.interrupted,
        });
        self.append(entry).map_err(io::Error::other)
    }
}
