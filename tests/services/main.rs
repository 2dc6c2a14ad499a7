//! portscan and its plugins against real servers, and against peers that are
//! none.
//!
//! Every test starts its own server from a Debian package (`servers/`), runs
//! the real binary against it (`checked.rs`) and asks for the verdict that the
//! server's mood calls for. The servers listen on loopback addresses of their
//! own, run as an ordinary user and end with the test.

mod checked;
mod harness;
// Servers for tests to come; and a harness that other tests share.
#[allow(dead_code)]
mod servers;
#[path = "../support/mod.rs"]
#[allow(unused_imports)]
mod support;

mod dns;
mod hostile;
mod http;
mod ntp;
mod odd;
mod postgres;
mod redis;
mod ssh;
mod udp;
