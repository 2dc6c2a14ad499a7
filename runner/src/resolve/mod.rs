//! Names to addresses, each name once, with the reason when there is none.
//!
//! A name is looked up as the C library does it: the hosts file, then the name
//! servers of `resolv.conf(5)` with its `search`, `ndots`, `timeout` and
//! `attempts`. Unlike the C library this room tells a server's failure from a
//! server's silence, and waits for one family no longer than for the other: a
//! name server that never answers for AAAA costs its timeout, never the A records.
//!
//! Out of scope: `nsswitch.conf(5)` and what hangs on it (mDNS, NIS, LDAP,
//! systemd's own `resolve`; its stub at 127.0.0.53 is a name server like any
//! other), DNSSEC validation, and names that only a VPN client's hooks know.
//!
//! Start reading at [`resolve_names`].

mod config;
mod lookup;
mod search;
#[cfg(test)]
mod tests;
mod zone;

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

pub use config::{Config, name_servers};
pub use zone::{UnknownZone, zone_index};

use crate::model::{Family, UnresolvedReason};

/// Most names that are looked up at once.
///
/// A name in flight holds two sockets, one a family, and up to three more for
/// each while the library repeats a lost query: 24 names stay below the 256
/// descriptors that some systems grant.
const MAX_NAMES_IN_FLIGHT: usize = 24;

/// The addresses of one name. At least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Each once: IPv4 in the order of the answer, then IPv6. Never IPv4-mapped.
    pub addresses: Vec<IpAddr>,
    /// A family whose question failed, so that its addresses, if there are any,
    /// are not among these. A family without addresses is no failure.
    pub failed: Option<(Family, UnresolvedReason)>,
}

/// What became of one name.
pub type Resolution = Result<Addresses, UnresolvedReason>;

/// Looks up names, each once however often it is given, many at a time.
///
/// Returns what became of each, in the order given. Blocks until all are done:
/// at worst about `timeout` times `attempts` times the number of name servers.
/// Nothing is looked up, and no runtime is made, for an empty list.
///
/// # Errors
/// Only when this machine cannot make the small runtime that waits for answers.
pub fn resolve_names(
    config: &Config,
    names: &[Arc<str>],
    family: Family,
) -> io::Result<Vec<Resolution>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let mut distinct: Vec<String> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut order = Vec::with_capacity(names.len());
    for name in names {
        // Upper and lower case are the same name: RFC 4343.
        let name = name.to_lowercase();
        order.push(*places.entry(name).or_insert_with_key(|name| {
            distinct.push(name.clone());
            distinct.len() - 1
        }));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let found = runtime.block_on(lookup::lookup_all(config, distinct, family));
    // A query in flight on the blocking pool is nobody's business any more.
    runtime.shutdown_background();
    Ok(order.into_iter().map(|place| found[place].clone()).collect())
}
