//! `--resume`: a run that goes on where an earlier one stopped.
//!
//! The file holds rows as JSON lines. What has a row in it is not probed again, and new
//! rows are appended, so that a run that is interrupted ten times leaves one file with
//! every endpoint once.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use serde::Deserialize;

use crate::exit::Tally;
use crate::model::{Endpoint, Health, PortState, Reason, Transport};
use crate::report::address_text;

/// Longest line that is read: a row with everything a plugin may say.
const MAX_LINE: u64 = 1 << 20;

/// What an earlier run left.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    /// Digests of the endpoints that have a row.
    done: HashSet<u64>,
    /// How those rows end a run.
    pub tally: Tally,
}

/// What is looked at in a line.
#[derive(Deserialize)]
struct Line {
    #[serde(rename = "type")]
    kind: String,
    #[serde(flatten)]
    row: Option<Row>,
}

#[derive(Deserialize)]
struct Row {
    target: String,
    address: String,
    port: u16,
    transport: Transport,
    state: PortState,
    reason: Reason,
    check: Option<Check>,
}

#[derive(Deserialize)]
struct Check {
    health: Health,
}

impl Earlier {
    /// How many endpoints have a row.
    pub fn count(&self) -> usize {
        self.done.len()
    }

    /// Whether an endpoint has a row.
    pub fn has(&self, target: &str, endpoint: &Endpoint) -> bool {
        // Most runs go on with none, and should not pay for it: 10 ms for 65,535 ports.
        if self.done.is_empty() {
            return false;
        }
        let address = address_text(endpoint.socket);
        self.done.contains(&key(target, &address, endpoint.port(), endpoint.transport))
    }

    fn add(&mut self, row: &Row) {
        // What the end of a run cut short is asked again.
        if row.reason == Reason::Interrupted {
            return;
        }
        if self.done.insert(key(&row.target, &row.address, row.port, row.transport)) {
            self.tally.add_row(row.state, row.check.as_ref().map(|check| check.health));
        }
    }
}

/// Of 64 bits: that two of a million endpoints share one is as likely as one in
/// forty million runs.
fn key(target: &str, address: &str, port: u16, transport: Transport) -> u64 {
    let mut hasher = DefaultHasher::new();
    (target, address, port, transport == Transport::Udp).hash(&mut hasher);
    hasher.finish()
}

/// Reads what an earlier run left in `path`, and opens it for what follows. Half a line
/// at its end, of a run that was killed, is taken away.
///
/// # Errors
/// A sentence: it cannot be read or written, or a line is none of ours.
pub(super) fn open(path: &Path) -> Result<(Earlier, File), String> {
    let failed = |error: io::Error| format!("--resume {}: {error}", path.display());
    let file =
        OpenOptions::new().read(true).append(true).create(true).open(path).map_err(failed)?;
    let mut reader = BufReader::new(&file);
    let (mut earlier, mut line, mut whole) = (Earlier::default(), Vec::new(), 0);
    for number in 1_u64.. {
        line.clear();
        let read = reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line).map_err(failed)?;
        let no_row = |why: String| {
            format!("--resume {}: line {number} is none of --format jsonl: {why}", path.display())
        };
        if !line.ends_with(b"\n") {
            if read as u64 == MAX_LINE
                || (read > 0 && !b"{\"type\":".starts_with(&line[..read.min(8)]))
            {
                return Err(no_row("it has no end".to_owned()));
            }
            break;
        }
        let parsed: Line = serde_json::from_slice(&line).map_err(|e| no_row(e.to_string()))?;
        match (parsed.kind.as_str(), &parsed.row) {
            ("endpoint", Some(row)) => earlier.add(row),
            ("endpoint", None) => return Err(no_row("an endpoint without its facts".to_owned())),
            _ => {}
        }
        whole += read as u64;
    }
    if file.metadata().map_err(failed)?.len() > whole {
        file.set_len(whole).map_err(failed)?;
    }
    Ok((earlier, file))
}
