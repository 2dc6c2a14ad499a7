//! A peer that follows a transcript.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::{Ending, Step, Tls, Transcript, TransportName};
use crate::{
    Certificate, Datagram, IoError, Sends, TlsOptions, TlsSession, Transport, Trust, Wire,
};

/// Time that a replayed check has, as a user's patience would be.
const TIME: Duration = Duration::from_secs(10);

/// Time that a call takes in a replay, so that a plugin that loops comes to an end.
const CALL: Duration = Duration::from_millis(1);

/// How a peer hands out what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// Each `from-peer` in one piece.
    Whole,
    /// One byte with each call of `receive`.
    ByteByByte,
    /// In one piece, but only this many bytes in all; then this ending.
    CutAfter(usize, Ending),
}

/// What is left of the conversation, and what went wrong in it. Shared, so that
/// the test can look after the plugin is done with the connection.
#[derive(Debug)]
pub(super) struct Script {
    transport: Transport,
    port: u16,
    unix_time: i64,
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
    random: u8,
    pub(super) problem: Option<String>,
}

/// The end of a conversation that a plugin holds.
#[derive(Clone)]
pub(super) struct Scripted(pub(super) Rc<RefCell<Script>>);

impl Script {
    /// A peer for a plugin that declares to send no more than `declared`.
    pub(super) fn new(transcript: &Transcript, delivery: Delivery, declared: Sends) -> Script {
        let mut steps = transcript.step.clone().into_iter();
        Script {
            transport: match transcript.transport {
                TransportName::Tcp => Transport::Tcp,
                TransportName::Udp => Transport::Udp,
            },
            port: transcript.port,
            unix_time: transcript.unix_time,
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
            random: 0,
            problem: None,
        }
    }

    /// What the plugin left undone, when the conversation went on without it.
    pub(super) fn rest(&self) -> Option<String> {
        match &self.next {
            Some(Step::ToPeer(_) | Step::Tls(_) | Step::Finish | Step::Reconnect) => {
                Some(format!("the plugin ended before the step {:?}", self.next))
            }
            _ => None,
        }
    }

    /// Bytes that the peer has handed out.
    pub(super) fn delivered(&self) -> usize {
        self.delivered
    }

    fn advance(&mut self) -> Option<Step> {
        std::mem::replace(&mut self.next, self.steps.next())
    }

    /// The conversation is not as written: remember the first reason.
    fn object(&mut self, problem: String) -> IoError {
        self.problem.get_or_insert(problem.clone());
        IoError::Other(problem)
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), IoError> {
        self.now += CALL;
        self.count(bytes)?;
        match self.advance() {
            Some(Step::ToPeer(wanted)) => {
                let compared = wanted.compare(bytes);
                self.sent = bytes.to_vec();
                compared.map_err(|why| self.object(format!("{why}; sent {bytes:02x?}")))
            }
            // A peer that has gone does not read; what is sent then is the plugin's affair.
            Some(Step::Peer(ending)) => {
                self.next = Some(Step::Peer(ending));
                Ok(())
            }
            None => Ok(()),
            other => Err(self.object(format!("sent {bytes:02x?} where {other:?} was due"))),
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
            return Err(self.object(format!("{packets} packets, {bytes} bytes: not as declared")));
        }
        Ok(())
    }

