//! Guests that obey and guests that do not: every limit of the sandbox, once
//! kept and once broken.
//!
//! Each guest is written where it is used, as the text of one function
//! ([`plugin`] supplies the obedient rest). Faults are compared by their stable
//! kind; sentences are for people and may change.

mod calls;
mod checks;
mod frozen;
mod hostile;
mod hostile_cases;
mod loading;
mod output;
mod plugin;
mod stage;
#[allow(unused_imports)]
#[path = "../support/mod.rs"]
mod support;
mod world;
