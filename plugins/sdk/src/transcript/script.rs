//! A peer that follows a transcript.

use std::time::Duration;

use super::delivery::{Delivery, FLOOD, flip, garbage};
use super::{Ending, Step, Transcript, TransportName};
use crate::{IoError, Sends, TlsOptions, TlsSession, Transport};

/// Time that a replayed check has, as a user's patience would be.
const TIME: Duration = Duration::from_secs(10);

/// Time that a call takes in a replay, so that a plugin that loops comes to an end.
const CALL: Duration = Duration::from_millis(1);

/// Bytes of one piece of garbage.
const PIECE: usize = 1024;

/// A peer that follows a transcript: what is left of the conversation, and what
/// went wrong in it. Time passes only where somebody waits.
#[derive(Debug)]
pub struct Script {
    transport: Transport,
    port: u16,
    local_port: u16,
    clock: std::vec::IntoIter<i64>,
    time: i64,
    delivery: Delivery,
    steps: std::vec::IntoIter<Step>,
    next: Option<Step>,
    sent: Vec<u8>,
    declared: Sends,
    packets: u32,
    stream_bytes: u32,
    coming: Vec<u8>,
    delivered: usize,
    now: Duration,
    random: std::vec::IntoIter<u8>,
    counted: u8,
    at: usize,
    problem: Option<String>,
}

impl Script {
    /// A peer for a plugin that declares to send no more than `declared`.
    pub fn new(transcript: &Transcript, delivery: Delivery, declared: Sends) -> Script {
        let mut steps = transcript.step.clone().into_iter();
        Script {
            transport: match transcript.transport {
                TransportName::Tcp => Transport::Tcp,
                TransportName::Udp => Transport::Udp,
            },
            port: transcript.port,
            local_port: transcript.local_port,
            clock: transcript.clock.clone().into_iter(),
            time: transcript.unix_time.saturating_mul(1_000_000_000),
            delivery,
            next: steps.next(),
            steps,
            sent: Vec::new(),
            declared,
            packets: 0,
            stream_bytes: 0,
            coming: Vec::new(),
            delivered: 0,
            now: Duration::ZERO,
            random: transcript
                .random
                .as_ref()
                .and_then(|bytes| bytes.fill(&[]).ok())
                .unwrap_or_default()
                .into_iter(),
            counted: 0,
            at: 1,
            problem: None,
        }
    }

    /// Where the plugin left the transcript: what it did otherwise, or what it
    /// left undone when the conversation went on without it.
    pub fn problem(&self) -> Option<String> {
        self.problem.clone().or_else(|| match &self.next {
            Some(Step::ToPeer(_) | Step::Tls(_) | Step::Finish | Step::Reconnect) => {
                let (at, next) = (self.at, &self.next);
                Some(format!("step {at}: the plugin ended before it: {next:?}"))
            }
            _ => None,
        })
    }

    /// Bytes that the peer has handed out.
    pub fn delivered(&self) -> usize {
        self.delivered
    }

    fn advance(&mut self) -> Option<Step> {
        self.at += usize::from(self.next.is_some());
        std::mem::replace(&mut self.next, self.steps.next())
    }

    /// The conversation is not as written: remember the first reason.
    fn object(&mut self, step: usize, problem: &str) -> IoError {
        let problem = format!("step {step}: {problem}");
        self.problem.get_or_insert(problem.clone());
        IoError::Other(problem)
    }

