//! The question of the settings, over UDP and over TCP.

use std::time::Duration;

use portscan_plugin::{CheckError, Conclusion, Connection, IoError, REST, Reader, Writer};

use crate::judge::{self, Interest};
use crate::message::{Question, Reply};

/// Time for an answer before the question is sent once more: a resolver that
/// has to ask around takes about a second.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Datagrams that are read in search of ours. Late answers to the probe come
/// first; more than a handful is a peer that floods.
const MOST_DATAGRAMS: usize = 16;

/// Bytes of a datagram that are read. Without EDNS a response has at most 512
/// (RFC 1035 4.2.1); a longer one is cut, and judged by what it begins with.
const MOST_BYTES: usize = 4096;

/// Bytes of a header with its length in front, which shows whose answer it is.
const LENGTH_AND_HEADER: usize = 2 + 12;

/// Asks, and asks once more after [`AGAIN_AFTER`].
pub fn over_udp(
    connection: &mut Connection,
    question: &Question,
    interest: Interest,
) -> Result<Conclusion, CheckError> {
    let id = u16::from_be_bytes(connection.random());
    let mut odd = None;
    let mut silence = IoError::TimedOut;
    for _ in 0..2 {
        connection.send(question.query(id))?;
        let end = connection.elapsed() + AGAIN_AFTER;
        for _ in 0..MOST_DATAGRAMS {
            let datagram =
                match connection.receive(MOST_BYTES, end.saturating_sub(connection.elapsed())) {
                    Ok(datagram) => datagram,
                    Err(error) => {
                        silence = error;
                        break;
                    }
                };
            match Reply::read(&datagram, id, question) {
                Ok(reply) => return Ok(judge::conclude(question, &reply, interest)),
                Err(why) => odd = Some(why),
            }
        }
        if silence != IoError::TimedOut {
            break;
        }
    }
    match odd {
        Some(why) => Ok(Conclusion::mismatch(format!("it answered, but not as DNS: {why}"))),
        None => Err(silence.into()),
    }
}

/// Asks once; the length of each message comes before it (RFC 1035 4.2.2).
pub fn over_tcp(
    connection: &mut Connection,
    question: &Question,
    interest: Interest,
) -> Result<Conclusion, CheckError> {
    let id = u16::from_be_bytes(connection.random());
    // Length and message in one segment, as RFC 7766 section 8 asks.
    connection.send(Writer::new().prefixed_u16_be(question.query(id))?.finish())?;

    // The head shows whose answer it is: another protocol's text would
    // otherwise be taken for a length and waited for.
    let head = match connection.receive_exact(LENGTH_AND_HEADER, REST) {
        Ok(head) => head,
        Err(_) if !may_begin_with(connection.unread(), id) => {
            return Ok(mismatch("its id is not ours"));
        }
        Err(error) => return Err(error.into()),
    };
    if !may_begin_with(&head, id) {
        return Ok(mismatch("its id is not ours"));
    }
    let length = usize::from(Reader::new(&head).u16_be()?);
    let Some(rest) = length.checked_sub(head.len() - 2) else {
        return Ok(mismatch("it is too short"));
    };
    let rest = connection.receive_exact(rest, REST)?;
    let message = [&head[2..], &rest].concat();
    Ok(match Reply::read(&message, id, question) {
        Ok(reply) => judge::conclude(question, &reply, interest),
        Err(why) => mismatch(why),
    })
}

/// Whether bytes, as far as they have come, may be a length and then our id in
/// a response.
fn may_begin_with(bytes: &[u8], id: u16) -> bool {
    let expected = id.to_be_bytes();
    let came = bytes.get(2..).unwrap_or_default();
    let same_id = came.iter().zip(expected).all(|(byte, expected)| *byte == expected);
    same_id && came.get(2).is_none_or(|flags| flags & 0x80 != 0)
}

fn mismatch(why: &str) -> Conclusion {
    Conclusion::mismatch(format!("it answered, but not as DNS: {why}"))
}
