//! What a user sees of the program: help, messages, exit codes. The real binary,
//! with an environment of its own.

mod check;
mod config;
mod errors;
mod exit_codes;
mod formats;
mod help;
mod live;
mod reports;
mod resume;
mod run;
mod scope;
mod watch;