    /// What the plugin sends.
    ///
    /// # Errors
    /// `other` when it is not what the transcript says; the text says where.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), IoError> {
        self.now += CALL;
        self.count(bytes)?;
        let at = self.at;
        match self.advance() {
            Some(Step::ToPeer(wanted)) => {
                let compared = wanted.compare(bytes);
                self.sent = bytes.to_vec();
                compared.map_err(|why| self.object(at, &format!("{why}; sent {bytes:02x?}")))
            }
            // A peer that has gone does not read; what is sent then is the plugin's affair.
            Some(Step::Peer(ending)) => {
                self.next = Some(Step::Peer(ending));
                Ok(())
            }
            None => Ok(()),
            other => Err(self.object(at, &format!("sent {bytes:02x?} where {other:?} was due"))),
        }
    }

    /// Holds the plugin to what it declares, as the host does.
    fn count(&mut self, bytes: &[u8]) -> Result<(), IoError> {
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.packets += 1;
        self.stream_bytes = match self.transport {
            Transport::Tcp => self.stream_bytes.saturating_add(len),
            Transport::Udp => len,
        };
        if self.packets > self.declared.packets || self.stream_bytes > self.declared.largest {
            let (packets, bytes) = (self.packets, self.stream_bytes);
            let problem = format!("{packets} packets, {bytes} bytes: not as declared");
            return Err(self.object(self.at, &problem));
        }
        Ok(())
    }

    /// At least one and at most `max` bytes, or one datagram.
    ///
    /// # Errors
    /// As the transcript and the delivery say; `timed-out` where the plugin is due.
    pub fn receive(&mut self, max: u32, wait: Duration) -> Result<Vec<u8>, IoError> {
        self.now += CALL;
        match self.delivery {
            Delivery::CutAfter(all, ending) if self.delivered >= all => {
                return Err(self.end(ending, wait));
            }
            Delivery::Silent => return Err(self.end(Ending::FallsSilent, wait)),
            Delivery::Closes => return Err(self.end(Ending::Closes, wait)),
            Delivery::Garbage(seed) => return self.garbage(seed, max, wait),
            _ => {}
        }
        if self.coming.is_empty() {
            self.coming = match self.answer()? {
                Some(bytes) => bytes,
                None => match self.next {
                    Some(Step::Peer(ending)) => return Err(self.end(ending, wait)),
                    // Where the plugin is due to speak, it waits in vain.
                    _ => return Err(self.end(Ending::FallsSilent, wait)),
                },
            };
        }
        let piece = match (self.delivery, self.transport) {
            (Delivery::ByteByByte, Transport::Tcp) => 1,
            (Delivery::CutAfter(all, _), _) => all - self.delivered,
            (Delivery::SplitAt(place), Transport::Tcp) if self.delivered < place => {
                place - self.delivered
            }
            _ => self.coming.len(),
        };
        let rest = self.coming.split_off(piece.min(max as usize).min(self.coming.len()));
        let piece = std::mem::replace(&mut self.coming, rest);
        self.delivered += piece.len();
        if self.transport == Transport::Udp {
            self.coming.clear();
        }
        Ok(piece)
    }

    /// What the peer says next, if it is its turn.
    fn answer(&mut self) -> Result<Option<Vec<u8>>, IoError> {
        let mut all: Option<Vec<u8>> = None;
        while let Some(Step::FromPeer(bytes)) = &self.next {
            let mut bytes =
                bytes.fill(&self.sent).map_err(|why| self.object(self.at, &why.clone()))?;
            self.advance();
            if let Delivery::Flipped(seed) = self.delivery {
                flip(&mut bytes, seed);
            }
            all.get_or_insert_default().append(&mut bytes);
            if self.delivery != Delivery::Joined || self.transport == Transport::Udp {
                break;
            }
        }
        Ok(all)
    }

    fn garbage(&mut self, seed: u64, max: u32, wait: Duration) -> Result<Vec<u8>, IoError> {
        if self.delivered >= FLOOD {
            return Err(self.end(Ending::FallsSilent, wait));
        }
        let piece = garbage(seed.wrapping_add(self.delivered as u64), PIECE.min(max as usize));
        self.delivered += piece.len();
        Ok(piece)
    }

    fn end(&mut self, ending: Ending, wait: Duration) -> IoError {
        match ending {
            Ending::Closes => IoError::Closed,
            Ending::Resets => IoError::Reset,
            Ending::FallsSilent => {
                self.now += wait.min(self.time_left());
                IoError::TimedOut
            }
        }
    }

    /// What is left of the check's time.
    pub fn time_left(&self) -> Duration {
        TIME.saturating_sub(self.now)
    }

    /// Time since the check began.
    pub fn elapsed(&self) -> Duration {
        self.now
    }

    /// A reading of the clock, in nanoseconds since 1970.
    pub fn unix_now_nanos(&mut self) -> i64 {
        self.time = self.clock.next().unwrap_or(self.time);
        self.time
    }

    /// Random bytes: the transcript's own, then such as count up from 1, the same
    /// in every replay and never all zeros.
    pub fn random_bytes(&mut self, len: u32) -> Vec<u8> {
        let next = |_| {
            self.random.next().unwrap_or_else(|| {
                self.counted = self.counted.wrapping_add(1);
                self.counted
            })
        };
        (0..len).map(next).collect()
    }

    /// The port that datagrams come from.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port that the plugin's side leaves from.
    pub fn local_port(&self) -> u16 {
        self.local_port
    }

    /// TCP or UDP.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// The plugin says that it will send no more.
    ///
    /// # Errors
    /// `other` when the transcript says otherwise.
    pub fn finish(&mut self) -> Result<(), IoError> {
        let at = self.at;
        match self.advance() {
            Some(Step::Finish) => Ok(()),
            other => Err(self.object(at, &format!("half-close where {other:?} was due"))),
        }
    }

    /// One more connection; it goes on where the first one stopped.
    ///
    /// # Errors
    /// `other` when the transcript says otherwise.
    pub fn reconnect(&mut self) -> Result<(), IoError> {
        // The first connection may have ended before.
        if let Some(Step::Peer(_)) = self.next {
            self.advance();
        }
        let at = self.at;
        match self.advance() {
            Some(Step::Reconnect) => {}
            other => return Err(self.object(at, &format!("reconnect where {other:?} was due"))),
        }
        self.coming.clear();
        self.stream_bytes = 0;
        Ok(())
    }

    /// The handshake, as the transcript says.
    ///
    /// # Errors
    /// `tls` where it fails, `other` when the transcript says otherwise.
    pub fn start_tls(&mut self, options: &TlsOptions) -> Result<TlsSession, IoError> {
        self.now += CALL;
        match self.delivery {
            Delivery::Silent => return Err(self.end(Ending::FallsSilent, TIME)),
            Delivery::Closes => return Err(self.end(Ending::Closes, TIME)),
            Delivery::Garbage(_) => return Err(IoError::Tls("no handshake".to_owned())),
            _ => {}
        }
        let at = self.at;
        match self.advance() {
            Some(Step::Tls(tls)) if tls.server_name != options.server_name => Err(self.object(
                at,
                &format!("TLS for {:?}, expected {:?}", options.server_name, tls.server_name),
            )),
            Some(Step::Tls(tls)) => match tls.fails {
                Some(text) => Err(IoError::Tls(text)),
                None => Ok(tls.session()),
            },
            Some(Step::Peer(Ending::FallsSilent)) => Err(self.end(Ending::FallsSilent, TIME)),
            // The peer answers a ClientHello with something else, or goes.
            Some(Step::Peer(_)) | None => Err(IoError::Tls("no handshake".to_owned())),
            other => Err(self.object(at, &format!("TLS where {other:?} was due"))),
        }
    }
}
