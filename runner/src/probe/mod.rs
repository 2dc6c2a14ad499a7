//! Evidence to state and reason.
//!
//! Two tables hold the domain knowledge: [`judge`] weighs what came back, and
//! [`errno`] says what an error number of the operating system means when no
//! ICMP error stands behind it. Both are pure.
//!
//! Not here: sending (`net`), when to send again (`plan`).

pub mod errno;
mod judge;
mod silent;
mod summary;

pub use judge::{Judgement, Question, judge};
pub use silent::silent_service;
pub use summary::{Measured, summarize};
