//! One conversation with one endpoint, as a check needs it: bytes out, bytes
//! in, a TLS upgrade, an end in good order.
//!
//! A [`Conversation`] continues the connection that the prober opened, so that
//! a server sees one connection and not two, or opens its own through
//! [`Peer::connect`]. It talks to its endpoint and to nobody else: no function
//! here takes an address.
//!
//! Not here: budgets (`host::limits`), what the bytes mean (plugins).
//! Start reading at [`Conversation`].

mod certificate;
mod datagrams;
mod roots;
mod stream;
mod tls;
mod verifier;

pub use certificate::Certificate;
pub(crate) use certificate::read_certificate;
pub use datagrams::Datagram;
pub use roots::Roots;
pub use tls::{TlsOptions, TlsSession, Trust};

use std::io;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::{Connected, SourceBinding};
use crate::model::{Endpoint, ReplyFrom, Transport};
use datagrams::Datagrams;
use stream::Stream;

/// Most bytes that one call of [`Conversation::receive`] returns.
pub const MAX_RECEIVE: usize = 65_536;

/// Why a call of a conversation failed. The network's answer, never a guest's
/// fault and never our error.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TalkError {
    /// Nothing came in the time given. The conversation can go on.
    #[error("nothing came in time")]
    TimedOut,
    /// RST to our SYN, or ICMP port unreachable for a datagram.
    #[error("the connection was refused")]
    Refused,
    /// The peer ended the stream in good order, or we finished it before.
    #[error("the connection was closed")]
    Closed,
    /// The peer reset the connection.
    #[error("the peer reset the connection")]
    Reset,
    /// A network on the way said no, or this machine has no route.
    #[error("the network refused: {0}")]
    Unreachable(String),
    /// The call does not fit the transport or the state.
    #[error("{0}")]
    Unsupported(&'static str),
    /// The handshake or a record of TLS failed.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// Anything else that the operating system reports.
    #[error("{0}")]
    Other(String),
}

impl From<io::Error> for TalkError {
    fn from(error: io::Error) -> TalkError {
        use io::ErrorKind;
        match error.kind() {
            ErrorKind::ConnectionRefused => TalkError::Refused,
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
                TalkError::Reset
            }
            ErrorKind::UnexpectedEof | ErrorKind::NotConnected => TalkError::Closed,
            ErrorKind::TimedOut => TalkError::TimedOut,
            ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::AddrNotAvailable
            | ErrorKind::PermissionDenied => TalkError::Unreachable(error.to_string()),
            _ => TalkError::Other(error.to_string()),
        }
    }
}

/// Whom to talk to, and how to reach it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The target as the user wrote it; the name that TLS asks for.
    pub target: Arc<str>,
    /// From where to leave.
    pub source: SourceBinding,
    /// From which ports of the endpoint's address datagrams are heard.
    pub reply_from: ReplyFrom,
    /// What TLS verifies against.
    pub roots: Arc<Roots>,
}

impl Peer {
    /// Opens a conversation of its own: a TCP connection, or a UDP socket.
    ///
    /// Waits at most `wait`. Needs a tokio runtime.
    ///
    /// # Errors
    /// `TimedOut`, `Refused`, `Unreachable`, or what the system says.
    pub async fn connect(&self, wait: Duration) -> Result<Conversation, TalkError> {
        let channel = match self.endpoint.transport {
            Transport::Tcp => Channel::Stream(Stream::connect(self, wait).await?),
            Transport::Udp => Channel::Datagrams(Datagrams::open(self)?),
        };
        Ok(Conversation::new(self, channel))
    }

    /// Continues on the TCP connection that a probe opened to this endpoint.
    ///
    /// # Errors
    /// When the runtime cannot watch the descriptor.
    pub fn adopt(&self, connected: Connected) -> Result<Conversation, TalkError> {
        let (stream, local_port) = connected.take_over();
        let stream = stream.ok_or(TalkError::Closed)?;
        let channel = Channel::Stream(Stream::adopt(stream)?);
        Ok(Conversation { peer: self.clone(), local_port, channel })
    }
}

enum Channel {
    Stream(Stream),
    Datagrams(Datagrams),
}

