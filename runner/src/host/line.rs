//! Who is at the other end of a check: a network, or somebody who plays it.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::Transport;
use crate::net::Connected;
use crate::net::conversation::{Conversation, Datagram, Peer, TalkError, TlsOptions, TlsSession};

/// Plays the peer of a check, its clock and its dice, in place of a network.
/// Time passes as it says; nothing waits.
pub trait Player: Send + Debug {
    /// TCP or UDP.
    fn transport(&self) -> Transport;
    /// What the plugin sends.
    ///
    /// # Errors
    /// As a network would.
    fn send(&mut self, bytes: &[u8]) -> Result<(), TalkError>;
    /// At least one and at most `max` bytes, or one datagram.
    ///
    /// # Errors
    /// As a network would.
    fn receive(&mut self, max: usize, wait: Duration) -> Result<Datagram, TalkError>;
    /// Half-close.
    ///
    /// # Errors
    /// As a network would.
    fn finish(&mut self) -> Result<(), TalkError>;
    /// A TLS handshake.
    ///
    /// # Errors
    /// As a network would.
    fn start_tls(&mut self, options: &TlsOptions) -> Result<TlsSession, TalkError>;
    /// One more connection.
    ///
    /// # Errors
    /// As a network would.
    fn reconnect(&mut self) -> Result<(), TalkError>;
    /// The port that the connection leaves from.
    fn local_port(&self) -> u16;
    /// Time since the check began.
    fn elapsed(&self) -> Duration;
    /// What is left of the check's time.
    fn time_left(&self) -> Duration;
    /// Nanoseconds since 1970.
    fn unix_now_nanos(&mut self) -> i64;
    /// Bytes that stand for random ones.
    fn random_bytes(&mut self, len: u32) -> Vec<u8>;
}

/// A player that its owner can look at when the check is over.
pub type SharedPlayer = Arc<Mutex<dyn Player>>;

/// One end of a conversation.
pub(super) enum Line {
    Live(Box<Conversation>),
    Played(SharedPlayer),
}

pub(super) fn lock(player: &SharedPlayer) -> MutexGuard<'_, dyn Player + 'static> {
    player.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Line {
    /// The first connection of a check: a player's, the one that the prober
    /// opened, or one of its own.
    pub(super) async fn open(
        player: Option<SharedPlayer>,
        stream: Option<Connected>,
        peer: &Peer,
        wait: Duration,
    ) -> Result<Line, TalkError> {
        match (player, stream) {
            (Some(player), _) => Ok(Line::Played(player)),
            (None, Some(stream)) => Ok(Line::Live(Box::new(peer.adopt(stream)?))),
            (None, None) => Ok(Line::Live(Box::new(peer.connect(wait).await?))),
        }
    }

    /// One more connection to the same endpoint.
    pub(super) async fn reconnect(&self, wait: Duration) -> Result<Line, TalkError> {
        match self {
            Line::Live(conversation) => {
                let peer = conversation.peer().clone();
                Ok(Line::Live(Box::new(peer.connect(wait).await?)))
            }
            Line::Played(player) => lock(player).reconnect().map(|()| Line::Played(player.clone())),
        }
    }

    pub(super) fn transport(&self) -> Transport {
        match self {
            Line::Live(conversation) => conversation.transport(),
            Line::Played(player) => lock(player).transport(),
        }
    }

    pub(super) fn local_port(&self) -> u16 {
        match self {
            Line::Live(conversation) => conversation.local_port(),
            Line::Played(player) => lock(player).local_port(),
        }
    }

    pub(super) async fn send(&mut self, bytes: &[u8], wait: Duration) -> Result<(), TalkError> {
        match self {
            Line::Live(conversation) => conversation.send(bytes, wait).await,
            Line::Played(player) => lock(player).send(bytes),
        }
    }

    pub(super) async fn receive(
        &mut self,
        max: usize,
        wait: Duration,
    ) -> Result<Vec<u8>, TalkError> {
        match self {
            Line::Live(conversation) => conversation.receive(max, wait).await,
            Line::Played(player) => lock(player).receive(max, wait).map(|datagram| datagram.bytes),
        }
    }

    pub(super) async fn receive_from(
        &mut self,
        max: usize,
        wait: Duration,
    ) -> Result<Datagram, TalkError> {
        match self {
            Line::Live(conversation) => conversation.receive_from(max, wait).await,
            Line::Played(player) => lock(player).receive(max, wait),
        }
    }

    pub(super) async fn finish(&mut self, wait: Duration) -> Result<(), TalkError> {
        match self {
            Line::Live(conversation) => conversation.finish(wait).await,
            Line::Played(player) => lock(player).finish(),
        }
    }

    pub(super) async fn start_tls(
        &mut self,
        options: TlsOptions,
        wait: Duration,
    ) -> Result<TlsSession, TalkError> {
        match self {
            Line::Live(conversation) => conversation.start_tls(options, wait).await,
            Line::Played(player) => lock(player).start_tls(&options),
        }
    }
}
