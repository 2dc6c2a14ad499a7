//! What integration tests share: a network of the test's own, servers and
//! liars in it, and portscan run in it as an ordinary user.
//!
//! Start reading at [`world::World`] (the network) and [`trial::Trial`] (what
//! is expected of portscan in it); `tests/README.md` has a worked example.
//!
//! Every test binary compiles this module for itself and uses a part of it.
#![allow(dead_code, reason = "each test binary uses its own part of the harness")]

pub mod dns;
pub mod expectation;
pub mod forge;
pub mod namespace;
pub mod packet;
pub mod portscan;
pub mod services;
pub mod skip;
pub mod system;
pub mod trial;
pub mod wire;
pub mod witness;
pub mod world;