/// One open conversation. Dropping it closes it in good order (FIN, and
/// `close_notify` under TLS).
pub struct Conversation {
    peer: Peer,
    local_port: u16,
    channel: Channel,
}

impl Conversation {
    fn new(peer: &Peer, channel: Channel) -> Conversation {
        let local_port = match &channel {
            Channel::Stream(stream) => stream.local_port(),
            Channel::Datagrams(datagrams) => datagrams.local_port(),
        };
        Conversation { peer: peer.clone(), local_port, channel }
    }

    /// The port that it leaves from; 0 as long as the system has not chosen one.
    pub fn local_port(&self) -> u16 {
        self.local_port
    }

    /// TCP or UDP.
    pub fn transport(&self) -> Transport {
        self.peer.endpoint.transport
    }

    /// Whom it talks to; connects once more through [`Peer::connect`].
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// TCP: sends all of `bytes`. UDP: sends one datagram. Waits at most
    /// `wait` for room in the socket's buffer.
    ///
    /// # Errors
    /// `Reset`, `Closed` after [`Conversation::finish`], `TimedOut`, `Refused` (UDP).
    pub async fn send(&mut self, bytes: &[u8], wait: Duration) -> Result<(), TalkError> {
        match &mut self.channel {
            Channel::Stream(stream) => stream.send(bytes, wait).await,
            Channel::Datagrams(datagrams) => datagrams.send(bytes, wait).await,
        }
    }

    /// TCP: between 1 and `max` bytes. UDP: one datagram from the endpoint,
    /// cut to `max`. `max` is clamped to [`MAX_RECEIVE`]. A `max` of 0 on TCP
    /// returns at once.
    ///
    /// # Errors
    /// `TimedOut`, `Closed` at the end of a stream, `Reset`, `Refused` (UDP).
    pub async fn receive(&mut self, max: usize, wait: Duration) -> Result<Vec<u8>, TalkError> {
        let max = max.min(MAX_RECEIVE);
        match &mut self.channel {
            Channel::Stream(stream) => stream.receive(max, wait).await,
            Channel::Datagrams(datagrams) => {
                let port = self.peer.endpoint.port();
                datagrams.receive(max, wait, Some(port)).await.map(|datagram| datagram.bytes)
            }
        }
    }

    /// UDP: one datagram and the port it came from, from any port of the
    /// endpoint's address if [`Peer::reply_from`] says so.
    ///
    /// # Errors
    /// As [`Conversation::receive`]; `Unsupported` on TCP.
    pub async fn receive_from(
        &mut self,
        max: usize,
        wait: Duration,
    ) -> Result<Datagram, TalkError> {
        match &mut self.channel {
            Channel::Stream(_) => Err(TalkError::Unsupported("receive-from needs UDP")),
            Channel::Datagrams(datagrams) => {
                datagrams.receive(max.min(MAX_RECEIVE), wait, None).await
            }
        }
    }

    /// TCP: tells the peer that nothing more will be sent. Reading goes on.
    ///
    /// # Errors
    /// `Unsupported` on UDP; `Reset`.
    pub async fn finish(&mut self, wait: Duration) -> Result<(), TalkError> {
        match &mut self.channel {
            Channel::Stream(stream) => stream.finish(wait).await,
            Channel::Datagrams(_) => Err(TalkError::Unsupported("finish needs TCP")),
        }
    }

    /// Upgrades the TCP connection to TLS and says what the peer presented.
    /// The handshake completes whatever the certificate says.
    ///
    /// # Errors
    /// `Unsupported` on UDP, the second time and after [`Conversation::finish`];
    /// `Tls` and `TimedOut`, after which the conversation is over.
    pub async fn start_tls(
        &mut self,
        options: TlsOptions,
        wait: Duration,
    ) -> Result<TlsSession, TalkError> {
        match &mut self.channel {
            Channel::Stream(stream) => tls::upgrade(stream, &self.peer, options, wait).await,
            Channel::Datagrams(_) => Err(TalkError::Unsupported("start-tls needs TCP")),
        }
    }
}

#[cfg(test)]
mod tests;
