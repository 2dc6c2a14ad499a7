//! The question of the settings, over UDP and over TCP.
//!
//! A server that is there and cannot reach those it would have to ask stays
//! silent, like one that is not there. So when no answer comes, the question is
//! sent again, and beside it one that any server answers by itself.

use std::time::Duration;

use portscan_plugin::{CheckError, Conclusion, Connection, IoError, REST, Reader, Writer};

use crate::judge::{self, Interest};
use crate::message::{Question, Reply};

/// Time for an answer before more is sent: a resolver that has to ask around
/// takes about a second.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Messages that are read in search of ours. Late answers to the probe come
/// first; more than a handful is a peer that floods.
const MOST_MESSAGES: usize = 16;

/// Bytes of a datagram that are read. Without EDNS a response has at most 512
/// (RFC 1035 4.2.1); a longer one is cut, and judged by what it begins with.
const MOST_BYTES: usize = 4096;

/// Bytes of a header with its length in front, which shows whose answer it is.
const LENGTH_AND_HEADER: usize = 2 + 12;

/// What is asked, and what has been heard of it.
pub struct Inquiry<'a> {
    question: &'a Question,
    interest: Interest,
    id: u16,
    /// The one that needs nobody else, and its id.
    own: (Question, u16),
    heard_own: bool,
    /// Why a message was no answer.
    odd: Option<&'static str>,
}

impl<'a> Inquiry<'a> {
    /// Nothing is asked yet. The ids are unpredictable, and differ.
    pub fn new(
        connection: &mut Connection,
        question: &'a Question,
        interest: Interest,
    ) -> Inquiry<'a> {
        let id = u16::from_be_bytes(connection.random());
        let own = (Question::fixed(Question::LOCALHOST), id ^ 0x8000);
        Inquiry { question, interest, id, own, heard_own: false, odd: None }
    }

    /// Takes a message; a conclusion is the answer to the question itself.
    fn hear(&mut self, message: &[u8]) -> Option<Conclusion> {
        match Reply::read(message, self.id, self.question) {
            Ok(reply) => return Some(judge::conclude(self.question, &reply, self.interest)),
            Err(why) => match Reply::read(message, self.own.1, &self.own.0) {
                Ok(_) => self.heard_own = true,
                Err(_) => self.odd = Some(why),
            },
        }
        None
    }

    /// What remains to be said when the question itself was not answered.
    fn unanswered(self, silence: IoError) -> Result<Conclusion, CheckError> {
        match self.odd {
            _ if self.heard_own => Ok(judge::answers_itself_only(self.question)),
            Some(why) => Ok(judge::mismatch(why)),
            None => Err(silence.into()),
        }
    }

    /// Asks, and asks more after [`AGAIN_AFTER`].
    pub fn over_udp(mut self, connection: &mut Connection) -> Result<Conclusion, CheckError> {
        let mut silence = IoError::TimedOut;
        for round in 0..2 {
            connection.send(self.question.query(self.id))?;
            if round > 0 {
                connection.send(self.own.0.query(self.own.1))?;
            }
            let end = connection.elapsed() + AGAIN_AFTER;
            for _ in 0..MOST_MESSAGES {
                let left = end.saturating_sub(connection.elapsed());
                match connection.receive(MOST_BYTES, left) {
                    Ok(datagram) => {
                        if let Some(conclusion) = self.hear(&datagram) {
                            return Ok(conclusion);
                        }
                    }
                    Err(error) => {
                        silence = error;
                        break;
                    }
                }
            }
            if silence != IoError::TimedOut {
                break;
            }
        }
        self.unanswered(silence)
    }

    /// Asks, and asks the other question after [`AGAIN_AFTER`]; the length of
    /// each message comes before it (RFC 1035 4.2.2). Answers may come in any
    /// order (RFC 7766 section 7).
    pub fn over_tcp(mut self, connection: &mut Connection) -> Result<Conclusion, CheckError> {
        send_with_length(connection, &self.question.query(self.id))?;
        let mut asked_own = false;
        for _ in 0..MOST_MESSAGES {
            match connection.receive_exact(LENGTH_AND_HEADER, AGAIN_AFTER) {
                Ok(head) => match self.receive_rest(connection, head) {
                    Ok(Some(message)) => {
                        if let Some(conclusion) = self.hear(&message) {
                            return Ok(conclusion);
                        }
                    }
                    Ok(None) => return Ok(judge::mismatch("its id is not ours")),
                    Err(error) => return self.unanswered(error),
                },
                Err(_) if !self.may_begin_with(connection.unread()) => {
                    return Ok(judge::mismatch("its id is not ours"));
                }
                Err(IoError::TimedOut) if !asked_own => {
                    asked_own = true;
                    // An answer on its way, byte by byte, needs time only.
                    if connection.unread().is_empty() {
                        send_with_length(connection, &self.own.0.query(self.own.1))?;
                    }
                }
                Err(error) => return self.unanswered(error),
            }
        }
        self.unanswered(IoError::TimedOut)
    }

    /// The message that begins with `head`; none when it is not one to us. The
    /// head is looked at before the rest is waited for: another protocol's text
    /// would otherwise be taken for a length.
    fn receive_rest(
        &self,
        connection: &mut Connection,
        head: Vec<u8>,
    ) -> Result<Option<Vec<u8>>, IoError> {
        let length = Reader::new(&head).u16_be().map_or(0, usize::from);
        match length.checked_sub(head.len() - 2) {
            Some(rest) if self.may_begin_with(&head) => {
                let rest = connection.receive_exact(rest, REST)?;
                Ok(Some([&head[2..], &rest].concat()))
            }
            _ => Ok(None),
        }
    }

    /// Whether bytes, as far as they have come, may be a length and then one of
    /// our ids in a response.
    fn may_begin_with(&self, bytes: &[u8]) -> bool {
        let came = bytes.get(2..).unwrap_or_default();
        let begins = |id: u16| {
            let same_id = came.iter().zip(id.to_be_bytes()).all(|(byte, own)| *byte == own);
            same_id && came.get(2).is_none_or(|flags| flags & 0x80 != 0)
        };
        begins(self.id) || begins(self.own.1)
    }
}

/// Length and message in one segment, as RFC 7766 section 8 asks.
fn send_with_length(connection: &mut Connection, message: &[u8]) -> Result<(), CheckError> {
    Ok(connection.send(Writer::new().prefixed_u16_be(message)?.finish())?)
}
