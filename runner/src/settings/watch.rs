//! `portscan watch`, made sense of.

use std::path::PathBuf;
use std::time::Duration;

use super::{Format, ProbeSettings, SettingsError, Until, probe, probe_of, value};
use crate::cli::WatchArgs;

/// Everything about watching.
#[derive(Debug)]
pub struct WatchSettings {
    /// What to probe each time.
    pub probe: ProbeSettings,
    /// From the beginning of one round to that of the next.
    pub every: Duration,
    /// What is waited for.
    pub until: Option<Until>,
    /// When to give up.
    pub within: Option<Duration>,
    /// What to run at every change.
    pub on_change: Option<String>,
    /// What is expected; the probe's targets come from it.
    pub file: Option<PathBuf>,
    /// Lines, also on a terminal.
    pub plain: bool,
}

pub(super) fn watch(args: WatchArgs) -> Result<WatchSettings, SettingsError> {
    let within = args.within.as_ref().map(|t| value::duration("--within", t)).transpose()?;
    if within.is_some() && args.until.is_none() {
        return Err(SettingsError::Alone { option: "--within", with: "--until" });
    }
    if args.probe.resume.is_some() {
        return Err(SettingsError::Alone { option: "--resume", with: "one probe, not watch" });
    }
    if !args.probe.via.is_empty() {
        return Err(SettingsError::Alone { option: "--via", with: "one probe, not watch" });
    }
    if args.probe.format != Format::Table || !args.probe.output.is_empty() {
        let option = if args.probe.output.is_empty() { "--format" } else { "--output" };
        return Err(SettingsError::Alone { option, with: "one probe, not watch" });
    }
    let probe = match &args.check {
        None if args.until == Some(Until::Met) => {
            return Err(SettingsError::Alone { option: "--until met", with: "--check FILE" });
        }
        None => probe(args.probe)?,
        Some(_) if args.probe.words.is_empty() && args.probe.targets.is_empty() => {
            probe_of(args.probe, Vec::new())?
        }
        Some(_) => return Err(SettingsError::TwoSources),
    };
    let every = probe.every;
    Ok(WatchSettings {
        probe: ProbeSettings { quiet: true, ..probe },
        every,
        until: args.until,
        within,
        on_change: args.on_change,
        file: args.check,
        plain: args.no_live,
    })
}
