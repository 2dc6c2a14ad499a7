use wasmtime::Engine;

use super::engine::{self, Running, Ticker};
use super::error::LoadError;

/// The engine and its clock, made when the first plugin is really used.
pub(super) struct Machine {
    engine: Engine,
    ticker: Ticker,
}

impl Machine {
    /// A machine for `slots` live guests.
    pub(super) fn new(slots: usize) -> Result<Machine, LoadError> {
        let ours = |reason: String| LoadError::Machine { reason };
        let engine = engine::for_running(slots).map_err(|e| ours(e.to_string()))?;
        let ticker = Ticker::start(engine.weak()).map_err(|e| ours(e.to_string()))?;
        Ok(Machine { engine, ticker })
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Keeps the clock going until the value is dropped.
    pub(super) fn running(&self) -> Running<'_> {
        self.ticker.running()
    }
}
