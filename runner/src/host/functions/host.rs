use crate::host::bindings::portscan::plugin::host::Host;
use crate::host::convert::to_milliseconds;
use crate::host::fault::Breach;
use crate::host::limits::MAX_RANDOM;
use crate::host::state::CheckState;

/// `host`: time, randomness, a line for the reader. None of them waits.
impl Host for CheckState {
    fn log(&mut self, message: String) -> wasmtime::Result<()> {
        self.budget.call()?;
        self.log.write(message);
        Ok(())
    }

    fn monotonic_now(&mut self) -> wasmtime::Result<u64> {
        self.budget.call()?;
        Ok(u64::try_from(self.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn unix_now(&mut self) -> wasmtime::Result<i64> {
        self.budget.call()?;
        Ok(CheckState::unix_now_nanos(self).div_euclid(1_000_000_000))
    }

    fn unix_now_nanos(&mut self) -> wasmtime::Result<i64> {
        self.budget.call()?;
        Ok(CheckState::unix_now_nanos(self))
    }

    fn time_left(&mut self) -> wasmtime::Result<u32> {
        self.budget.call()?;
        Ok(to_milliseconds(self.remaining()))
    }

    fn random_bytes(&mut self, len: u32) -> wasmtime::Result<Vec<u8>> {
        self.budget.call()?;
        if len > MAX_RANDOM {
            let cap = u64::from(MAX_RANDOM);
            return Err(Breach::Budget { what: "random bytes in one call", cap }.into());
        }
        CheckState::random_bytes(self, len).map_err(|e| wasmtime::format_err!("no randomness: {e}"))
    }
}
