//! Reports held against each other: what changed since, what the rounds of a watch
//! were like, and what differs by the place they were taken from.
//!
//! Pure functions over documents that were read back ([`crate::report::Report`]).
//! Nothing here judges a port again. Start reading at [`changes()`].

mod changes;
mod history;
mod matrix;
#[cfg(test)]
mod sample;

pub use changes::{Change, What, changes};
pub use history::{Beat, Dated, History, Track};
pub use matrix::{Cell, Line, Matrix, matrix};

use crate::model::Transport;
use crate::report::EndpointRow;

/// What makes two rows of different reports rows of the same endpoint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Key {
    /// The target as the user wrote it.
    pub target: String,
    /// The address; empty for a name without one.
    pub address: String,
    /// The port.
    pub port: u16,
    /// Its transport.
    pub transport: Transport,
}

impl Key {
    /// That of a name, which has neither address nor port.
    fn of_name(target: &str) -> Key {
        let transport = Transport::Tcp;
        Key { target: target.to_owned(), address: String::new(), port: 0, transport }
    }

    /// That of a row.
    pub fn of(row: &EndpointRow<'_>) -> Key {
        Key {
            target: row.target.to_string(),
            address: row.address.clone(),
            port: row.port,
            transport: row.transport,
        }
    }
}

/// A row's state with what makes it so, in nmap's words: `filtered
/// (admin-prohibited from 10.0.0.1)`.
fn state_in_words(row: &EndpointRow<'_>) -> String {
    let from = row.evidence.from.as_deref().filter(|from| *from != row.address);
    match from {
        Some(from) => format!("{} ({} from {from})", row.state, row.reason),
        None => format!("{} ({})", row.state, row.reason),
    }
}
