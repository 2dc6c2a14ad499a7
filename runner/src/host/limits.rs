//! What a guest may use, at most. Each number has its reason and what happens
//! when it is exceeded; each has a test that obeys it and one that violates it
//! (`tests/guests`).

use std::time::Duration;

/// Largest component that is loaded without being asked to raise the limit.
///
/// Plugins in Rust and C have 6 to 100 KB. Over it: fault `too-large`.
pub const MAX_COMPONENT: usize = 4 << 20;

/// Largest component at all. Interpreters compiled in (JavaScript, Python)
/// have 12 to 19 MB.
pub const MAX_COMPONENT_RAISED: usize = 32 << 20;

/// Largest compiled artifact: twice what the largest known one has (37 MB).
pub const MAX_ARTIFACT: usize = 80 << 20;

/// Largest `portscan:metadata` section.
pub const MAX_METADATA: usize = 64 << 10;

/// Linear memory of one guest, all memories together. Over it: fault `memory`.
///
/// Rust guests need 1 to 2 MiB; zig's C runtime starts with 17 MiB.
pub const MAX_MEMORY: usize = 64 << 20;

/// Table elements of one guest, all tables together. Over it: fault `memory`.
pub const MAX_TABLE_ELEMENTS: usize = 20_000;

/// Core instances, memories and tables of one component. wit-component makes
/// three instances, Python's tools more than eight. Over it: fault `memory`.
pub const MAX_INSTANCES: usize = 64;

/// CPU time of one check. A check waits for the network; DNS needs 0.01 ms.
/// Over it: fault `cpu-budget`.
pub const CHECK_CPU: Duration = Duration::from_millis(300);

/// CPU time of one call of `describe`, `payloads` or `judge`, instantiation
/// included. Over it: fault `cpu-budget`.
pub const PURE_CPU: Duration = Duration::from_millis(50);

/// How often a running guest is looked at.
pub const TICK: Duration = Duration::from_millis(10);

/// How much longer than its deadline a check may live, to conclude from what
/// it has: calls that wait return `timed-out` at the deadline. Over it: fault
/// `deadline`.
pub const GRACE: Duration = Duration::from_millis(500);

/// Bytes that one call may carry from guest to host, results included, as the
/// component model counts them. Over it: fault `broken-abi`.
pub const MAX_CALL_BYTES: usize = 256 << 10;

/// Stack of WebAssembly frames. Over it: fault `trap`.
pub const WASM_STACK: usize = 256 << 10;

/// Stack of the fiber that a check runs on; what exceeds [`WASM_STACK`] is for
/// the host's functions, the TLS handshake being the deepest.
pub const FIBER_STACK: usize = 1 << 20;

/// Handles that a guest may hold at once. Over it: fault `over-budget`.
pub const MAX_HANDLES: usize = 64;

/// Connections of one check, unless the plugin declares fewer. Over it: the
/// guest is told `over-budget`.
pub const MAX_CONNECTIONS: u32 = 4;

/// Bytes that one check may send, unless the plugin declares fewer. Over it:
/// the guest is told `over-budget`.
pub const MAX_SENT: u64 = 1 << 20;

/// Bytes that one check may receive: a peer that never stops is no fault of the
/// guest. Over it: the guest is told `over-budget`.
pub const MAX_RECEIVED: u64 = 16 << 20;

/// Calls of host functions in one check. Over it: fault `over-budget`.
pub const MAX_HOST_CALLS: u32 = 20_000;

/// Lines of `log` that are kept; more are counted.
pub const MAX_LOG_LINES: usize = 100;

/// Bytes of one line of `log`; the rest is cut.
pub const MAX_LOG_LINE: usize = 1 << 10;

/// Bytes of one call of `random-bytes`. Over it: fault `over-budget`.
pub const MAX_RANDOM: u32 = 4096;

/// Findings that are kept; more are counted in the log.
pub const MAX_FINDINGS: usize = 64;

/// Bytes of one finding's value; the rest is cut.
pub const MAX_FINDING: usize = 4 << 10;

/// Bytes of a finding's name; the rest is cut.
pub const MAX_FINDING_NAME: usize = 128;

/// Bytes of a summary; the rest is cut.
pub const MAX_SUMMARY: usize = 1 << 10;

/// Bytes of a whole conclusion as the guest returned it. The largest shipped
/// plugin's has 2 KiB. Over it: fault `too-much-output`.
pub const MAX_VERDICT: usize = 64 << 10;

/// Payloads that one endpoint is tried with. Over it: fault `too-much-output`.
pub const MAX_PAYLOADS: usize = 16;

/// Calls after which a warm instance is replaced, so that a guest that leaks
/// never reaches its memory limit. The calls of a full /16 are 65,536.
pub const CALLS_PER_INSTANCE: u32 = 10_000;

/// CPU time, wall time and address space of the compiler's process. A plugin
/// of 30 KB takes 30 ms, JavaScript's 12 MB 7 s. Over it: fault `compile-limit`.
pub const COMPILE_CPU: Duration = Duration::from_secs(10);

/// See [`COMPILE_CPU`]; more than it, because the machine may be busy.
pub const COMPILE_WALL: Duration = Duration::from_secs(30);

/// See [`COMPILE_CPU`].
pub const COMPILE_MEMORY: u64 = 1 << 30;

/// How many times the limits of compiling a component of more than
/// [`MAX_COMPONENT`] bytes has, which somebody named or installed. Python's 18 MB
/// take 10 s of one core, and 2 GiB with all of them at work.
pub const COMPILE_RAISED: u32 = 4;

/// Most bytes of one check that a recording keeps. A dialogue takes a few
/// kilobytes; a flood is as well shown by its first megabyte.
pub const MAX_RECORDED: usize = 1 << 20;
