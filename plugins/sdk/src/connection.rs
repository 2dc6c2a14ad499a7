use std::time::Duration;

use crate::bindings::portscan::plugin::connection as contract;
use crate::bindings::portscan::plugin::host;
use crate::{Datagram, IoError, TlsOptions, TlsSession, Transport};

/// As a waiting time: the rest of this check's time.
pub const REST: Duration = Duration::MAX;

/// Time that no wait uses up, so that the plugin can still say what it saw.
///
/// A check that is over its deadline loses everything it learned. Judging takes
/// microseconds; the rest is room for a busy machine.
const RESERVE: Duration = Duration::from_millis(50);

/// Most bytes that one call asks for; the contract's own limit.
const CHUNK: usize = 64 * 1024;

/// What carries a [`Connection`]: the runner in a component, a script in a
/// native test. Mirrors the interfaces `connection` and `host` of the contract.
pub trait Wire {
    /// TCP or UDP.
    fn transport(&self) -> Transport;
    /// Sends all of it, or one datagram.
    fn send(&mut self, bytes: &[u8]) -> Result<(), IoError>;
    /// At least one and at most `max` bytes, or one datagram.
    fn receive(&mut self, max: u32, wait: Duration) -> Result<Vec<u8>, IoError>;
    /// One datagram, with the port it came from.
    fn receive_from(&mut self, max: u32, wait: Duration) -> Result<Datagram, IoError>;
    /// Half-close.
    fn finish(&mut self) -> Result<(), IoError>;
    /// TLS from here on.
    fn start_tls(&mut self, options: &TlsOptions) -> Result<TlsSession, IoError>;
    /// One more connection to the same endpoint.
    fn reconnect(&mut self) -> Result<Box<dyn Wire>, IoError>;
    /// The port that it leaves from.
    fn local_port(&self) -> u16;
    /// A line for `--explain`.
    fn log(&mut self, line: &str);
    /// Time since the check began.
    fn elapsed(&self) -> Duration;
    /// Nanoseconds since 1970.
    fn unix_now_nanos(&self) -> i64;
    /// What is left of the check's time.
    fn time_left(&self) -> Duration;
    /// Unpredictable bytes.
    fn random_bytes(&mut self, len: u32) -> Vec<u8>;
}

/// The conversation with the endpoint under check, and the only way out.
///
/// Reading is bounded in bytes and in time, always: a peer that sends for ever,
/// or one byte a second, ends the call and not the plugin. Bytes that a call
/// read and did not use stay in [`Connection::unread`] for the next one.
/// Dropping the connection closes it in good order.
pub struct Connection {
    wire: Box<dyn Wire>,
    unread: Vec<u8>,
}

impl Connection {
    /// A conversation over `wire`.
    pub fn new(wire: impl Wire + 'static) -> Connection {
        Connection { wire: Box::new(wire), unread: Vec::new() }
    }

    /// TCP or UDP.
    pub fn transport(&self) -> Transport {
        self.wire.transport()
    }

