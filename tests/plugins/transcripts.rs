//! Every transcript again, this time through the prebuilt component and the real
//! host; as written, and with trouble.
//!
//! The natively replayed transcripts (each plugin's own tests) prove the
//! judging; these prove that the component in the repository judges likewise,
//! and that no answer makes it trap, break a cap or recognise garbage.

use std::path::PathBuf;

use portscan::author::rehearse::{Outcome, Rehearsal, Trial, read_folder, rehearse};

use crate::host::{describe, options};
use crate::lock::top;

/// Flipped bits and garbage are the same in every run of the tests.
const SEED: u64 = 20_260_101;

fn rehearsal(component: &str, transcripts: &str) -> Rehearsal {
    let file = top().join("plugins/prebuilt").join(component);
    let component = std::fs::read(&file).expect("a prebuilt component can be read");
    Rehearsal {
        plugin: file.display().to_string(),
        metadata: describe(&component).expect("it says who it is"),
        component,
        transcripts: read_folder(&top().join(transcripts)).expect("they can be read"),
        seed: SEED,
        trouble: true,
        host: options(),
    }
}

fn failures(trials: &[Trial]) -> Vec<String> {
    trials
        .iter()
        .filter_map(|trial| match &trial.outcome {
            Outcome::Failed(why) => Some(format!("{}: {}: {why}", trial.file, trial.what)),
            Outcome::Passed => None,
        })
        .collect()
}

/// Every built-in plugin's folder.
fn plugins() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(top().join("plugins")).expect("plugins can be listed");
    let mut folders: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry can be read").path())
        .filter(|path| path.join("Cargo.toml").is_file() && !path.ends_with("sdk"))
        .collect();
    folders.sort();
    folders
}

#[test]
fn every_plugin_passes_its_rehearsal() {
    let plugins = plugins();
    assert!(plugins.len() >= 20);
    let (mut wrong, mut played) = (Vec::new(), 0);
    for folder in plugins {
        let name = folder.file_name().expect("it has a name").to_string_lossy().into_owned();
        let rehearsal = rehearsal(&format!("{name}.wasm"), &format!("plugins/{name}/transcripts"));
        let trials = rehearse(&rehearsal).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert!(trials.iter().any(|t| t.outcome == Outcome::Passed), "{name}: nothing was played");
        played += trials.iter().filter(|t| t.outcome == Outcome::Passed).count();
        wrong.extend(failures(&trials).iter().map(|text| format!("{name}: {text}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(played > 10_000, "{played} trials only");
}

#[test]
fn a_rehearsal_catches_a_plugin_that_is_another() {
    // The smallest example takes whatever speaks first in a line for its own.
    let trials = rehearse(&rehearsal("examples/hello.wasm", "plugins/ssh/transcripts"));
    let wrong = failures(&trials.expect("the transcripts can be read"));
    assert!(wrong.iter().any(|text| text.contains("as written")), "{wrong:#?}");
}
