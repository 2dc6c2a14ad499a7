//! What the user wants done.

use std::path::PathBuf;

use super::config::Sourced;
use super::{
    BaselineCommand, CheckSettings, Lang, ProbeSettings, RehearsalSettings, ReportFormat,
    TraceSettings, WatchSettings,
};
use crate::audit::Head;

/// What the user wants done.
#[derive(Debug)]
pub enum Command {
    /// Probe and check.
    Probe(Box<ProbeSettings>),
    /// Probe again and again.
    Watch(Box<WatchSettings>),
    /// Hold what is there against a file.
    Check(Box<CheckSettings>),
    /// Find where packets die.
    Trace(Box<TraceSettings>),
    /// Show the plugins that are there.
    PluginList {
        /// Folders to look in.
        dirs: Vec<PathBuf>,
    },
    /// Show one plugin.
    PluginShow {
        /// Its name or file.
        plugin: String,
        /// Folders to look in.
        dirs: Vec<PathBuf>,
    },
    /// Begin a plugin.
    PluginNew {
        /// Its name.
        name: String,
        /// What it is written in.
        lang: Lang,
    },
    /// Rehearse a plugin.
    PluginTest(RehearsalSettings),
    /// Show what options are set to.
    ConfigShow {
        /// Each option that a file can set, with its value.
        options: Vec<(String, Option<Sourced>)>,
    },
    /// Look through an audit log.
    AuditVerify {
        /// The log.
        log: PathBuf,
        /// The last entry that is known.
        head: Option<Head>,
    },
    /// The last entry of an audit log.
    AuditHead {
        /// The log.
        log: PathBuf,
    },
    /// Install a plugin.
    PluginAdd {
        /// Where it comes from.
        source: String,
    },
    /// Remove an installed plugin.
    PluginRemove {
        /// Its name.
        name: String,
    },
    /// Fetch installed plugins again.
    PluginUpdate {
        /// Which; none is all.
        names: Vec<String>,
    },
    /// Push a component.
    PluginPublish {
        /// The component.
        file: PathBuf,
        /// The registry's place.
        place: String,
    },
    /// Say whether a plugin fits.
    PluginDoctor {
        /// A component or a crate's folder.
        plugin: PathBuf,
    },
    /// Build a plugin.
    PluginBuild {
        /// The crate's folder.
        dir: PathBuf,
        /// Where the component goes.
        output: Option<PathBuf>,
    },
    /// Explain a state or a reason.
    Explain {
        /// The term.
        term: String,
    },
    /// Show what changed from one report to another.
    Diff {
        /// The earlier report.
        before: PathBuf,
        /// The later report.
        after: PathBuf,
        /// Output format.
        format: ReportFormat,
    },
    /// Put reports side by side.
    Compare {
        /// The reports.
        reports: Vec<PathBuf>,
        /// Output format.
        format: ReportFormat,
    },
    /// Keep a report, or hold one against a kept one.
    Baseline(BaselineCommand),
    /// Write manual pages.
    Man {
        /// Where.
        dir: PathBuf,
    },
    /// Write a shell's completions.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Compile a component for a parent process of ours.
    Compile,
}
