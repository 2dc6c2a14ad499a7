//! Messages of the frontend/backend protocol, version 3.0.

use portscan_plugin::{Connection, Cut, IoError, REST, Reader, Writer};

/// Asks for TLS: its length, and 80877103 in place of a version.
pub const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// Takes leave.
pub const TERMINATE: [u8; 5] = [b'X', 0, 0, 0, 4];

/// Longest message that is read, its length field included. An error or a
/// parameter is below 2 KiB; a longer one is not from a server that starts up.
const MAX_MESSAGE: u32 = 16 * 1024;

/// StartupMessage: length, version 3.0, pairs of texts, an empty one.
pub fn startup(user: &str, database: &str) -> Vec<u8> {
    let mut pairs = Writer::new().u32_be(3 << 16);
    for text in ["user", user, "database", database, "application_name", "portscan"] {
        pairs = pairs.put(text).u8(0);
    }
    let pairs = pairs.u8(0).finish();
    Writer::new().u32_be(pairs.len() as u32 + 4).put(pairs).finish()
}

/// What a server may say before it is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// `R`: 0 lets us in, any other number is a method.
    Authentication {
        /// The number.
        method: u32,
        /// With SASL (10), the mechanisms that the server offers.
        mechanisms: Vec<String>,
    },
    /// `E`.
    Error(Report),
    /// `N`: for people, and without consequence.
    Notice,
    /// `S`: a parameter of the session.
    Parameter {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
    /// `K`: the key to cancel a query with.
    Key,
    /// `v`: the newest minor version that the server speaks.
    Negotiation,
    /// `Z`.
    Ready,
}

/// The fields of an error that matter here. Text of the server, unescaped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Five digits and capitals.
    pub sqlstate: String,
    /// In the server's language.
    pub message: String,
}

/// Receives one message; none when what came is not one.
///
/// The type and the length are looked at before the body is waited for, so that
/// another protocol's text is not taken for the length of something to come.
pub fn receive(connection: &mut Connection) -> Result<Option<Message>, IoError> {
    let head = match connection.receive_exact(5, REST) {
        Ok(head) => head,
        Err(error) => {
            let first = connection.unread().first();
            return if first.is_none_or(is_known) { Err(error) } else { Ok(None) };
        }
    };
    let mut reader = Reader::new(&head);
    let (Ok(kind), Ok(length)) = (reader.u8(), reader.u32_be()) else { return Ok(None) };
    if !is_known(&kind) || !(4..=MAX_MESSAGE).contains(&length) {
        return Ok(None);
    }
    let body = connection.receive_exact(length as usize - 4, REST)?;
    Ok(read(kind, &body).ok().flatten())
}

fn is_known(kind: &u8) -> bool {
    b"RENSKvZ".contains(kind)
}

fn read(kind: u8, body: &[u8]) -> Result<Option<Message>, Cut> {
    let mut reader = Reader::new(body);
    Ok(match kind {
        b'R' => read_authentication(&mut reader)?,
        b'E' => read_report(&mut reader)?.map(Message::Error),
        b'N' => read_report(&mut reader)?.map(|_| Message::Notice),
        b'S' => Some(Message::Parameter { name: text(&mut reader)?, value: text(&mut reader)? }),
        b'K' if body.len() >= 8 => Some(Message::Key),
        b'v' if body.len() >= 8 => Some(Message::Negotiation),
        b'Z' if matches!(body, [b'I' | b'T' | b'E']) => Some(Message::Ready),
        _ => None,
    })
}

/// The first request of an authentication; none when the protocol has none such
/// (chapter 54.7: each is of one length, but for SASL's list of names).
fn read_authentication(reader: &mut Reader) -> Result<Option<Message>, Cut> {
    let method = reader.u32_be()?;
    let mut mechanisms = Vec::new();
    let has_its_form = match (method, reader.rest()) {
        // Ok, Kerberos 5, a password in clear, GSS, SSPI.
        (0 | 2 | 3 | 7 | 9, rest) => rest.is_empty(),
        // A password with MD5: four bytes of salt.
        (5, rest) => rest.len() == 4,
        // SASL: names until an empty one.
        (10, rest) => {
            let ends = rest.len() > 1 && rest.ends_with(&[0, 0]);
            while ends && reader.rest() != [0] {
                mechanisms.push(text(reader)?);
            }
            ends
        }
        _ => false,
    };
    Ok(has_its_form.then_some(Message::Authentication { method, mechanisms }))
}

/// Fields, each a letter and a text, until an empty one. Without an SQLSTATE it
/// is no report (it is mandatory since protocol 3.0).
fn read_report(reader: &mut Reader) -> Result<Option<Report>, Cut> {
    let mut report = Report::default();
    loop {
        match reader.u8()? {
            0 => break,
            b'C' => report.sqlstate = text(reader)?,
            b'M' => report.message = text(reader)?,
            _ => drop(text(reader)?),
        }
    }
    let letters = report.sqlstate.bytes();
    let is_sqlstate = letters.len() == 5
        && report.sqlstate.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    Ok((is_sqlstate && reader.is_at_end()).then_some(report))
}

/// A text until its zero byte. The server's encoding may be anything.
fn text(reader: &mut Reader) -> Result<String, Cut> {
    Ok(String::from_utf8_lossy(reader.until(0)?).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_startup_message_holds_its_own_length() {
        let message = startup("u", "d");
        assert_eq!(message.len() as u32, Reader::new(&message).u32_be().unwrap());
        assert!(message.starts_with(b"\0\0\0\x35\0\x03\0\0user\0u\0database\0d\0"));
        assert!(message.ends_with(b"application_name\0portscan\0\0"));
    }

    #[test]
    fn an_error_without_sqlstate_is_no_error_message() {
        assert_eq!(read(b'E', b"SFATAL\0Mno\0\0"), Ok(None));
        assert_eq!(read(b'E', b"SFATAL\0C57p03\0Mno\0\0"), Ok(None));
        let report = Report { sqlstate: "57P03".to_owned(), message: "no".to_owned() };
        assert_eq!(read(b'E', b"SFATAL\0C57P03\0Mno\0\0"), Ok(Some(Message::Error(report))));
    }

    #[test]
    fn every_prefix_of_an_error_is_cut_or_nothing() {
        let whole = b"SFATAL\0VFATAL\0C53300\0Msorry, too many clients already\0\0";
        for len in 0..whole.len() {
            assert!(!matches!(read(b'E', &whole[..len]), Ok(Some(_))), "{len}");
        }
    }
}
