//! What was typed, made sense of: validated, merged, ready for the pipeline.
//!
//! Reads target files and secrets, and nothing else. Start reading at
//! [`from_args`].

mod command;
pub mod config;
mod placed;
mod read;
mod trace;
mod value;
mod watch;
mod words;

pub use read::SettingsError;
pub use trace::TraceSettings;
pub use watch::WatchSettings;

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::cli::{
    AuditCommand, CheckArgs, Cli, Command as Typed, ConfigCommand, PluginCommand, ProbeArgs,
};
pub use crate::cli::{BaselineArgs, BaselineCommand, Color, Format, Lang, ReportFormat, Until};
use crate::model::{Family, SideEffect, Transport};
use crate::nearest::nearest;
use crate::scope::Guard;
use crate::target::{Host, TargetError, TargetSpec, parse_words};
use crate::via::Place;
pub use command::Command;

/// Which plugins may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PluginChoice {
    /// Those whose default port it is.
    Default,
    /// None.
    Nothing,
    /// These, whatever the port.
    Named(Vec<String>),
}

/// A secret. Its text is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

/// Everything about plugins.
#[derive(Clone, Debug)]
pub struct PluginSettings {
    /// Which may run.
    pub choice: PluginChoice,
    /// Folders to look in besides the user's own.
    pub dirs: Vec<PathBuf>,
    /// Plugin, name, value as typed.
    pub settings: Vec<(String, String, String)>,
    /// Plugin, name, value.
    pub secrets: Vec<(String, String, Secret)>,
    /// Ports of the never-send list that plugins may send to.
    pub send_to: Vec<(u16, Transport)>,
    /// Where to keep transcripts.
    pub record: Option<PathBuf>,
    /// Side effects that are fine without being asked for.
    pub allow: Vec<SideEffect>,
}

/// Everything about a probe.
#[derive(Clone, Debug)]
pub struct ProbeSettings {
    /// What to probe; never empty, every target with ports.
    pub targets: Vec<TargetSpec>,
    /// Which addresses of a name count.
    pub family: Family,
    /// Only the first of them.
    pub first_address: bool,
    /// Longest silence.
    pub timeout: Option<Duration>,
    /// Attempts at silent endpoints.
    pub attempts: Option<u8>,
    /// Sockets in use at once.
    pub max_in_flight: Option<usize>,
    /// Packets a second; none for no limit.
    pub rate: Option<f64>,
    /// End of the whole run.
    pub deadline: Option<Duration>,
    /// Source address.
    pub source: Option<IpAddr>,
    /// Interface.
    pub interface: Option<String>,
    /// Prove every closed UDP port.
    pub prove: bool,
    /// Send control probes.
    pub controls: bool,
    /// Trace what is filtered.
    pub trace: bool,
    /// Rounds.
    pub count: u32,
    /// Time between rounds.
    pub every: Duration,
    /// Everything about plugins.
    pub plugins: PluginSettings,
    /// Output format.
    pub format: Format,
    /// Further formats, each with its file.
    pub outputs: Vec<(Format, PathBuf)>,
    /// Colours.
    pub color: Color,
    /// What the user calls this place.
    pub vantage: Option<String>,
    /// Where to probe from, when it is not from here alone.
    pub via: Vec<Place>,
    /// What may be probed at all.
    pub guard: Guard,
    /// Rows of an earlier run, which this one goes on with.
    pub resume: Option<PathBuf>,
    /// Where to write down what is done.
    pub audit: Option<PathBuf>,
    /// Why it is done.
    pub reason: Option<String>,
    /// Give advice.
    pub advice: bool,
    /// Show all evidence.
    pub explain: bool,
    /// No progress line.
    pub quiet: bool,
}

/// What `plugin test` runs.
#[derive(Debug)]
pub struct RehearsalSettings {
    /// A plugin's folder, component or name; none is the one that was recorded.
    pub plugin: Option<PathBuf>,
    /// The folder of its transcripts.
    pub transcripts: Option<PathBuf>,
    /// Only these transcripts, as written.
    pub replay: Vec<PathBuf>,
    /// For trouble.
    pub seed: Option<u64>,
    /// Make trouble.
    pub trouble: bool,
}

