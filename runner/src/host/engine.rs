//! The engine: how guests are compiled, where they live, and the clock that
//! makes a running guest look up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, Thread};

use wasmtime::{
    Config, Enabled, Engine, EngineWeak, InstanceAllocationStrategy, PoolingAllocationConfig,
};

use super::limits::{FIBER_STACK, MAX_INSTANCES, MAX_MEMORY, MAX_TABLE_ELEMENTS, TICK, WASM_STACK};

/// What every engine of this program shares, the compiler's process included:
/// an artifact fits an engine whose settings are the same.
fn settings() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .concurrency_support(false)
        .wasm_memory64(false)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(FIBER_STACK)
        // A slot of the pool holds the largest memory and not the 4 GiB that
        // spare the bounds checks: 256 of those exceed a 39-bit address space.
        .memory_reservation(MAX_MEMORY as u64)
        .memory_reservation_for_growth(0)
        .memory_guard_size(64 << 10)
        .memory_may_move(false)
        // Names of a guest's functions help nobody but its author.
        .wasm_backtrace_max_frames(None)
        .generate_address_map(false);
    config
}

/// An engine for running: a pool for `slots` live guests.
///
/// Where the address space for a pool is not to be had (RLIMIT_AS), guests are
/// allocated one by one, which is slower and otherwise the same.
pub(super) fn for_running(slots: usize) -> wasmtime::Result<Engine> {
    let mut pooled = settings();
    pooled.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(slots)));
    Engine::new(&pooled).or_else(|_| Engine::new(&settings()))
}

/// An engine for compiling alone, on one thread: threads' stacks and arenas
/// count against the address space that the process may use.
pub(super) fn for_compiling() -> wasmtime::Result<Engine> {
    Engine::new(settings().parallel_compilation(false))
}

fn pool(slots: usize) -> PoolingAllocationConfig {
    let slots = u32::try_from(slots).unwrap_or(u32::MAX);
    let most = MAX_INSTANCES as u32;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_stacks(slots)
        // Counters without a cost of their own.
        .total_core_instances(slots.saturating_mul(most))
        .max_core_instances_per_component(most)
        // A component of wit-component's has one memory and two tables; four
        // times that on average is room for interpreters.
        .total_memories(slots.saturating_mul(2))
        .total_tables(slots.saturating_mul(4))
        .max_memory_size(MAX_MEMORY)
        .table_elements(MAX_TABLE_ELEMENTS)
        .max_tables_per_module(8)
        // Without PAGEMAP_SCAN (Linux 6.7) what stays resident is copied over
        // at every reuse; measured: 380 KB a slot for nothing.
        .pagemap_scan(Enabled::Auto);
    if has_pagemap_scan() {
        pool.linear_memory_keep_resident(1 << 20)
            .table_keep_resident(64 << 10)
            .async_stack_keep_resident(64 << 10);
    }
    pool
}

/// Whether the kernel is Linux 6.7 or later.
fn has_pagemap_scan() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (6, 7)
}

/// Advances the engine's epoch every [`TICK`] while a guest runs.
///
/// The thread is started by the first guest and parks when none has run for a
/// while: an idle program is woken by nothing.
pub(super) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

struct Shared {
    running: AtomicUsize,
    parked: AtomicBool,
    stop: AtomicBool,
}

/// Ticks without a running guest after which the thread parks. Unparking costs
/// a system call, which a series of short calls should not pay each time.
const IDLE_TICKS: u32 = 20;

impl Ticker {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system grants no thread.
    pub(super) fn start(engine: EngineWeak) -> std::io::Result<Ticker> {
        let shared = Arc::new(Shared {
            running: AtomicUsize::new(0),
            parked: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        });
        let theirs = shared.clone();
        let handle = thread::Builder::new()
            .name("epochs".to_owned())
            .spawn(move || tick(&engine, &theirs))?;
        Ok(Ticker { thread: handle.thread().clone(), shared })
    }

    /// Keeps the epoch going until the value is dropped.
    pub(super) fn running(&self) -> Running<'_> {
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        // Either this sees the flag, or the thread sees the counter: both are
        // written before the other is read.
        if self.shared.parked.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        Running(&self.shared)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

fn tick(engine: &EngineWeak, shared: &Shared) {
    let mut idle = 0;
    while !shared.stop.load(Ordering::SeqCst) {
        thread::park_timeout(TICK);
        let Some(engine) = engine.upgrade() else { return };
        engine.increment_epoch();
        idle = if shared.running.load(Ordering::SeqCst) == 0 { idle + 1 } else { 0 };
        if idle >= IDLE_TICKS {
            drop(engine);
            park(shared);
            idle = 0;
        }
    }
}

fn park(shared: &Shared) {
    shared.parked.store(true, Ordering::SeqCst);
    while shared.running.load(Ordering::SeqCst) == 0 && !shared.stop.load(Ordering::SeqCst) {
        thread::park();
    }
    shared.parked.store(false, Ordering::SeqCst);
}

/// A guest runs.
pub(super) struct Running<'a>(&'a Shared);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}
