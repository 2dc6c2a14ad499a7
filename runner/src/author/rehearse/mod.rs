//! A plugin's transcripts through the real host, and then with trouble: cut, split,
//! flipped, silent, flooded.
//!
//! The peer, its clock and its dice are played to the host in this process, so
//! neither a server nor a network is needed and nothing waits. Start reading at
//! [`rehearse`].

mod check;
mod player;
mod probe;
mod trouble;

use std::path::Path;

use portscan_plugin::transcript::{Expect, Half};
pub use portscan_plugin::transcript::{Transcript, read_file, read_folder};

use crate::host::HostOptions;
use crate::model::{Conclusion, FindingValue, Metadata};

/// What is on trial.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    /// The plugin as checks are told it: its name, or the component's file.
    pub plugin: String,
    /// What it says of itself.
    pub metadata: Metadata,
    /// The component's bytes.
    pub component: Vec<u8>,
    /// Its transcripts, each with its file.
    pub transcripts: Vec<(String, Transcript)>,
    /// From which flipped bits and garbage are made.
    pub seed: u64,
    /// Make trouble, beside the transcripts as they are written.
    pub trouble: bool,
    /// How the plugin is loaded.
    pub host: HostOptions,
}

/// One run of one transcript.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The transcript's file.
    pub file: String,
    /// What was done with it: `as written`, or the trouble.
    pub what: String,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a trial ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it must.
    Passed,
    /// Not as it must; the text says where. It may hold bytes of a peer or text of
    /// the plugin: escape before showing.
    Failed(String),
}

/// Runs every transcript of a plugin.
///
/// # Errors
/// A sentence: a plugin that cannot be loaded.
pub fn rehearse(rehearsal: &Rehearsal) -> Result<Vec<Trial>, String> {
    let mut trials = Vec::new();
    for (file, transcript) in &rehearsal.transcripts {
        let short =
            Path::new(file).file_name().map_or(file.clone(), |f| f.to_string_lossy().into());
        let mut trial = |what: String, outcome| {
            trials.push(Trial { file: short.clone(), what, outcome });
        };
        let played = match transcript.half {
            Half::UdpProbe => probe::trials(rehearsal, transcript)?,
            Half::Check => check::trials(rehearsal, transcript)?,
        };
        for (what, outcome) in played {
            trial(what, outcome);
        }
    }
    Ok(trials)
}

/// Whether a conclusion is the expected one; the text says where it is not.
fn compare(conclusion: &Conclusion, expect: &Expect) -> Result<(), String> {
    let (verdict, health) = (conclusion.verdict.name(), conclusion.health.name());
    if (verdict, health) != (&expect.verdict, &expect.health) {
        return Err(format!(
            "expected {} and {}, got {verdict} and {health}: {}",
            expect.verdict, expect.health, conclusion.summary
        ));
    }
    // A conversation that broke off is summed up by the host, in its own words.
    if verdict != "inconclusive" && !conclusion.summary.contains(&expect.summary) {
        return Err(format!("no '{}' in the summary: {}", expect.summary, conclusion.summary));
    }
    for (name, wanted) in &expect.findings {
        // Measured, and not the same each time.
        if name.ends_with("-ms") {
            continue;
        }
        let found = conclusion.findings.iter().find(|finding| finding.name == *name);
        if found.map(|finding| as_toml(&finding.value)).as_ref() != Some(wanted) {
            return Err(format!("finding {name}: expected {wanted}, got {found:?}"));
        }
    }
    Ok(())
}

fn as_toml(value: &FindingValue) -> toml::Value {
    match value {
        FindingValue::Boolean(value) => toml::Value::Boolean(*value),
        FindingValue::Integer(number) => toml::Value::Integer(*number),
        FindingValue::Text(text) => toml::Value::String(text.clone()),
        FindingValue::Bytes(bytes) => {
            toml::Value::String(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
        }
        FindingValue::Duration(length) => toml::Value::Integer(length.as_millis() as i64),
    }
}
