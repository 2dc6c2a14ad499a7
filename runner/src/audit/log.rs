use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use nix::fcntl::{Flock, FlockArg};
use serde_json::{Map, Value};

use super::{AuditError, FIRST, MAX_LINE, digest};

/// A log that is written to. Several processes may do so at once.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
}

/// Which entry is the last one: `12:9f86d0...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its number, from 1; 0 when there is none.
    pub number: u64,
    /// The digest of its line.
    pub digest: String,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.number, self.digest)
    }
}

impl FromStr for Head {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Head, &'static str> {
        const WRONG: &str = "NUMBER:SHA-256, as portscan audit head prints it";
        let (number, digest) = text.trim().split_once(':').ok_or(WRONG)?;
        let number = number.parse().map_err(|_| WRONG)?;
        match digest.len() == FIRST.len() && digest.bytes().all(|b| b.is_ascii_hexdigit()) {
            true => Ok(Head { number, digest: digest.to_ascii_lowercase() }),
            false => Err(WRONG),
        }
    }
}

impl Log {
    /// The log at `path`, which need not be there yet.
    pub fn new(path: &Path) -> Log {
        Log { path: path.to_owned() }
    }

    /// Appends an entry, and returns when it is on the disk.
    ///
    /// Holds the file's lock (flock(2)) from reading the last line until the new one
    /// is synced. When the disk is full, the file is as it was before.
    ///
    /// # Errors
    /// The file cannot be written, or is no log.
    pub fn append(&self, entry: Map<String, Value>) -> Result<Head, AuditError> {
        let io = |source| AuditError::Io { path: self.path.display().to_string(), source };
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&self.path)
            .map_err(io)?;
        let mut file = Flock::lock(file, FlockArg::LockExclusive)
            .map_err(|(_, errno)| io(std::io::Error::from(errno)))?;
        let (last, end, torn) = self.last_line(&mut file)?;
        if torn > 0 {
            self.is_ours(&mut file, end)?;
            file.set_len(end).map_err(io)?;
        }
        let head = match &last {
            Some(line) => self.head_of(line)?,
            None => Head { number: 0, digest: FIRST.to_owned() },
        };
        let mut line = line(&head, torn, entry).map_err(|error| io(error.into()))?;
        if line.len() > MAX_LINE {
            let path = self.path.display().to_string();
            return Err(AuditError::TooLong { path, bytes: line.len() });
        }
        let head = Head { number: head.number + 1, digest: digest(&line) };
        line.push(b'\n');
        let written = file.write_all(&line).and_then(|()| file.sync_data());
        if let Err(error) = written {
            // Half a line must not stay: nobody is told of this entry.
            let _ = file.set_len(end);
            return Err(io(error));
        }
        Ok(head)
    }

    /// The last entry.
    ///
    /// # Errors
    /// The file cannot be read, or is no log.
    pub fn head(&self) -> Result<Head, AuditError> {
        let io = |source| AuditError::Io { path: self.path.display().to_string(), source };
        let mut file = File::open(&self.path).map_err(io)?;
        match self.last_line(&mut file)?.0 {
            Some(line) => self.head_of(&line),
            None => Ok(Head { number: 0, digest: FIRST.to_owned() }),
        }
    }

    /// The last whole line, where it ends, and how many bytes without an end follow.
    fn last_line(&self, file: &mut File) -> Result<(Option<Vec<u8>>, u64, u64), AuditError> {
        let io = |source| AuditError::Io { path: self.path.display().to_string(), source };
        let length = file.seek(SeekFrom::End(0)).map_err(io)?;
        // Two of the longest lines: half a one, and the whole one before it.
        let from = length.saturating_sub(2 * (MAX_LINE as u64 + 1));
        file.seek(SeekFrom::Start(from)).map_err(io)?;
        let mut bytes = Vec::new();
        file.take(length - from).read_to_end(&mut bytes).map_err(io)?;
        let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') else {
            let whole = from > 0 && !bytes.is_empty();
            return match whole {
                true => Err(self.not_a_log("it is too long")),
                false => Ok((None, 0, length)),
            };
        };
        let begin = bytes[..end].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if begin == 0 && from > 0 {
            return Err(self.not_a_log("it is too long"));
        }
        let end_of_line = from + end as u64 + 1;
        Ok((Some(bytes[begin..end].to_vec()), end_of_line, length - end_of_line))
    }

    /// Whether what has no end is half an entry, and not somebody's text.
    fn is_ours(&self, file: &mut File, from: u64) -> Result<(), AuditError> {
        let io = |source| AuditError::Io { path: self.path.display().to_string(), source };
        let mut beginning = Vec::new();
        file.seek(SeekFrom::Start(from)).map_err(io)?;
        file.take(BEGINNING.len() as u64).read_to_end(&mut beginning).map_err(io)?;
        match BEGINNING.starts_with(&beginning) {
            true => Ok(()),
            false => Err(self.not_a_log("it has no end, and is no half of an entry")),
        }
    }

    fn head_of(&self, line: &[u8]) -> Result<Head, AuditError> {
        let entry: Value =
            serde_json::from_slice(line).map_err(|error| self.not_a_log(&error.to_string()))?;
        match entry["entry"].as_u64() {
            Some(number) => Ok(Head { number, digest: digest(line) }),
            None => Err(self.not_a_log("it has no number")),
        }
    }

    fn not_a_log(&self, why: &str) -> AuditError {
        AuditError::NotALog { path: self.path.display().to_string(), why: why.to_owned() }
    }
}

/// What every entry begins with, so that half a one is known for ours.
const BEGINNING: &[u8] = b"{\"entry\":";

/// An entry's line, without its end.
fn line(before: &Head, torn: u64, mut entry: Map<String, Value>) -> serde_json::Result<Vec<u8>> {
    if torn > 0 {
        entry.insert("removed_bytes_without_end".into(), torn.into());
    }
    let rest = serde_json::to_string(&entry)?;
    let rest = rest.strip_prefix('{').unwrap_or(&rest);
    let comma = if entry.is_empty() { "" } else { "," };
    let (number, previous) = (before.number + 1, &before.digest);
    Ok(format!("{{\"entry\":{number},\"previous\":\"{previous}\"{comma}{rest}").into_bytes())
}
