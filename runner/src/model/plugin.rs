use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Transport;

/// The value of a setting, already checked against its [`SettingSpec`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SettingValue {
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// True or false.
    Boolean(bool),
    /// A length of time, in milliseconds on the wire to the guest.
    Duration(Duration),
    /// Several texts.
    TextList(Vec<String>),
}

/// One setting as it is handed to a guest.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// The name without the plugin's prefix.
    pub name: String,
    /// The value.
    pub value: SettingValue,
}

/// The type of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SettingKind {
    /// Text.
    Text,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A length of time: `250ms`, `3s`.
    Duration,
    /// Texts separated by commas.
    TextList,
}

/// A setting that a plugin declares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingSpec {
    /// kebab-case.
    pub name: String,
    /// Its type.
    pub kind: SettingKind,
    /// Whether the plugin cannot work without it.
    pub required: bool,
    /// The value that is used when none is given, as it would be typed.
    pub default: Option<String>,
    /// Never shown, never logged, taken from the environment or a file only.
    pub secret: bool,
    /// One line for help.
    pub help: String,
}

/// A port at which a plugin is used when the user names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DefaultPort {
    /// The port.
    pub port: u16,
    /// Its transport.
    pub transport: Transport,
}

/// How much more the service may send back than it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Amplification {
    /// The answer is about as large as the question.
    None,
    /// Up to ten times as large.
    Small,
    /// More than ten times.
    Large,
}

/// What the check leaves behind at the service, worst case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SideEffect {
    /// Nothing.
    None,
    /// A line in a log.
    LogLine,
    /// A record, a session, a lock: the service's state changes.
    State,
    /// May disturb hardware.
    Hardware,
}

/// What no answer means for the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Silence {
    /// A healthy service answers a stranger.
    Unexpected,
    /// No answer is normal, for this reason.
    Normal(String),
}

/// From where answers to a datagram may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReplyFrom {
    /// From the port asked.
    SamePort,
    /// From any port of the address asked (TFTP, SSDP).
    AnyPort,
}

/// What a plugin sends, at most, to one endpoint. The host enforces it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sends {
    /// In words, for the reader of the receipt.
    pub what: String,
    /// Bytes of the largest datagram, or of all that goes into one stream.
    pub largest: u32,
    /// Datagrams, or send calls, of one check.
    pub packets: u32,
    /// Connections of one check, the first included.
    pub connections: u32,
    /// How much may come back.
    pub amplification: Amplification,
}

/// What a plugin says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// kebab-case, unique within a run.
    pub name: String,
    /// The plugin's own version.
    pub version: String,
    /// One line.
    pub description: String,
    /// Ports at which it is used by itself.
    pub ports: Vec<DefaultPort>,
    /// Settings it understands.
    pub settings: Vec<SettingSpec>,
    /// What it sends.
    pub sends: Sends,
    /// What it leaves behind.
    pub side_effect: SideEffect,
    /// What silence means.
    pub silence: Silence,
    /// From where answers may come.
    pub reply_from: ReplyFrom,
}

/// A datagram that makes a service answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// A short name for logs.
    pub label: String,
}
