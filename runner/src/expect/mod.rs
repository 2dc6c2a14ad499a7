//! What ought to be, written in a file, and what of it is so.
//!
//! ```text
//! files ─source→ nodes with places ─read→ Plan ─(one scan)→ Report ─compare→ Check
//!                                    a Report ─init→ the text of such a file
//! ```
//!
//! Pure: files are read through a function that is handed in, and nothing is
//! sent. docs/EXPECTATIONS.md is the manual; start reading at [`read()`], then
//! [`compare()`].

mod compare;
mod complaint;
mod condition;
mod document;
mod init;
mod keys;
mod plan;
mod port;
mod read;
mod source;
#[cfg(test)]
mod tests;
mod words;

pub use compare::{Resolved, compare};
pub use complaint::{Complaints, Place};
pub use condition::{Condition, Limit, Operator};
pub use document::{CHECK_SCHEMA, Case, Check, Counts, Difference, Status};
pub use init::{Written, init};
pub use plan::{Addresses, Plan, Planned, PlannedPort};
pub use port::{By, Expectation, Expected};
pub use read::{Known, read};