/// Whether a text means anything to each of the options that take one; for the
/// fuzzer.
pub(crate) fn parse_all(text: &str) -> [bool; 6] {
    [
        value::duration("--timeout", text).is_ok(),
        value::rate(text).is_ok(),
        value::output(text).is_ok(),
        value::setting(text).is_ok(),
        value::side_effect(text).is_ok(),
        value::send_to(text).is_ok(),
    ]
}

/// Everything about a check.
#[derive(Debug)]
pub struct CheckSettings {
    /// How to probe; its targets come from the file.
    pub probe: ProbeSettings,
    /// What is expected; none to write such a file of the probe's targets.
    pub file: Option<PathBuf>,
    /// Show what is as expected, too.
    pub all: bool,
}

/// Reads the command line.
///
/// # Errors
/// Clap's own (with their exit code: 0 for `--help`), or what cannot be made
/// sense of.
pub fn from_args(args: impl Iterator<Item = OsString>) -> Result<Command, SettingsError> {
    let config::Completed { words, sources } = config::completed(args.collect())?;
    let typed = words::parse(&words).map_err(SettingsError::from);
    typed.and_then(command).map_err(|error| placed::placed(&sources, error))
}

/// Makes sense of what was typed.
fn command(typed: Cli) -> Result<Command, SettingsError> {
    match typed.command {
        None => {
            let first = typed.probe.words.first().cloned();
            let probe = once(typed.probe).map_err(|error| meant_command(first, error));
            probe.map(|p| Command::Probe(Box::new(p)))
        }
        Some(Typed::Probe(args)) => once(*args).map(|p| Command::Probe(Box::new(p))),
        Some(Typed::Watch(args)) => watch::watch(*args).map(|w| Command::Watch(Box::new(w))),
        Some(Typed::Check(args)) => check(*args).map(|c| Command::Check(Box::new(c))),
        Some(Typed::Trace(args)) => trace::trace(*args).map(|t| Command::Trace(Box::new(t))),
        Some(Typed::Plugin(PluginCommand::List { plugin_dir })) => {
            Ok(Command::PluginList { dirs: read::folders(plugin_dir)? })
        }
        Some(Typed::Plugin(PluginCommand::Show { plugin, plugin_dir })) => {
            Ok(Command::PluginShow { plugin, dirs: read::folders(plugin_dir)? })
        }
        Some(Typed::Plugin(PluginCommand::Doctor { plugin })) => {
            Ok(Command::PluginDoctor { plugin })
        }
        Some(Typed::Plugin(PluginCommand::New { name, lang })) => {
            Ok(Command::PluginNew { name, lang })
        }
        Some(Typed::Plugin(PluginCommand::Test {
            plugin,
            transcripts,
            replay,
            seed,
            no_trouble,
        })) => Ok(Command::PluginTest(RehearsalSettings {
            plugin,
            transcripts,
            replay,
            seed,
            trouble: !no_trouble,
        })),
        Some(Typed::Plugin(PluginCommand::Add { source })) => Ok(Command::PluginAdd { source }),
        Some(Typed::Plugin(PluginCommand::Remove { name })) => Ok(Command::PluginRemove { name }),
        Some(Typed::Plugin(PluginCommand::Update { names })) => Ok(Command::PluginUpdate { names }),
        Some(Typed::Plugin(PluginCommand::Publish { file, place })) => {
            Ok(Command::PluginPublish { file, place })
        }
        Some(Typed::Plugin(PluginCommand::Build { dir, output })) => {
            Ok(Command::PluginBuild { dir, output })
        }
        Some(Typed::Audit(AuditCommand::Verify { log, head })) => {
            let head = head.as_deref().map(value::head).transpose()?;
            Ok(Command::AuditVerify { log, head })
        }
        Some(Typed::Audit(AuditCommand::Head { log })) => Ok(Command::AuditHead { log }),
        Some(Typed::Config(ConfigCommand::Show { profile })) => {
            Ok(Command::ConfigShow { options: config::shown(profile.as_deref())? })
        }
        Some(Typed::Explain { term }) => Ok(Command::Explain { term }),
        Some(Typed::Diff { before, after, format }) => {
            read_once([&before, &after], "one of the reports")?;
            Ok(Command::Diff { before, after, format })
        }
        Some(Typed::Compare { reports, format }) => {
            read_once(&reports, "all reports but one")?;
            Ok(Command::Compare { reports, format })
        }
        Some(Typed::Baseline(command)) => Ok(Command::Baseline(command)),
        Some(Typed::Man { dir }) => Ok(Command::Man { dir }),
        Some(Typed::Completions { shell }) => Ok(Command::Completions { shell }),
        Some(Typed::Compile) => Ok(Command::Compile),
    }
}

