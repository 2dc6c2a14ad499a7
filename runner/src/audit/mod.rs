//! What was probed, by whom and why, in a log that shows when it was changed.
//!
//! A log is JSON, a line an entry. Each entry has its number and the SHA-256 of the
//! line before it, so an edit, a removed or a moved line breaks the chain at that
//! place. A cut tail breaks nothing: it is found against a head (the last entry's
//! number and digest) that somebody keeps elsewhere.
//!
//! An entry is acknowledged when it is on the disk. A crash may leave half a line,
//! which nobody was told of; the next run takes it away and says so in its entry.
//!
//! Not here: what entries say (`pipeline`). Start reading at [`Log::append`] and
//! [`verify`].

mod log;
mod verify;

pub use log::{Head, Log};
pub use verify::{Flaw, Verified, verify};

use sha2::{Digest, Sha256};
use thiserror::Error;

/// What stands where an entry has none before it.
pub const FIRST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Longest line. An entry of results holds some hundred rows.
pub const MAX_LINE: usize = 1 << 20;

/// Why a log cannot be written or read.
#[derive(Debug, Error)]
pub enum AuditError {
    /// The file.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: String,
        /// The operating system's word.
        source: std::io::Error,
    },
    /// Its last line is none of a log's: nothing is written behind it.
    #[error("{path}: its last line is no entry of an audit log: {why}")]
    NotALog {
        /// Which.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// An entry that is longer than any may be.
    #[error("{path}: an entry of {bytes} bytes; {MAX_LINE} are allowed")]
    TooLong {
        /// Which.
        path: String,
        /// Its length.
        bytes: usize,
    },
}

/// The digest of a line, without its end.
fn digest(line: &[u8]) -> String {
    Sha256::digest(line).iter().map(|byte| format!("{byte:02x}")).collect()
}
