//! portscan: can I reach this service from here, and if not, who is in the way?
//!
//! The rooms, in the order in which a request flows through them:
//!
//! ```text
//! text ─target→ TargetSpec ─resolve→ addresses ─plan→ Attempt ─net→ Signal ─probe→ (PortState, Reason)
//!      ─check→ CheckResult ─advice→ next step ─report→ document ─render→ text
//! ```
//!
//! docs/ARCHITECTURE.md says who may use whom; `tests/architecture.rs` holds it to that.
#![deny(missing_docs)]

pub mod cli;
pub mod exit;
pub mod pipeline;
pub mod settings;

pub mod advice;
pub mod audit;
pub mod author;
pub mod check;
pub mod compare;
pub mod expect;
#[doc(hidden)]
pub mod fuzzing;
pub mod host;
pub mod install;
pub mod model;
pub mod nearest;
pub mod net;
pub mod plan;
pub mod probe;
pub mod render;
pub mod report;
pub mod resolve;
pub mod scope;
pub mod target;
pub mod vantage;
pub mod via;
