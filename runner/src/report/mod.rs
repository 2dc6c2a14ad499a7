//! The result as a document with a stable schema.
//!
//! `portscan/report/1`: names are a contract, to be added to and never
//! renamed; docs/schema/report-1.schema.json describes them. Absent facts are
//! null, not guessed.
//!
//! Not here: colour, columns, streams (`render`).

mod notes;
mod read;
mod rounds;
mod row;

pub use notes::sentence;
pub use read::{ReadError, Report};
pub use rounds::{RoundsRow, RttRow, StateShareRow};
pub use row::{
    CheckRow, EndpointRow, EvidenceRow, FaultRow, FindingRow, IcmpRow, address_text, errno_name,
    finding_value,
};

use serde::{Deserialize, Serialize};

use crate::model::{Unresolved, UnresolvedReason};
use crate::vantage::Vantage;

/// The schema's name.
pub const SCHEMA: &str = "portscan/report/1";

/// What is known before the first endpoint.
#[derive(Clone, Debug)]
pub struct Header {
    /// When the run started.
    pub started: jiff::Timestamp,
    /// From where it looked.
    pub vantage: Vantage,
}

/// What is known after the last endpoint.
#[derive(Clone, Debug)]
pub struct Footer {
    /// When the run ended.
    pub finished: jiff::Timestamp,
    /// Names without an address.
    pub unresolved: Vec<Unresolved>,
    /// What the addresses of a name say together.
    pub conclusions: Vec<NameConclusion>,
    /// The run was interrupted.
    pub interrupted: bool,
}

/// One sentence about a name with several addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameConclusion {
    /// The name as the user wrote it.
    pub target: String,
    /// The sentence.
    pub text: String,
}

/// The head of a document.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HeadRow {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of portscan.
    pub portscan: String,
    /// RFC 3339.
    pub started: String,
    /// From where.
    pub vantage: VantageRow,
}

/// The vantage point in a document.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VantageRow {
    /// What the user calls the place.
    #[serde(default)]
    pub name: Option<String>,
    /// The machine's name.
    pub hostname: String,
    /// The user.
    pub user: String,
    /// Whether raw packets would have been allowed.
    pub privileged: bool,
    /// Addresses of the machine.
    pub source_addresses: Vec<String>,
    /// The interfaces that hold them: a name for each, in the same order.
    #[serde(default)]
    pub interfaces: Vec<String>,
    /// First routers on the ways out of it.
    #[serde(default)]
    pub gateways: Vec<String>,
    /// The name servers as they are configured, in the order in which they are asked;
    /// with its port where that is not 53.
    #[serde(default)]
    pub name_servers: Vec<String>,
}

impl VantageRow {
    /// What to call the place: the user's name for it, or the machine's.
    pub fn shown_name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.hostname)
    }

    /// The addresses, each with its interface where that is known.
    fn places(&self) -> Vec<String> {
        let interfaces = self.interfaces.iter().map(Some).chain(std::iter::repeat(None));
        let place = |(address, interface): (&String, Option<&String>)| match interface {
            Some(interface) => format!("{address} on {interface}"),
            None => address.clone(),
        };
        self.source_addresses.iter().zip(interfaces).map(place).collect()
    }

    /// The vantage point in words: `office (10.0.0.5 on eth0), as me, names asked of
    /// 10.0.0.1`. From outside: escape before showing.
    pub fn in_words(&self) -> String {
        let mut text = self.shown_name().to_owned();
        if !self.source_addresses.is_empty() {
            text += &format!(" ({})", self.places().join(", "));
        }
        text += &format!(", as {}", self.user);
        if !self.name_servers.is_empty() {
            text += &format!(", names asked of {}", self.name_servers.join(", "));
        }
        text
    }
}

/// A name server as `resolv.conf(5)` has it: the port is told where it is odd.
fn server_text(server: &std::net::SocketAddr) -> String {
    match server.port() {
        53 => server.ip().to_string(),
        _ => server.to_string(),
    }
}

/// A name without an address.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UnresolvedRow {
    /// The target as the user wrote it.
    pub target: String,
    /// Why.
    pub reason: UnresolvedReason,
}

/// The end of a document.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TailRow {
    /// RFC 3339.
    pub finished: String,
    /// Names without an address.
    pub unresolved: Vec<UnresolvedRow>,
    /// What the addresses of a name say together.
    #[serde(default)]
    pub conclusions: Vec<NameConclusion>,
    /// The run was interrupted.
    #[serde(default)]
    pub interrupted: bool,
}

impl From<&Header> for HeadRow {
    fn from(header: &Header) -> HeadRow {
        let vantage = &header.vantage;
        HeadRow {
            schema: SCHEMA.into(),
            portscan: env!("CARGO_PKG_VERSION").into(),
            started: header.started.to_string(),
            vantage: VantageRow {
                name: vantage.name.clone(),
                hostname: vantage.hostname.clone(),
                user: vantage.user.clone(),
                privileged: vantage.privileged,
                source_addresses: vantage.source_addresses.iter().map(|a| a.to_string()).collect(),
                interfaces: vantage.interfaces.clone(),
                gateways: vantage.gateways().map(|a| a.to_string()).collect(),
                name_servers: vantage.name_servers.iter().map(server_text).collect(),
            },
        }
    }
}

impl From<&Footer> for TailRow {
    fn from(footer: &Footer) -> TailRow {
        let row = |u: &Unresolved| UnresolvedRow { target: u.target.to_string(), reason: u.reason };
        TailRow {
            finished: footer.finished.to_string(),
            unresolved: footer.unresolved.iter().map(row).collect(),
            conclusions: footer.conclusions.clone(),
            interrupted: footer.interrupted,
        }
    }
}
