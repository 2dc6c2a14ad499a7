//! How a guest breaks the rules, and the sentence that a user reads about it.
//!
//! Rules that the host itself watches end as a [`Breach`], which is found again
//! by its type. What wasmtime watches is told apart by the phase in which it
//! happened and by `wasmtime::Trap`, never by an error's text.

use std::time::Duration;

use thiserror::Error;
use wasmtime::Trap;

use crate::model::Fault;

/// A rule that the host watches was broken. Raised inside a store.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum Breach {
    #[error("used more than {} ms of CPU time", budget.as_millis())]
    Cpu { budget: Duration },
    #[error("asked for {wanted} bytes of memory; {cap} are allowed")]
    Memory { wanted: usize, cap: usize },
    #[error("asked for {wanted} table elements; {cap} are allowed")]
    Table { wanted: usize, cap: usize },
    #[error("asked for more than {cap} {what}")]
    Budget { what: &'static str, cap: u64 },
    #[error("tried {wanted} {what}; its metadata declares at most {declared}")]
    Undeclared { what: &'static str, wanted: u64, declared: u64 },
    #[error("returned {bytes} bytes; {cap} are allowed")]
    Output { bytes: usize, cap: usize },
    #[error("returned {count} payloads; {cap} are allowed")]
    Payloads { count: usize, cap: usize },
    #[error("called `{function}`, which only a check may do")]
    Impure { function: String },
    #[error("used a connection that it does not hold")]
    Handle,
}

impl Breach {
    fn kind(&self) -> &'static str {
        match self {
            Breach::Cpu { .. } => "cpu-budget",
            Breach::Memory { .. } | Breach::Table { .. } => "memory",
            Breach::Budget { .. } | Breach::Undeclared { .. } => "over-budget",
            Breach::Output { .. } | Breach::Payloads { .. } => "too-much-output",
            Breach::Impure { .. } => "impure",
            Breach::Handle => "broken-abi",
        }
    }
}

/// What the guest was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Describe,
    Payloads,
    Judge,
    Check,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Phase::Describe => "describe",
            Phase::Payloads => "payloads",
            Phase::Judge => "judge",
            Phase::Check => "check",
        }
    }

    /// A breach in this phase, as a fault.
    pub(super) fn breach(self, breach: &Breach) -> Fault {
        fault(breach.kind(), format!("the plugin {breach} (in `{}`)", self.name()))
    }

    /// The check went on after its deadline and the grace period.
    pub(super) fn deadline(self, deadline: Duration) -> Fault {
        let text = format!(
            "the plugin did not conclude within the deadline of {} ms (in `{}`)",
            deadline.as_millis(),
            self.name()
        );
        fault("deadline", text)
    }

    /// What ended a call into the guest, as a fault.
    pub(super) fn classify(self, error: &wasmtime::Error) -> Fault {
        if let Some(breach) = error.downcast_ref::<Breach>() {
            return self.breach(breach);
        }
        let name = self.name();
        match error.downcast_ref::<Trap>() {
            Some(trap) if is_about_abi(*trap) => fault(
                "broken-abi",
                format!("the plugin broke the calling convention in `{name}`: {trap}"),
            ),
            Some(trap) => fault("trap", format!("the plugin crashed in `{name}`: {trap}")),
            // Strings that are no UTF-8, forged handles, more bytes in one call
            // than `MAX_CALL_BYTES`: wasmtime has no types for these.
            None => {
                let cause = error.root_cause();
                fault(
                    "broken-abi",
                    format!("the plugin broke the calling convention in `{name}`: {cause}"),
                )
            }
        }
    }
}

/// Whether the trap comes from handing values over rather than from the code.
fn is_about_abi(trap: Trap) -> bool {
    matches!(
        trap,
        Trap::CannotEnterComponent
            | Trap::CannotLeaveComponent
            | Trap::CannotBlockSyncTask
            | Trap::InvalidChar
            | Trap::StringOutOfBounds
            | Trap::ListOutOfBounds
            | Trap::InvalidDiscriminant
            | Trap::UnalignedPointer
    )
}

/// A fault of a known kind, with the hint that belongs to the kind.
pub(super) fn fault(kind: &'static str, text: String) -> Fault {
    let hint = HINTS.iter().find(|(kinds, _)| kinds.contains(&kind)).map_or("", |(_, hint)| hint);
    debug_assert!(!hint.is_empty(), "the kind `{kind}` has no hint");
    Fault { kind, text, hint: hint.to_owned() }
}

/// Every kind of fault, and what the user can do about it. The kinds are a
/// contract: scripts compare them.
const HINTS: &[(&[&str], &str)] = &[
    (
        &["trap", "cpu-budget", "deadline", "memory", "broken-abi", "impure", "too-much-output"],
        "This is a defect of the plugin: report it to its author. The port's state stands; `--no-plugins` skips all checks.",
    ),
    (
        &["over-budget"],
        "The plugin wanted more than its receipt (`portscan plugin show`) or the host allows. Do not trust it with more before its author has explained why.",
    ),
    (
        &["lied"],
        "What the plugin says about itself is not what is written in its file. Rebuild it with `portscan plugin build`, or do not use it.",
    ),
    (&["bad-metadata"], "The plugin's author must mend what `describe` returns."),
    (
        &["not-a-component"],
        "Build a component with `portscan plugin build DIR`; a core module or another file is not one.",
    ),
    (
        &["not-a-plugin"],
        "It is a component of something else: a plugin exports `portscan:plugin/plugin` and `check` or `udp-probe`.",
    ),
    (
        &["wrong-version"],
        "Rebuild the plugin against the contract of this version of portscan (`portscan plugin build DIR`).",
    ),
    (
        &["foreign-import"],
        "A plugin may import `portscan:plugin/host` and `portscan:plugin/connection` alone; build it without WASI (target wasm32-unknown-unknown).",
    ),
    (
        &["changed"],
        "If you changed it: `portscan plugin remove` and `add` it again. If not, somebody did.",
    ),
    (
        &["too-large"],
        "Strip it (release build, `strip = true`). One that you name by its file or install may have 32 MiB.",
    ),
    (
        &["compile-limit"],
        "Components like this are made by hand to stall compilers; do not use it unless you know better.",
    ),
    (
        &["invalid-setting"],
        "Change the setting that the text names (`--set PLUGIN.NAME=VALUE`); `portscan plugin show` lists them.",
    ),
    (&["failed"], "The text comes from the plugin itself."),
    (
        &["host"],
        "The cause is this machine or portscan itself, not the plugin; `--no-plugins` probes without checks.",
    ),
];

/// The guest said that it cannot make the check.
pub(super) fn declined(kind: &'static str, text: &str) -> Fault {
    fault(kind, text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_breach_is_found_through_the_context_that_wasmtime_adds() {
        let error =
            wasmtime::Error::from(Breach::Memory { wanted: 2, cap: 1 }).context("backtrace");
        assert_eq!(Phase::Check.classify(&error).kind, "memory");
    }

    #[test]
    fn a_trap_of_the_code_and_one_of_the_calling_convention_are_told_apart() {
        let crash = Phase::Judge.classify(&wasmtime::Error::from(Trap::StackOverflow));
        assert_eq!(crash.kind, "trap");
        assert!(crash.text.contains("call stack exhausted"), "{}", crash.text);
        assert_eq!(
            Phase::Judge.classify(&wasmtime::Error::from(Trap::InvalidChar)).kind,
            "broken-abi"
        );
    }
}
