//! `portscan plugin test`.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::plugins::built;
use crate::author::rehearse::{
    Outcome, Rehearsal, Transcript, Trial, read_file, read_folder, rehearse,
};
use crate::check::{CheckOptions, Checks, PluginChoice};
use crate::exit::ExitStatus;
use crate::host::{CONTRACT, Host, HostOptions, Origin};
use crate::render;
use crate::settings::RehearsalSettings;

/// Rehearses a plugin. 0 when every trial passed, 1 when one did not, 2 when none
/// could be made.
pub(super) fn run(settings: &RehearsalSettings) -> ExitStatus {
    let seed = settings.seed.unwrap_or_else(|| super::unpredictable_seed() % 1_000_000);
    let ended = rehearsal(settings, seed).and_then(|rehearsal| {
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
    let loaded = Host::new(HostOptions::for_named()).load(&bytes, Origin::Foreign);
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

fn rehearsal(settings: &RehearsalSettings, seed: u64) -> Result<Rehearsal, String> {
    let mut transcripts: Vec<(String, Transcript)> = Vec::new();
    for file in &settings.replay {
        transcripts.push((file.display().to_string(), read_file(file)?));
    }
    let recorded = transcripts.first().and_then(|(_, transcript)| transcript.plugin.clone());
    let plugin = match (&settings.plugin, recorded) {
        (Some(plugin), _) => plugin.clone(),
        (None, Some(name)) => PathBuf::from(name),
        (None, None) => {
            return Err("the transcript does not say of which plugin it is: \
                        portscan plugin test PLUGIN --replay FILE"
                .into());
        }
    };
    let (plugin, component, beside) = component(&plugin)?;
    if settings.replay.is_empty() {
        let folder =
            settings.transcripts.clone().or(beside.map(|beside| beside.join("transcripts")));
        let folder = folder.ok_or("a built-in plugin needs --transcripts DIR or --replay FILE")?;
        transcripts = read_folder(&folder)?;
        if transcripts.is_empty() {
            return Err(format!("{}: there is no transcript", folder.display()));
        }
    }
    let host = HostOptions::for_named();
    let guest = Host::new(host.clone())
        .load(&component, Origin::Foreign)
        .map_err(|error| format!("{plugin}: {error}"))?;
    Ok(Rehearsal {
        plugin,
        metadata: guest.metadata().clone(),
        component,
        transcripts,
        seed,
        trouble: settings.trouble && settings.replay.is_empty(),
        host,
    })
}

/// What checks know the plugin by, its bytes, and the folder that it lies in.
fn component(plugin: &Path) -> Result<(String, Vec<u8>, Option<PathBuf>), String> {
    let name = plugin.to_string_lossy();
    if !plugin.exists() && !name.contains('/') && !name.ends_with(".wasm") {
        let choice = PluginChoice::Named(vec![name.to_string()]);
        let checks = Checks::new(CheckOptions { choice, ..CheckOptions::default() })
            .map_err(|error| format!("{error}\n{}", error.hint()))?;
        let found = checks.catalog().get(&name).ok_or_else(|| format!("no plugin {name}"))?;
        let bytes = found.source.read().map_err(|error| error.to_string())?;
        let beside = found.source.path().and_then(Path::parent).map(Path::to_owned);
        return Ok((name.into_owned(), bytes.into_owned(), beside));
    }
    let (file, beside) = match plugin.is_dir() {
        true => (built(plugin, None)?, plugin.to_owned()),
        false => (plugin.to_owned(), plugin.parent().unwrap_or(Path::new("")).to_owned()),
    };
    let failed = |error: io::Error| format!("{}: {error}", file.display());
    let bytes = std::fs::read(&file).map_err(failed)?;
    let path = file.canonicalize().map_err(failed)?;
    Ok((path.display().to_string(), bytes, Some(beside)))
}

fn write(out: &mut dyn Write, trials: &[Trial], seed: u64) -> io::Result<()> {
    let mut files: BTreeMap<&str, Vec<&Trial>> = BTreeMap::new();
    for trial in trials {
        files.entry(&trial.file).or_default().push(trial);
    }
    let mut failed = 0;
    for (file, trials) in &files {
        let file = render::escape(file);
        let wrong = trials.iter().filter_map(|trial| match &trial.outcome {
            Outcome::Failed(why) => Some((trial.what.as_str(), why.as_str())),
            Outcome::Passed => None,
        });
        let before = failed;
        for (what, why) in wrong {
            failed += 1;
            writeln!(out, "FAILED  {file}: {what}: {}", render::escape(why))?;
        }
        if failed == before {
            writeln!(out, "ok      {file}: {} trials", trials.len())?;
        }
    }
    let (files, trials) = (files.len(), trials.len());
    writeln!(out, "{files} transcripts, {trials} trials, {failed} failed (--seed {seed})")?;
    out.flush()
}
