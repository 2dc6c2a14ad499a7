//! Is the verdict right? portscan as `nobody` in networks with known truth.
//!
//! Each file is one kind of network; each test builds a world, probes every
//! endpoint in it in one run, and holds state, reason and evidence against
//! what is really there. See `tests/README.md`.

#[path = "../support/mod.rs"]
mod support;

mod advice;
mod elsewhere;
mod front;
mod harness;
mod liars;
mod limits;
mod local;
mod names;
mod near;
mod path;
mod refusals;
mod routing;
mod trace;
