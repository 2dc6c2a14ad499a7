//! What happened in a check, call by call, for a transcript of it.

use std::sync::{Arc, Mutex, PoisonError};

use super::limits::MAX_RECORDED;
use crate::net::conversation::{TalkError, TlsOptions, TlsSession};

/// One call of a guest, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It sent these bytes.
    Sent(Vec<u8>),
    /// It received these bytes.
    Received(Vec<u8>),
    /// It wanted to receive, and this came instead.
    Ended(TalkError),
    /// It said that it would send no more.
    Finished,
    /// It opened one more connection.
    Reconnected,
    /// It upgraded to TLS.
    Tls(TlsOptions, Result<TlsSession, TalkError>),
    /// It read the clock: nanoseconds since 1970.
    Clock(i64),
    /// It asked for the port that its connection leaves from.
    LocalPort(u16),
    /// It was given these random bytes.
    Random(Vec<u8>),
}

impl Event {
    pub(super) fn received(received: &Result<Vec<u8>, TalkError>) -> Event {
        match received {
            Ok(bytes) => Event::Received(bytes.clone()),
            Err(error) => Event::Ended(error.clone()),
        }
    }
}

/// Takes down what happens in one check. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Recorder(Arc<Mutex<Recorded>>);

#[derive(Debug, Default)]
struct Recorded {
    events: Vec<Event>,
    bytes: usize,
    is_cut: bool,
}

impl Recorder {
    pub(super) fn note(&self, event: Event) {
        let mut recorded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = match &event {
            Event::Sent(bytes) | Event::Received(bytes) | Event::Random(bytes) => bytes.len(),
            _ => 0,
        };
        recorded.bytes = recorded.bytes.saturating_add(bytes.max(64));
        match recorded.bytes > MAX_RECORDED {
            true => recorded.is_cut = true,
            false => recorded.events.push(event),
        }
    }

    /// What happened, and whether it was too much to keep all of it.
    pub fn take(&self) -> (Vec<Event>, bool) {
        let mut recorded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (std::mem::take(&mut recorded.events), recorded.is_cut)
    }
}
