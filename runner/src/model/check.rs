use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Whether the service behind the port is the plugin's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It speaks the plugin's protocol and answered our question.
    Confirmed,
    /// It answered, and it speaks something else.
    Mismatch,
    /// Not enough came back to tell.
    Inconclusive,
    /// The check was not made: no answer to look at, or the plugin broke a rule.
    NotChecked,
}

impl Verdict {
    /// The printed name, which is also the JSON value.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Confirmed => "confirmed",
            Verdict::Mismatch => "mismatch",
            Verdict::Inconclusive => "inconclusive",
            Verdict::NotChecked => "not-checked",
        }
    }
}

/// Whether the service can do its work, as far as the plugin could see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// It answers as it should.
    Healthy,
    /// It works with a flaw worth knowing (a certificate about to expire).
    Degraded,
    /// It answers that it cannot serve.
    Unhealthy,
    /// The plugin could not tell.
    Unknown,
}

impl Health {
    /// The printed name, which is also the JSON value.
    pub fn name(self) -> &'static str {
        match self {
            Health::Healthy => "healthy",
            Health::Degraded => "degraded",
            Health::Unhealthy => "unhealthy",
            Health::Unknown => "unknown",
        }
    }
}

/// The value of a finding. Text and bytes come from outside: escape before showing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FindingValue {
    /// True or false.
    Boolean(bool),
    /// A number.
    Integer(i64),
    /// Text, unescaped.
    Text(String),
    /// Raw bytes; shown in hexadecimal.
    #[serde(skip)]
    Bytes(Vec<u8>),
    /// A length of time.
    #[serde(skip)]
    Duration(Duration),
}

/// One named fact that a plugin found, for example `dns.recursion = true`.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Lower case, dotted: `tls.days-left`.
    pub name: String,
    /// The value.
    pub value: FindingValue,
}

/// What a plugin says of one endpoint. Never changes the port's state.
#[derive(Clone, Debug, PartialEq)]
pub struct Conclusion {
    /// Is it this protocol.
    pub verdict: Verdict,
    /// Can it serve.
    pub health: Health,
    /// One line for a person. Unescaped.
    pub summary: String,
    /// Named facts.
    pub findings: Vec<Finding>,
}

/// A guest broke the rules or its budget; neither evidence nor our error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Stable kebab-case name: `trap`, `cpu-budget`, `deadline`, `memory`, ...
    pub kind: &'static str,
    /// What happened, in one sentence, unescaped.
    pub text: String,
    /// What the user can do about it.
    pub hint: String,
}

/// The check part of a row.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckResult {
    /// The plugin's name.
    pub plugin: String,
    /// The plugin's version.
    pub version: String,
    /// What it concluded; `NotChecked` with `fault` when it could not.
    pub conclusion: Conclusion,
    /// Why there is no conclusion.
    pub fault: Option<Fault>,
    /// How long the check took.
    pub duration: Duration,
    /// Lines that the plugin wrote for `--explain`. Unescaped.
    pub log: Vec<String>,
}