/// A host without ports that is nearly the name of a command was meant as that.
fn meant_command(word: Option<String>, error: SettingsError) -> SettingsError {
    let (Some(word), SettingsError::Target(TargetError::NoPorts { text, .. })) = (word, &error)
    else {
        return error;
    };
    let known = definitions();
    let near = nearest(&word, known.get_subcommands().map(clap::Command::get_name));
    match near.filter(|_| *text == word) {
        Some(near) => SettingsError::NoCommand { word, near: near.to_owned() },
        None => error,
    }
}

/// Holds a list of files to naming standard input once: the second reader would find
/// it empty.
fn read_once<'a>(
    files: impl IntoIterator<Item = &'a PathBuf>,
    what: &'static str,
) -> Result<(), SettingsError> {
    match files.into_iter().filter(|file| file.as_os_str() == "-").count() {
        0 | 1 => Ok(()),
        _ => Err(SettingsError::StandardInput { what }),
    }
}

/// Every command and option, for completions.
pub fn definitions() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

/// Time between two rounds when nobody asks for another.
const EVERY: Duration = Duration::from_secs(1);

fn once(args: ProbeArgs) -> Result<ProbeSettings, SettingsError> {
    match (&args.every, args.count, &args.resume) {
        (Some(_), 1, _) => Err(SettingsError::Alone { option: "--every", with: "--count" }),
        (_, 2.., Some(_)) => Err(SettingsError::Alone { option: "--resume", with: "one round" }),
        _ => probe(args),
    }
}

fn check(mut args: CheckArgs) -> Result<CheckSettings, SettingsError> {
    if !args.probe.via.is_empty() {
        return Err(SettingsError::Alone { option: "--via", with: "one probe, not check" });
    }
    if args.init {
        return Ok(CheckSettings { probe: once(args.probe)?, file: None, all: false });
    }
    if args.probe.resume.is_some() {
        return Err(SettingsError::Alone { option: "--resume", with: "one probe, not check" });
    }
    let words = std::mem::take(&mut args.probe.words);
    let [file] = words.as_slice() else { return Err(SettingsError::OneFile) };
    if !args.probe.targets.is_empty() {
        return Err(SettingsError::Alone { option: "--targets", with: "check --init" });
    }
    let file = Some(file.into());
    Ok(CheckSettings { probe: probe_of(args.probe, Vec::new())?, file, all: args.all })
}

fn probe(args: ProbeArgs) -> Result<ProbeSettings, SettingsError> {
    read_once(&args.targets, "all other targets")?;
    let mut targets = parse_words(&args.words)?;
    for file in &args.targets {
        targets.extend(read::target_file(file)?);
    }
    match targets.is_empty() {
        true => Err(SettingsError::NothingToProbe),
        false => probe_of(args, targets),
    }
}

