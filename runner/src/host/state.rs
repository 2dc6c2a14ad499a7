//! What a store holds besides the guest: its budgets, its handles, its log.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use wasmtime::ResourceLimiter;
use wasmtime::component::ResourceTable;

use super::fault::Breach;
use super::limits::{
    MAX_CONNECTIONS, MAX_HANDLES, MAX_HOST_CALLS, MAX_INSTANCES, MAX_LOG_LINE, MAX_LOG_LINES,
    MAX_MEMORY, MAX_RECEIVED, MAX_SENT, MAX_TABLE_ELEMENTS,
};
use super::line::{SharedPlayer, lock};
use super::record::{Event, Recorder};
use super::text::cut;
use crate::model::{Sends, Transport};

/// Memory and tables of one guest.
#[derive(Debug, Default)]
pub(super) struct Ceiling {
    memory: usize,
    elements: usize,
}

impl ResourceLimiter for Ceiling {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let wanted = self.memory.saturating_sub(current).saturating_add(desired);
        if wanted > MAX_MEMORY {
            return Err(Breach::Memory { wanted, cap: MAX_MEMORY }.into());
        }
        self.memory = wanted;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let wanted = self.elements.saturating_sub(current).saturating_add(desired);
        if wanted > MAX_TABLE_ELEMENTS {
            return Err(Breach::Table { wanted, cap: MAX_TABLE_ELEMENTS }.into());
        }
        self.elements = wanted;
        Ok(true)
    }

    fn instances(&self) -> usize {
        MAX_INSTANCES
    }

    fn tables(&self) -> usize {
        MAX_INSTANCES
    }

    fn memories(&self) -> usize {
        MAX_INSTANCES
    }
}

/// Lines that a plugin wrote for `--explain`.
#[derive(Debug, Default)]
pub(super) struct Log {
    lines: Vec<String>,
    dropped: u64,
}

impl Log {
    pub(super) fn write(&mut self, line: String) {
        match self.lines.len() < MAX_LOG_LINES {
            true => self.lines.push(cut(line, MAX_LOG_LINE)),
            false => self.dropped += 1,
        }
    }

    /// The lines, with a last one that counts what was dropped.
    pub(super) fn finish(mut self) -> Vec<String> {
        if self.dropped > 0 {
            self.lines.push(format!("({} more lines were dropped)", self.dropped));
        }
        self.lines
    }
}

/// What one check may still use.
#[derive(Debug)]
pub(super) struct Budget {
    sends: Sends,
    calls: u32,
    packets: u32,
    sent: u64,
    received: u64,
    connections: u32,
}

/// An answer to "may I": the guest is told no and can conclude from what it has.
pub(super) type Allowed<T> = Result<T, String>;

impl Budget {
    /// The budget of a plugin that declares `sends`; its first connection is open.
    pub(super) fn new(sends: Sends) -> Budget {
        Budget { sends, calls: 0, packets: 0, sent: 0, received: 0, connections: 1 }
    }

    /// Counts one call of a host function.
    pub(super) fn call(&mut self) -> Result<(), Breach> {
        self.calls += 1;
        match self.calls > MAX_HOST_CALLS {
            true => Err(Breach::Budget { what: "host calls", cap: u64::from(MAX_HOST_CALLS) }),
            false => Ok(()),
        }
    }

    /// Counts `bytes` to be sent, where `stream` were sent on the same
    /// connection before.
    pub(super) fn send(
        &mut self,
        bytes: usize,
        stream: u64,
        transport: Transport,
    ) -> Result<Allowed<()>, Breach> {
        let (what, wanted) = match transport {
            Transport::Tcp => ("bytes in one stream", stream.saturating_add(bytes as u64)),
            Transport::Udp => ("bytes in one datagram", bytes as u64),
        };
        undeclared(what, wanted, self.sends.largest)?;
        undeclared("sends", u64::from(self.packets) + 1, self.sends.packets)?;
        let sent = self.sent.saturating_add(bytes as u64);
        if sent > MAX_SENT {
            return Ok(Err(format!("{MAX_SENT} bytes were sent, which is the host's limit")));
        }
        self.packets += 1;
        self.sent = sent;
        Ok(Ok(()))
    }

