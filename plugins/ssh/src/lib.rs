//! ssh: does an SSH server answer, and which?
//!
//! **Confirms** SSH by an identification string, `SSH-2.0-` and the name of the
//! software, after up to 32 lines of other text that the standard lets a server
//! send before it.
//!
//! **Sends** `SSH-2.0-portscan\r\n` after the server's string was read, and ends
//! its side of the stream. Servers log a connection without it as a scanner's;
//! with it, as one that closed before it authenticated.
//!
//! **Never** begins a key exchange and never authenticates.
//!
//! **Verdicts**
//! - confirmed and healthy: a string of protocol 2.0 (or 1.99, which means both);
//! - confirmed and degraded: a string of protocol 1 alone, which no current
//!   client speaks;
//! - confirmed and unhealthy: the server says that it takes no more connections
//!   (OpenSSH's `MaxStartups`: "Exceeded MaxStartups", or "Not allowed at this
//!   time", in place of its string);
//! - mismatch: text without such a string, bytes that are none, or a line that
//!   begins as mail, web or news servers greet (`220 `, `* OK`, `HTTP/`, ...),
//!   which ends the reading at once.
//!
//! Findings: `ssh.protocol`, `ssh.software`, `ssh.comments`.
//!
//! References: RFC 4253 4.2 (identification string), 5 (older versions).

mod identification;

use portscan_plugin::{
    Check, CheckError, Conclusion, Connection, Endpoint, IoError, Metadata, Plugin, REST, Settings,
    SideEffect,
};

use identification::{Identification, Line};

/// Our identification string. RFC 4253 4.2: both sides must send one.
const OURS: &[u8] = b"SSH-2.0-portscan\r\n";

/// Longest line that is read; the string itself may have 255 bytes.
const MAX_LINE: usize = 1024;

/// Most lines before the string. The standard gives no limit; OpenSSH's client
/// reads 1024. A greeting that takes more than a screen is not SSH's.
const MAX_LINES: usize = 32;

/// The plugin.
pub struct Ssh;

impl Plugin for Ssh {
    fn describe() -> Metadata {
        Metadata::new("ssh", env!("CARGO_PKG_VERSION"), "SSH servers: do they answer, and which")
            .tcp(22)
            .sends("an identification string, `SSH-2.0-portscan`", 1, OURS.len() as u32)
            .leaves(SideEffect::LogLine)
    }
}

impl Check for Ssh {
    fn run(
        connection: &mut Connection,
        _: &Endpoint,
        _: &Settings,
    ) -> Result<Conclusion, CheckError> {
        for _ in 0..MAX_LINES {
            let line = match connection.receive_line(MAX_LINE, REST) {
                Ok(Some(line)) => line,
                Ok(None) => return Ok(mismatch()),
                Err(error) => return unfinished(connection.unread(), error),
            };
            match identification::read(&line) {
                Line::Identification(identification) => {
                    take_leave(connection);
                    return Ok(conclude(&identification));
                }
                Line::Busy(text) => return Ok(busy(&text)),
                Line::Other => {}
                Line::Foreign | Line::NotText => return Ok(mismatch()),
            }
        }
        Ok(mismatch())
    }
}

/// Says who we are, and that no more will come. The conclusion stands whether
/// or not that arrives.
fn take_leave(connection: &mut Connection) {
    if connection.send(OURS).is_ok() {
        let _ = connection.finish();
    }
}

/// The server fell silent or went away within a line. Text may go on; bytes that
/// are no text are not SSH's.
fn unfinished(came: &[u8], error: IoError) -> Result<Conclusion, CheckError> {
    if identification::is_text(came) { Err(error.into()) } else { Ok(mismatch()) }
}

fn conclude(identification: &Identification) -> Conclusion {
    let Identification { protocol, software, comments } = identification;
    let conclusion = match protocol.as_str() {
        "2.0" | "1.99" => Conclusion::confirmed(format!("it answers: {software}")).healthy(),
        _ => {
            Conclusion::confirmed(format!("it speaks the old protocol {protocol} only: {software}"))
                .degraded()
        }
    };
    conclusion
        .finding("ssh.protocol", protocol.as_str())
        .finding("ssh.software", software.as_str())
        .maybe_finding("ssh.comments", comments.as_deref())
}

fn busy(text: &str) -> Conclusion {
    Conclusion::confirmed(format!("it takes no more connections now: {text}")).unhealthy()
}

fn mismatch() -> Conclusion {
    Conclusion::mismatch("it speaks first, but not SSH")
}

portscan_plugin::export!(Ssh: check);