/// Everything but the targets, which come from elsewhere.
fn probe_of(args: ProbeArgs, targets: Vec<TargetSpec>) -> Result<ProbeSettings, SettingsError> {
    let family = family(args.ipv4, args.ipv6);
    fits(family, &targets, args.source)?;
    let via = places(&args)?;
    let plugins = PluginSettings {
        choice: match (args.no_plugins, args.plugin.is_empty()) {
            (true, _) => PluginChoice::Nothing,
            (false, true) => PluginChoice::Default,
            (false, false) => PluginChoice::Named(args.plugin),
        },
        dirs: read::folders(args.plugin_dir)?,
        settings: args.set.iter().map(|s| value::setting(s)).collect::<Result<_, _>>()?,
        secrets: args.secret.iter().map(|s| read::secret(s)).collect::<Result<_, _>>()?,
        send_to: args.send_to.iter().map(|s| value::send_to(s)).collect::<Result<_, _>>()?,
        record: args.record,
        allow: args.allow.iter().map(|s| value::side_effect(s)).collect::<Result<_, _>>()?,
    };
    let guard = read::guard(&args.scope, args.i_am_authorised)?;
    let duration =
        |name, text: &Option<String>| text.as_ref().map(|t| value::duration(name, t)).transpose();
    Ok(ProbeSettings {
        targets,
        family,
        first_address: args.first_address,
        timeout: duration("--timeout", &args.timeout)?,
        attempts: args.attempts,
        max_in_flight: args.max_in_flight,
        rate: slower(
            args.rate.as_deref().map(value::rate).transpose()?.flatten(),
            guard.highest_rate(),
        ),
        deadline: duration("--deadline", &args.deadline)?,
        source: args.source,
        interface: args.interface,
        prove: args.prove,
        controls: !args.no_controls,
        trace: args.trace,
        count: args.count,
        every: duration("--every", &args.every)?.unwrap_or(EVERY),
        plugins,
        format: args.format,
        outputs: args.output.iter().map(|text| value::output(text)).collect::<Result<_, _>>()?,
        color: args.color,
        vantage: args.vantage,
        via,
        guard,
        resume: args.resume,
        audit: args.audit,
        reason: args.reason,
        advice: !args.no_advice,
        explain: args.explain,
        quiet: args.quiet,
    })
}

/// Where to probe from, once nothing is asked for that means this machine or needs
/// what is only here.
fn places(args: &ProbeArgs) -> Result<Vec<Place>, SettingsError> {
    let places: Vec<Place> = args.via.iter().map(|t| t.parse()).collect::<Result<_, _>>()?;
    let is_file = |name: &String| name.contains('/') || name.ends_with(".wasm");
    let only_here = [
        ("--source", args.source.is_some()),
        ("--interface", args.interface.is_some()),
        ("--resume", args.resume.is_some()),
        ("--output", !args.output.is_empty()),
        ("--record", args.record.is_some()),
        ("--plugin-dir", !args.plugin_dir.is_empty()),
        ("--plugin FILE", args.plugin.iter().any(is_file)),
        ("--secret", !args.secret.is_empty()),
    ];
    let taken = only_here.iter().find(|(_, given)| *given && !places.is_empty());
    if let Some((option, _)) = taken {
        return Err(SettingsError::OnlyHere { option });
    }
    match args.format {
        Format::Table | Format::Json | Format::Jsonl => Ok(places),
        _ if places.is_empty() => Ok(places),
        _ => Err(SettingsError::OnlyHere { option: "--format other than table, json and jsonl" }),
    }
}

/// The lower of two rates; none is no limit.
fn slower(asked: Option<f64>, highest: Option<f64>) -> Option<f64> {
    match (asked, highest) {
        (Some(asked), Some(highest)) => Some(asked.min(highest)),
        (asked, highest) => asked.or(highest),
    }
}

/// Holds addresses that were typed to the family that was asked for: leaving them
/// out would answer less than the question, and taking them in another one.
fn fits(
    family: Family,
    targets: &[TargetSpec],
    source: Option<IpAddr>,
) -> Result<(), SettingsError> {
    let typed = targets.iter().filter_map(|target| match target.host {
        Host::Name(_) => None,
        Host::Address { ip, .. } => Some((&*target.text, ip)),
        Host::Range { first, .. } => Some((&*target.text, first)),
    });
    for (text, ip) in typed {
        let other = match family {
            Family::Any => None,
            Family::Ipv4 => ip.is_ipv6().then_some("-4"),
            Family::Ipv6 => ip.is_ipv4().then_some("-6"),
        };
        if let Some(option) = other {
            return Err(SettingsError::Family { option: option.into(), text: text.into() });
        }
    }
    let asked = match (family, source) {
        (Family::Ipv4, Some(ip)) if ip.is_ipv6() => "-4",
        (Family::Ipv6, Some(ip)) if ip.is_ipv4() => "-6",
        _ => return Ok(()),
    };
    let text = source.map(|ip| format!("--source {ip}")).unwrap_or_default();
    Err(SettingsError::Family { option: asked.into(), text })
}

fn family(v4: bool, v6: bool) -> Family {
    match (v4, v6) {
        (true, _) => Family::Ipv4,
        (_, true) => Family::Ipv6,
        _ => Family::Any,
    }
}
