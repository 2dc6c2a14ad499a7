//! What a user sees of the program: help, messages, exit codes. The real binary,
//! with an environment of its own.

mod check;
mod config;
mod errors;
mod exit_codes;
mod formats;
mod help;
mod live;
mod package;
mod reports;
mod resume;
mod run;
mod scope;
#[allow(dead_code)]
#[path = "../support/skip.rs"]
mod skip;
mod watch;
