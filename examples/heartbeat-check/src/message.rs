//! The protocol, which is made up.
//!
//! TCP: a frame is a 16-bit length and that many bytes, all numbers big-endian.
//! Request: version 1, kind 1, a number, the token with its length in a byte.
//! Answer: version, kind 2, the number, a condition, the jobs that wait.
//! UDP: `HB`, version 1, a number; the echo says `hb`.

use portscan_plugin::{Cut, Reader, Writer};

/// Longest frame that a server sends.
pub const MAX_FRAME: usize = 1024;

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The protocol's version that it speaks.
    pub version: u8,
    /// The number of the question.
    pub number: u32,
    /// How it is.
    pub condition: Condition,
    /// Jobs that wait.
    pub queue: u32,
}

/// How a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It takes jobs.
    Serving,
    /// It finishes what it has.
    Draining,
    /// It does not know us.
    Refused,
}

/// A frame that asks for the status.
///
/// # Errors
/// The token is longer than its length can say.
pub fn status_request(number: u32, token: &str) -> Result<Vec<u8>, Cut> {
    let body = Writer::new().u8(1).u8(1).u32_be(number).prefixed_u8(token)?.finish();
    Ok(Writer::new().prefixed_u16_be(body)?.finish())
}

impl Status {
    /// Reads a frame without its length; none when it is no status.
    pub fn parse(frame: &[u8]) -> Option<Status> {
        let mut reader = Reader::new(frame);
        let version = reader.u8().ok()?;
        if reader.u8().ok()? != 2 {
            return None;
        }
        let number = reader.u32_be().ok()?;
        let condition = match reader.u8().ok()? {
            0 => Condition::Serving,
            1 => Condition::Draining,
            2 => Condition::Refused,
            _ => return None,
        };
        Some(Status { version, number, condition, queue: reader.u32_be().ok()? })
    }
}

/// A beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// Its number.
    pub number: u32,
}

impl Beat {
    /// The datagram that asks for an echo.
    pub fn request(self) -> Vec<u8> {
        Writer::new().put(b"HB").u8(1).u32_be(self.number).finish()
    }

    /// Reads an echo; none when it is not one.
    pub fn parse_echo(datagram: &[u8]) -> Option<Beat> {
        let mut reader = Reader::new(datagram);
        match (reader.take(2).ok()?, reader.u8().ok()?) {
            (b"hb", 1) => Some(Beat { number: reader.u32_be().ok()? }),
            _ => None,
        }
    }
}
