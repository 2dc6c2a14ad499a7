//! `portscan plugin test`.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::plugins::built;
use crate::author::rehearse::{Outcome, Rehearsal, Trial, rehearse};
use crate::exit::ExitStatus;
use crate::host::{CONTRACT, Host, HostOptions, Origin};
use crate::render;

/// Rehearses a plugin. 0 when every trial passed, 1 when one did not, 2 when none
/// could be made.
pub(super) fn run(
    plugin: &Path,
    transcripts: Option<PathBuf>,
    seed: Option<u64>,
    trouble: bool,
) -> ExitStatus {
    let seed = seed.unwrap_or_else(|| super::unpredictable_seed() % 1_000_000);
    let ended = rehearsal(plugin, transcripts, seed, trouble).and_then(|rehearsal| {
        let trials = rehearse(&rehearsal)?;
        let written = write(&mut *render::stdout(), &trials, seed);
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(format!("cannot write: {error}"))
            }
            _ => Ok(trials.iter().any(|trial| matches!(trial.outcome, Outcome::Failed(_)))),
        }
    });
    match ended {
        Ok(false) => ExitStatus::AllOpen,
        Ok(true) => ExitStatus::NotAllOpen,
        Err(error) => {
            render::talk::error(&error);
            ExitStatus::CannotRun
        }
    }
}

/// Says whether a plugin fits this portscan. 0 when it does, 1 when it does not.
pub(super) fn doctor(plugin: &Path) -> ExitStatus {
    let file = match plugin.is_dir() {
        true => built(plugin, None),
        false => Ok(plugin.to_owned()),
    };
    let read = file.and_then(|file| {
        let bytes = std::fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        Ok((file, bytes))
    });
    let (file, bytes) = match read {
        Ok(read) => read,
        Err(error) => {
            render::talk::error(&error);
            return ExitStatus::CannotRun;
        }
    };
    let loaded = Host::new(HostOptions::default()).load(&bytes, Origin::Foreign);
    let out = &mut *render::stdout();
    let written = match &loaded {
        Ok(guest) => {
            let metadata = guest.metadata();
            let (name, version) =
                (render::escape(&metadata.name), render::escape(&metadata.version));
            writeln!(
                out,
                "{name} {version} fits: it was built for {CONTRACT}, and imports nothing else"
            )
        }
        Err(error) => {
            let error_text = error.to_string();
            writeln!(
                out,
                "{} does not fit: {}\n{}",
                file.display(),
                render::escape(&error_text),
                render::escape(&error.hint())
            )
        }
    };
    match (written.and_then(|()| out.flush()), loaded) {
        (Err(error), _) if error.kind() != io::ErrorKind::BrokenPipe => {
            render::talk::error(&format!("cannot write: {error}"));
            ExitStatus::CannotRun
        }
        (_, Ok(_)) => ExitStatus::AllOpen,
        (_, Err(_)) => ExitStatus::NotAllOpen,
    }
}

fn rehearsal(
    plugin: &Path,
    transcripts: Option<PathBuf>,
    seed: u64,
    trouble: bool,
) -> Result<Rehearsal, String> {
    let (file, beside) = match plugin.is_dir() {
        true => (built(plugin, None)?, plugin.to_owned()),
        false => (plugin.to_owned(), plugin.parent().unwrap_or(Path::new("")).to_owned()),
    };
    let component = std::fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let host = HostOptions::default();
    let guest = Host::new(host.clone())
        .load(&component, Origin::Foreign)
        .map_err(|error| format!("{}: {error}", file.display()))?;
    let file = file.canonicalize().map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(Rehearsal {
        plugin: file.display().to_string(),
        name: guest.metadata().name.clone(),
        component,
        transcripts: transcripts.unwrap_or_else(|| beside.join("transcripts")),
        seed,
        trouble,
        host,
    })
}

fn write(out: &mut dyn Write, trials: &[Trial], seed: u64) -> io::Result<()> {
    let mut files: BTreeMap<&str, Vec<&Trial>> = BTreeMap::new();
    for trial in trials {
        files.entry(&trial.file).or_default().push(trial);
    }
    let (mut failed, mut unplayed) = (0, 0);
    for (file, trials) in &files {
        let file = render::escape(file);
        let wrong: Vec<(&str, &str)> = trials
            .iter()
            .filter_map(|trial| match &trial.outcome {
                Outcome::Failed(why) => Some((trial.what.as_str(), why.as_str())),
                _ => None,
            })
            .collect();
        let left = trials.iter().find_map(|trial| match trial.outcome {
            Outcome::NotPlayed(why) => Some(why),
            _ => None,
        });
        match (left, wrong.is_empty()) {
            (Some(why), _) => {
                unplayed += 1;
                writeln!(out, "-       {file}: left to the native tests, {why}")?;
            }
            (None, true) => writeln!(out, "ok      {file}: {} trials", trials.len())?,
            (None, false) => {
                for (what, why) in &wrong {
                    failed += 1;
                    writeln!(out, "FAILED  {file}: {what}: {}", render::escape(why))?;
                }
            }
        }
    }
    let (files, trials) = (files.len(), trials.len() - unplayed);
    writeln!(
        out,
        "{files} transcripts, {trials} trials, {failed} failed, {unplayed} not played here (--seed {seed})"
    )?;
    out.flush()
}