    fn receive(&mut self, max: u32, wait: Duration) -> Result<Vec<u8>, IoError> {
        self.now += CALL;
        if let Delivery::CutAfter(all, ending) = self.delivery
            && self.delivered >= all
        {
            return Err(self.end(ending, wait));
        }
        if self.coming.is_empty() {
            match self.next.clone() {
                Some(Step::FromPeer(bytes)) => {
                    self.coming = bytes.fill(&self.sent).map_err(|why| self.object(why))?;
                    self.advance();
                }
                Some(Step::Peer(ending)) => return Err(self.end(ending, wait)),
                // Where the plugin is due to speak, it waits in vain.
                _ => return Err(self.end(Ending::FallsSilent, wait)),
            }
        }
        let piece = match (self.delivery, self.transport) {
            (Delivery::ByteByByte, Transport::Tcp) => 1,
            (Delivery::CutAfter(all, _), _) => all - self.delivered,
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

    fn time_left(&self) -> Duration {
        TIME.saturating_sub(self.now)
    }

    fn start_tls(&mut self, options: &TlsOptions) -> Result<TlsSession, IoError> {
        match self.advance() {
            Some(Step::Tls(tls)) if tls.server_name != options.server_name => Err(self.object(
                format!("TLS for {:?}, expected {:?}", options.server_name, tls.server_name),
            )),
            Some(Step::Tls(Tls { fails: Some(text), .. })) => Err(IoError::Tls(text)),
            Some(Step::Tls(tls)) => Ok(session(tls)),
            // The peer answers a ClientHello with something else, or not at all.
            Some(Step::Peer(_)) | None => Err(IoError::Tls("no handshake".to_owned())),
            other => Err(self.object(format!("TLS where {other:?} was due"))),
        }
    }
}

fn session(tls: Tls) -> TlsSession {
    TlsSession {
        version: "TLSv1.3".to_owned(),
        cipher: "TLS13_AES_256_GCM_SHA384".to_owned(),
        alpn: tls.alpn,
        certificates: vec![Certificate {
            self_signed: tls.subject == tls.issuer,
            subject: tls.subject,
            issuer: tls.issuer,
            names: tls.names,
            serial: "01".to_owned(),
            not_before: tls.not_before,
            not_after: tls.not_after,
            key: "EC P-256".to_owned(),
            signature_algorithm: "ecdsa-with-SHA256".to_owned(),
            fingerprint: "00".repeat(32),
        }],
        trust: match (tls.untrusted, tls.no_roots) {
            (Some(why), _) => Trust::Untrusted(why),
            (None, true) => Trust::NoRoots,
            (None, false) => Trust::Trusted,
        },
    }
}

impl Wire for Scripted {
    fn transport(&self) -> Transport {
        self.0.borrow().transport
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), IoError> {
        self.0.borrow_mut().send(bytes)
    }

    fn receive(&mut self, max: u32, wait: Duration) -> Result<Vec<u8>, IoError> {
        self.0.borrow_mut().receive(max, wait)
    }

    fn receive_from(&mut self, max: u32, wait: Duration) -> Result<Datagram, IoError> {
        let mut script = self.0.borrow_mut();
        let data = script.receive(max, wait)?;
        Ok(Datagram { data, port: script.port })
    }

    fn finish(&mut self) -> Result<(), IoError> {
        let mut script = self.0.borrow_mut();
        match script.advance() {
            Some(Step::Finish) => Ok(()),
            other => Err(script.object(format!("half-close where {other:?} was due"))),
        }
    }

    fn start_tls(&mut self, options: &TlsOptions) -> Result<TlsSession, IoError> {
        self.0.borrow_mut().start_tls(options)
    }

    /// The second connection goes on where the first one stopped.
    fn reconnect(&mut self) -> Result<Box<dyn Wire>, IoError> {
        let mut script = self.0.borrow_mut();
        match script.advance() {
            Some(Step::Reconnect) => {}
            other => return Err(script.object(format!("reconnect where {other:?} was due"))),
        }
        script.coming.clear();
        script.stream_bytes = 0;
        Ok(Box::new(self.clone()))
    }

    fn log(&mut self, _: &str) {}

    fn elapsed(&self) -> Duration {
        self.0.borrow().now
    }

    fn unix_now_nanos(&self) -> i64 {
        self.0.borrow().unix_time.saturating_mul(1_000_000_000)
    }

    fn time_left(&self) -> Duration {
        self.0.borrow().time_left()
    }

    /// Counts up from 1: the same in every replay, and never all zeros.
    fn random_bytes(&mut self, len: u32) -> Vec<u8> {
        let mut script = self.0.borrow_mut();
        let next = |_| {
            script.random = script.random.wrapping_add(1);
            script.random
        };
        (0..len).map(next).collect()
    }
}