    /// Whether anything more may be received.
    pub(super) fn may_receive(&self) -> Allowed<usize> {
        match usize::try_from(MAX_RECEIVED.saturating_sub(self.received)) {
            Ok(left) if left > 0 => Ok(left),
            _ => Err(format!("{MAX_RECEIVED} bytes were received, which is the host's limit")),
        }
    }

    /// Counts what was received.
    pub(super) fn receive(&mut self, bytes: usize) {
        self.received = self.received.saturating_add(bytes as u64);
    }

    /// Counts one more connection.
    pub(super) fn connect(&mut self) -> Result<Allowed<()>, Breach> {
        let wanted = self.connections + 1;
        undeclared("connections", u64::from(wanted), self.sends.connections)?;
        if wanted > MAX_CONNECTIONS {
            return Ok(Err(format!(
                "{MAX_CONNECTIONS} connections were opened, which is the host's limit"
            )));
        }
        self.connections = wanted;
        Ok(Ok(()))
    }
}

fn undeclared(what: &'static str, wanted: u64, declared: u32) -> Result<(), Breach> {
    match wanted > u64::from(declared) {
        true => Err(Breach::Undeclared { what, wanted, declared: u64::from(declared) }),
        false => Ok(()),
    }
}

/// A check's store.
pub(super) struct CheckState {
    pub(super) ceiling: Ceiling,
    pub(super) table: ResourceTable,
    pub(super) budget: Budget,
    pub(super) log: Log,
    player: Option<SharedPlayer>,
    recorder: Option<Recorder>,
    started: Instant,
    deadline: Duration,
}

impl CheckState {
    /// A check that began at `started` and should conclude within `deadline`.
    pub(super) fn new(
        sends: Sends,
        started: Instant,
        deadline: Duration,
        player: Option<SharedPlayer>,
        recorder: Option<Recorder>,
    ) -> CheckState {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_HANDLES);
        CheckState {
            ceiling: Ceiling::default(),
            table,
            budget: Budget::new(sends),
            log: Log::default(),
            player,
            recorder,
            started,
            deadline,
        }
    }

    /// Since the check began.
    pub(super) fn elapsed(&self) -> Duration {
        match &self.player {
            Some(player) => lock(player).elapsed(),
            None => self.started.elapsed(),
        }
    }

    /// Until the deadline.
    pub(super) fn remaining(&self) -> Duration {
        match &self.player {
            Some(player) => lock(player).time_left(),
            None => self.deadline.saturating_sub(self.elapsed()),
        }
    }

    /// Nanoseconds since 1970, by this machine's clock.
    pub(super) fn unix_now_nanos(&self) -> i64 {
        let nanos = match &self.player {
            Some(player) => lock(player).unix_now_nanos(),
            None => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
            }
        };
        self.record(|| Event::Clock(nanos));
        nanos
    }

    /// Bytes that nobody can foresee.
    ///
    /// # Errors
    /// The operating system has none.
    pub(super) fn random_bytes(&self, len: u32) -> Result<Vec<u8>, getrandom::Error> {
        let bytes = match &self.player {
            Some(player) => lock(player).random_bytes(len),
            None => {
                let mut bytes = vec![0; len as usize];
                getrandom::fill(&mut bytes)?;
                bytes
            }
        };
        self.record(|| Event::Random(bytes.clone()));
        Ok(bytes)
    }

    /// Takes down what happened, where somebody wants to know.
    pub(super) fn record(&self, event: impl FnOnce() -> Event) {
        if let Some(recorder) = &self.recorder {
            recorder.note(event());
        }
    }
}
