//! A transcript's peer as a plugin's own connection, for native tests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::script::Script;
use crate::{Datagram, IoError, TlsOptions, TlsSession, Transport, Wire};

/// The end of a conversation that a plugin holds. Shared, so that the test can
/// look after the plugin is done with the connection.
#[derive(Clone)]
pub(super) struct Scripted(pub(super) Arc<Mutex<Script>>);

impl Scripted {
    pub(super) fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wire for Scripted {
    fn transport(&self) -> Transport {
        self.script().transport()
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), IoError> {
        self.script().send(bytes)
    }

    fn receive(&mut self, max: u32, wait: Duration) -> Result<Vec<u8>, IoError> {
        self.script().receive(max, wait)
    }

    fn receive_from(&mut self, max: u32, wait: Duration) -> Result<Datagram, IoError> {
        let mut script = self.script();
        let data = script.receive(max, wait)?;
        Ok(Datagram { data, port: script.port() })
    }

    fn finish(&mut self) -> Result<(), IoError> {
        self.script().finish()
    }

    fn start_tls(&mut self, options: &TlsOptions) -> Result<TlsSession, IoError> {
        self.script().start_tls(options)
    }

    fn reconnect(&mut self) -> Result<Box<dyn Wire>, IoError> {
        self.script().reconnect()?;
        Ok(Box::new(self.clone()))
    }

    fn local_port(&self) -> u16 {
        self.script().local_port()
    }

    fn log(&mut self, _: &str) {}

    fn elapsed(&self) -> Duration {
        self.script().elapsed()
    }

    fn unix_now_nanos(&self) -> i64 {
        self.script().unix_now_nanos()
    }

    fn time_left(&self) -> Duration {
        self.script().time_left()
    }

    fn random_bytes(&mut self, len: u32) -> Vec<u8> {
        self.script().random_bytes(len)
    }
}