    /// TCP: sends all of `bytes`. UDP: sends them as one datagram.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), IoError> {
        self.wire.send(bytes.as_ref())
    }

    /// One datagram (UDP), or whatever has come of a stream, at most `max` bytes.
    pub fn receive(&mut self, max: usize, wait: Duration) -> Result<Vec<u8>, IoError> {
        if !self.unread.is_empty() {
            return Ok(self.take(max));
        }
        self.receive_until_moment(max, self.deadline(wait))
    }

    /// UDP: one datagram, with the port it came from. Hears other ports of the
    /// address when the metadata says so.
    pub fn receive_from(&mut self, max: usize, wait: Duration) -> Result<Datagram, IoError> {
        let wait = self.remaining(self.deadline(wait)).ok_or(IoError::TimedOut)?;
        self.wire.receive_from(bounded(max), wait)
    }

    /// Exactly `len` bytes of a stream.
    ///
    /// # Errors
    /// After one, what came instead is in [`Connection::unread`].
    pub fn receive_exact(&mut self, len: usize, wait: Duration) -> Result<Vec<u8>, IoError> {
        let deadline = self.deadline(wait);
        while self.unread.len() < len {
            self.fill(len - self.unread.len(), deadline)?;
        }
        Ok(self.take(len))
    }

    /// Bytes of a stream up to and including `end`, or the first `max` bytes
    /// when `end` is not among them: look at the last one.
    ///
    /// # Errors
    /// After one, what came instead is in [`Connection::unread`].
    pub fn receive_until(
        &mut self,
        end: &[u8],
        max: usize,
        wait: Duration,
    ) -> Result<Vec<u8>, IoError> {
        let deadline = self.deadline(wait);
        let mut searched = 0;
        loop {
            let found = find(&self.unread[searched..], end).map(|at| searched + at + end.len());
            match found {
                Some(len) if len <= max => return Ok(self.take(len)),
                _ if self.unread.len() >= max => return Ok(self.take(max)),
                _ => searched = self.unread.len().saturating_sub(end.len().saturating_sub(1)),
            }
            self.fill(max - self.unread.len(), deadline)?;
        }
    }

    /// A line of a stream without its line feed and carriage return; none when
    /// it is longer than `max` bytes.
    ///
    /// # Errors
    /// After one, what came instead is in [`Connection::unread`].
    pub fn receive_line(&mut self, max: usize, wait: Duration) -> Result<Option<Vec<u8>>, IoError> {
        let mut line = self.receive_until(b"\n", max, wait)?;
        if line.pop_if(|&mut last| last == b'\n').is_none() {
            self.unread.splice(..0, line);
            return Ok(None);
        }
        line.pop_if(|&mut last| last == b'\r');
        Ok(Some(line))
    }

    /// Bytes of a stream that have come and that no call has returned yet.
    pub fn unread(&self) -> &[u8] {
        &self.unread
    }

    /// TCP: tells the peer that nothing more will be sent. Reading goes on.
    pub fn finish(&mut self) -> Result<(), IoError> {
        self.wire.finish()
    }

    /// Upgrades the connection to TLS, and says what the peer presented.
    ///
    /// # Errors
    /// [`IoError::Tls`] also when the peer sent bytes beyond those that the
    /// plugin has read: they would be plaintext taken for protected
    /// (CVE-2021-23222 is that mistake).
    pub fn start_tls(&mut self, options: &TlsOptions) -> Result<TlsSession, IoError> {
        if !self.unread.is_empty() {
            return Err(IoError::Tls("the peer sent bytes ahead of the handshake".to_owned()));
        }
        self.wire.start_tls(options)
    }

    /// Opens one more connection to the same endpoint.
    pub fn reconnect(&mut self) -> Result<Connection, IoError> {
        Ok(Connection { wire: self.wire.reconnect()?, unread: Vec::new() })
    }

    /// The port that this connection leaves from, for protocols that carry it in
    /// their messages.
    pub fn local_port(&self) -> u16 {
        self.wire.local_port()
    }

    /// A line for the reader of `--explain`.
    pub fn log(&mut self, line: &str) {
        self.wire.log(line);
    }

    /// Time since this check began.
    pub fn elapsed(&self) -> Duration {
        self.wire.elapsed()
    }

    /// Seconds since 1970-01-01T00:00:00Z, to compare with a certificate.
    pub fn unix_now(&self) -> i64 {
        self.unix_now_nanos().div_euclid(1_000_000_000)
    }

    /// Nanoseconds since 1970-01-01T00:00:00Z, to compare with a peer's clock.
    pub fn unix_now_nanos(&self) -> i64 {
        self.wire.unix_now_nanos()
    }

    /// What is left of this check's time.
    pub fn time_left(&self) -> Duration {
        self.wire.time_left()
    }

    /// Unpredictable bytes, for ids and nonces.
    pub fn random<const N: usize>(&mut self) -> [u8; N] {
        let bytes = self.wire.random_bytes(bounded(N));
        let mut array = [0; N];
        // The contract promises the length; a shorter answer leaves zeros.
        let len = bytes.len().min(N);
        array[..len].copy_from_slice(&bytes[..len]);
        array
    }

    /// The moment, counted as [`Connection::elapsed`], at which a wait that
    /// begins now is over.
    fn deadline(&self, wait: Duration) -> Duration {
        let end_of_check = self.time_left().saturating_sub(RESERVE);
        self.elapsed().saturating_add(wait.min(end_of_check))
    }

    fn remaining(&self, deadline: Duration) -> Option<Duration> {
        deadline.checked_sub(self.elapsed()).filter(|left| !left.is_zero())
    }

    fn receive_until_moment(&mut self, max: usize, deadline: Duration) -> Result<Vec<u8>, IoError> {
        let wait = self.remaining(deadline).ok_or(IoError::TimedOut)?;
        self.wire.receive(bounded(max), wait)
    }

    fn fill(&mut self, max: usize, deadline: Duration) -> Result<(), IoError> {
        let bytes = self.receive_until_moment(max, deadline)?;
        self.unread.extend_from_slice(&bytes);
        Ok(())
    }

    fn take(&mut self, max: usize) -> Vec<u8> {
        let rest = self.unread.split_off(max.min(self.unread.len()));
        std::mem::replace(&mut self.unread, rest)
    }
}

/// What the contract takes: at most [`CHUNK`].
fn bounded(len: usize) -> u32 {
    len.min(CHUNK) as u32
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len().max(1)).position(|window| window == wanted)
}

fn milliseconds(length: Duration) -> u32 {
    // Rounded up: a wait of less than a millisecond must not become none.
    u32::try_from(length.as_nanos().div_ceil(1_000_000)).unwrap_or(u32::MAX)
}

/// The runner itself, across the sandbox's wall.
impl Wire for contract::Connection {
    fn transport(&self) -> Transport {
        contract::Connection::transport(self)
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), IoError> {
        contract::Connection::send(self, bytes)
    }

    fn receive(&mut self, max: u32, wait: Duration) -> Result<Vec<u8>, IoError> {
        contract::Connection::receive(self, max, milliseconds(wait))
    }

    fn receive_from(&mut self, max: u32, wait: Duration) -> Result<Datagram, IoError> {
        contract::Connection::receive_from(self, max, milliseconds(wait))
    }

    fn finish(&mut self) -> Result<(), IoError> {
        contract::Connection::finish(self)
    }

    fn start_tls(&mut self, options: &TlsOptions) -> Result<TlsSession, IoError> {
        contract::Connection::start_tls(self, options)
    }

    fn reconnect(&mut self) -> Result<Box<dyn Wire>, IoError> {
        Ok(Box::new(contract::Connection::reconnect(self)?))
    }

    fn local_port(&self) -> u16 {
        contract::Connection::local_port(self)
    }

    fn log(&mut self, line: &str) {
        host::log(line);
    }

    fn elapsed(&self) -> Duration {
        Duration::from_nanos(host::monotonic_now())
    }

    fn unix_now_nanos(&self) -> i64 {
        host::unix_now_nanos()
    }

    fn time_left(&self) -> Duration {
        Duration::from_millis(u64::from(host::time_left()))
    }

    fn random_bytes(&mut self, len: u32) -> Vec<u8> {
        host::random_bytes(len)
    }
}
