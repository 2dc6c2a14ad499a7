//! The nouns that every room shares: plain data, no I/O, no dependency on
//! another room.
//!
//! Start reading at [`Outcome`]: it is what a run knows about one endpoint at
//! its end, and every other type here is a part of it or of the way to it.

mod attempt;
mod check;
mod endpoint;
mod evidence;
mod icmp;
mod outcome;
mod plugin;
#[cfg(test)]
pub mod sample;
mod state;
mod time;

pub use attempt::{Farewell, Handle, Sent};
pub use check::{CheckResult, Conclusion, Fault, Finding, FindingValue, Health, Verdict};
pub use endpoint::{Endpoint, Family, Transport};
pub use evidence::{Control, Evidence, Observation, PayloadKind, Role, Signal};
pub use icmp::{IcmpError, IcmpFamily};
pub use outcome::{Note, Outcome, Rounds, Unresolved, UnresolvedReason};
pub use plugin::{
    Amplification, DefaultPort, Metadata, Payload, ReplyFrom, Sends, Setting, SettingKind,
    SettingSpec, SettingValue, SideEffect, Silence,
};
pub use state::{PortState, Reason};
pub use time::Moment;
