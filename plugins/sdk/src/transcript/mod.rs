//! Written-down conversations, replayed against a plugin in a native build.
//!
//! A transcript is a TOML file: what the plugin must send, what the peer says
//! and when, and the verdict that follows. plugins/README.md describes the
//! format; the types here are it. Unknown keys are refused.
//!
//! Start reading at [`Transcript`], then [`replay_checks`] and [`replay_probes`].

mod delivery;
mod hostile;
mod pattern;
mod replay;
mod script;
mod scripted;
mod tls;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::{fs, io};

use serde::Deserialize;

use pattern::Pattern;

pub use delivery::{Delivery, flip, garbage};
pub use hostile::{survives_hostile_answers, survives_hostile_peers};
pub use replay::{replay_checks, replay_probes};
pub use script::Script;

/// One conversation and what must follow from it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Transcript {
    /// A sentence: what this conversation shows.
    pub name: String,
    /// The plugin that it was recorded with.
    #[serde(default)]
    pub plugin: Option<String>,
    /// Which half of the plugin is on trial.
    pub half: Half,
    /// Transport of the endpoint.
    pub transport: TransportName,
    /// Port of the endpoint.
    pub port: u16,
    /// The target as a user would have written it.
    #[serde(default = "default_target")]
    pub target: String,
    /// Address of the endpoint; an example's (RFC 5737 section 3) where it does
    /// not matter. Nothing is sent to it.
    #[serde(default = "default_address")]
    pub address: IpAddr,
    /// The port that the plugin's side leaves from.
    #[serde(default = "default_local_port")]
    pub local_port: u16,
    /// Seed that a probe derives its ids from.
    #[serde(default)]
    pub seed: u64,
    /// The clock during the conversation, in seconds since 1970; it stands still.
    #[serde(default)]
    pub unix_time: i64,
    /// Instead of `unix-time`: what each reading of the clock gives, in
    /// nanoseconds since 1970. The last one is given again and again.
    #[serde(default)]
    pub clock: Vec<i64>,
    /// The random bytes that the plugin gets, in order. Beyond them, and without
    /// them, they count up from 1.
    #[serde(default)]
    pub random: Option<Bytes>,
    /// Settings beside the declared defaults.
    #[serde(default)]
    pub settings: BTreeMap<String, toml::Value>,
    /// The conversation, in order.
    #[serde(default)]
    pub step: Vec<Step>,
    /// What must come of it.
    pub expect: Expect,
}

/// A half of the plugin contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Half {
    /// `check`: every `to-peer` is a call of `send`.
    Check,
    /// `udp-probe`: the n-th `to-peer` is the n-th payload, `from-peer` is judged.
    UdpProbe,
}

/// `tcp` or `udp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransportName {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// One step of a conversation.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// The plugin sends exactly this.
    ToPeer(Bytes),
    /// The peer sends this.
    FromPeer(Bytes),
    /// The plugin upgrades to TLS, and this is what the peer presents.
    Tls(Box<Tls>),
    /// The plugin says that it will send no more; written `finish = {}`.
    Finish,
    /// The plugin opens one more connection, and the conversation goes on there;
    /// written `reconnect = {}`.
    Reconnect,
    /// The peer closes its side, resets the connection, or says nothing more.
    Peer(Ending),
}

/// Bytes as people write them.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bytes {
    /// The text itself, in UTF-8, with TOML's escapes.
    Text(String),
    /// Hexadecimal pairs; see `pattern` for what else may stand among them.
    Hex(String),
}

impl Bytes {
    /// Whether `sent` is what is written here; the text says where it is not.
    pub fn compare(&self, sent: &[u8]) -> Result<(), String> {
        Pattern::parse(self)?.compare(sent)
    }

    /// The bytes, with those of `sent`, the plugin's last message, filled in.
    pub fn fill(&self, sent: &[u8]) -> Result<Vec<u8>, String> {
        Pattern::parse(self)?.fill(sent)
    }

    /// How many bytes it stands for in `to-peer`.
    pub fn count(&self) -> Result<usize, String> {
        Ok(Pattern::parse(self)?.count())
    }
}

/// How a peer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// It closes the stream in good order.
    Closes,
    /// It resets the connection.
    Resets,
    /// It says nothing more. Also what a transcript without an ending means.
    FallsSilent,
}

/// What a peer presents in a TLS handshake, or why there is none.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Tls {
    /// The handshake fails with this text; all else is void.
    pub fails: Option<String>,
    /// The name that the plugin must ask for; none means the target's own.
    pub server_name: Option<String>,
    /// The protocol chosen by ALPN.
    pub alpn: Option<String>,
    /// Subject of the leaf certificate, RFC 4514.
    pub subject: String,
    /// Its issuer.
    pub issuer: String,
    /// Its alternative names.
    pub names: Vec<String>,
    /// Seconds since 1970.
    pub not_before: i64,
    /// Seconds since 1970.
    pub not_after: i64,
    /// Version, cipher and the certificate's other facts: those of a usual
    /// session where they do not matter.
    pub version: Option<String>,
    /// The cipher suite's IANA name.
    pub cipher: Option<String>,
    /// The certificate's key, as `EC P-256`.
    pub key: Option<String>,
    /// Its serial number, hexadecimal.
    pub serial: Option<String>,
    /// How it is signed.
    pub signature_algorithm: Option<String>,
    /// Its SHA-256, hexadecimal.
    pub fingerprint: Option<String>,
    /// Why the chain is not trusted; none means that it is.
    pub untrusted: Option<String>,
    /// This machine has no roots to verify against.
    pub no_roots: bool,
}

/// What must come of a conversation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Expect {
    /// `confirmed`, `mismatch` or `inconclusive`; the last also stands for a
    /// check that ends with an error of the conversation.
    pub verdict: String,
    /// `healthy`, `degraded`, `unhealthy` or `unknown`.
    #[serde(default = "unknown")]
    pub health: String,
    /// A part of the summary.
    #[serde(default)]
    pub summary: String,
    /// Findings that must be there; others may be.
    #[serde(default)]
    pub findings: BTreeMap<String, toml::Value>,
}

fn default_address() -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))
}

/// The first of the dynamic ports (RFC 6335 section 6).
fn default_local_port() -> u16 {
    49152
}

fn default_target() -> String {
    "peer.example".to_owned()
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// Reads the transcripts in `folder`, in the order of their file names.
///
/// # Errors
/// A text that names the file and what is wrong with it.
pub fn read_folder(folder: &Path) -> Result<Vec<(String, Transcript)>, String> {
    let failed = |error: io::Error| format!("{}: {error}", folder.display());
    let mut transcripts = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            transcripts.push((path.display().to_string(), read_file(&path)?));
        }
    }
    transcripts.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(transcripts)
}

/// Reads one transcript.
///
/// # Errors
/// A text that names the file and what is wrong with it.
pub fn read_file(path: &Path) -> Result<Transcript, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}
