//! `portscan.toml`: options of a probe that need not be typed.
//!
//! Later ones count over earlier ones: the user's file, the file of the working
//! directory, a profile of either, the environment (`PORTSCAN_TIMEOUT=2s`), the command
//! line. A file's options are the command line's, by the same names, and are read by
//! the same parser.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory};
use etcetera::BaseStrategy as _;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::SettingsError;
use crate::cli::Cli;
use crate::nearest::nearest;

/// Largest file.
const MAX_CONFIG: u64 = 1 << 20;

/// Profiles that need no file: name, option, value.
const BUILT_IN: &[(&str, &[(&str, &str)])] = &[
    // Round trips of a millisecond: silence is over sooner.
    ("lan", &[("timeout", "1s")]),
    // Across the world, through lossy paths.
    ("wan", &[("timeout", "8s"), ("attempts", "5")]),
    // Beside other people's traffic.
    ("polite", &[("rate", "50"), ("max-in-flight", "32")]),
];

/// Options that a file cannot set: what to probe, and what would need a person.
const NEVER: [&str; 7] =
    ["i-am-authorised", "help", "version", "profile", "targets", "reason", "via"];

/// An option's values, and where they come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sourced {
    /// As they would be typed; `true` for a switch.
    pub values: Vec<String>,
    /// `portscan.toml:3`, `PORTSCAN_TIMEOUT`, `profile lan`.
    pub source: String,
}

/// Options by their long name.
pub type Options = BTreeMap<String, Sourced>;

/// The words of a command line, with what files and the environment add.
///
/// # Errors
/// A file that cannot be read or has mistakes, an unknown profile.
pub(super) fn completed(words: Vec<OsString>) -> Result<Completed, SettingsError> {
    let asked = profile_of(&words);
    // Most runs have nothing of the kind, and should not pay for it.
    if asked.is_none() && !files().iter().any(|path| path.exists()) && !has_variables() {
        return Ok(Completed::typed(words));
    }
    // What is wrong with the words is told by the parser that follows.
    let command = Cli::command().ignore_errors(true);
    let Ok(matches) = command.try_get_matches_from(&words) else {
        return Ok(Completed::typed(words));
    };
    let Some((matches, takes)) = takes_options(&matches) else {
        return Ok(Completed::typed(words));
    };
    let layers = Layers::read()?;
    let typed = |name: &str| {
        let id = name.replace('-', "_");
        matches.try_contains_id(&id).is_ok_and(|there| there)
            && matches.value_source(&id) == Some(ValueSource::CommandLine)
    };
    let (mut added, mut sources) = (Vec::new(), BTreeMap::new());
    for (name, sourced) in layers.options(asked.as_deref())? {
        if !takes.takes(&name) {
            continue;
        }
        // One of two that exclude each other was typed: it counts.
        let rival = match name.as_str() {
            "plugin" => "no-plugins",
            "no-plugins" => "plugin",
            _ => "",
        };
        if typed(&name) || (!rival.is_empty() && typed(rival)) {
            continue;
        }
        added.extend(sourced.values.iter().filter_map(|value| match value.as_str() {
            "false" if is_switch(&name) => None,
            "true" if is_switch(&name) => Some(OsString::from(format!("--{name}"))),
            value => Some(OsString::from(format!("--{name}={value}"))),
        }));
        sources.insert(name, sourced.source);
    }
    // Options may not stand behind `--`.
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let (before, after) = words.split_at(end);
    let words = before.iter().cloned().chain(added).chain(after.iter().cloned()).collect();
    Ok(Completed { words, sources })
}

/// A command line with what files and the environment add.
pub(super) struct Completed {
    /// All words.
    pub words: Vec<OsString>,
    /// Where each option comes from that was not typed, by its long name.
    pub sources: BTreeMap<String, String>,
}

impl Completed {
    fn typed(words: Vec<OsString>) -> Completed {
        Completed { words, sources: BTreeMap::new() }
    }
}

/// Every option that a file can set, with its value and source where it has one.
///
/// # Errors
/// As [`completed`].
pub(super) fn shown(
    profile: Option<&str>,
) -> Result<Vec<(String, Option<Sourced>)>, SettingsError> {
    let mut set = Layers::read()?.options(profile)?;
    let command = Cli::command();
    let usual = |name: &str| {
        let argument = command.get_arguments().find(|all| all.get_long() == Some(name))?;
        let takes = argument.get_action().takes_values();
        let values = argument.get_default_values().iter().filter(|_| takes);
        let values: Vec<String> = values.map(|v| v.to_string_lossy().into_owned()).collect();
        let source = "default".to_owned();
        (!values.is_empty()).then_some(Sourced { values, source })
    };
    let all = names().into_iter().map(|name| {
        let sourced = set.remove(&name).or_else(|| usual(&name));
        (name, sourced)
    });
    Ok(all.collect())
}

/// Which of a probe's options a command takes from files.
enum Takes {
    All,
    AllBut(&'static [&'static str]),
    Only(&'static [&'static str]),
}

impl Takes {
    fn takes(&self, name: &str) -> bool {
        match self {
            Takes::All => true,
            Takes::AllBut(others) => !others.contains(&name),
            Takes::Only(these) => these.contains(&name),
        }
    }
}

/// What a trace takes: how an organisation is held to its rules. The others mean
/// something else there, or nothing.
const OF_TRACE: Takes = Takes::Only(&["audit", "scope"]);

/// A watch writes changes, and no report.
const OF_WATCH: Takes = Takes::AllBut(&["format", "output", "resume"]);

/// The matches of the command that takes a probe's options, if it is one, and which.
fn takes_options(matches: &ArgMatches) -> Option<(&ArgMatches, Takes)> {
    match matches.subcommand() {
        None => Some((matches, Takes::All)),
        Some(("probe", matches)) => Some((matches, Takes::All)),
        Some(("check", matches)) => Some((matches, Takes::AllBut(&["resume"]))),
        Some(("watch", matches)) => Some((matches, OF_WATCH)),
        Some(("trace", matches)) => Some((matches, OF_TRACE)),
        Some(_) => None,
    }
}

fn profile_of(words: &[OsString]) -> Option<String> {
    let words: Vec<String> = words.iter().map(|w| w.to_string_lossy().into_owned()).collect();
    let before = words.iter().take_while(|word| *word != "--");
    let mut found = None;
    for (at, word) in before.enumerate() {
        match word.strip_prefix("--profile") {
            Some("") => found = words.get(at + 1).cloned(),
            Some(rest) => found = rest.strip_prefix('=').map(str::to_owned).or(found),
            None => {}
        }
    }
    found.or_else(|| std::env::var("PORTSCAN_PROFILE").ok().filter(|name| !name.is_empty()))
}

/// Long names of the options that a file can set.
fn names() -> Vec<String> {
    let command = Cli::command();
    let names = command.get_arguments().filter_map(|argument| argument.get_long());
    names.filter(|name| !NEVER.contains(name)).map(str::to_owned).collect()
}

fn is_switch(name: &str) -> bool {
    let command = Cli::command();
    let found = command.get_arguments().find(|argument| argument.get_long() == Some(name));
    found.is_some_and(|argument| !argument.get_action().takes_values())
}

/// Options and profiles, as files and the environment have them.
#[derive(Default)]
struct Layers {
    options: Options,
    profiles: BTreeMap<String, Options>,
    profile: Option<String>,
    environment: Options,
}

/// Where options may be kept: the user's file, and that of the working directory.
fn files() -> Vec<PathBuf> {
    let user = etcetera::choose_base_strategy().ok();
    let user = user.map(|base| base.config_dir().join("portscan").join("portscan.toml"));
    user.into_iter().chain([PathBuf::from("portscan.toml")]).collect()
}

fn has_variables() -> bool {
    std::env::vars_os().any(|(name, _)| name.to_string_lossy().starts_with("PORTSCAN_"))
}

impl Layers {
    fn read() -> Result<Layers, SettingsError> {
        let mut layers = Layers::default();
        for path in files() {
            if path.exists() {
                layers.add_file(&path)?;
            }
        }
        layers.add_environment();
        Ok(layers)
    }

    /// The options that hold, with those of a profile over those of files.
    fn options(mut self, asked: Option<&str>) -> Result<Options, SettingsError> {
        let mut all = std::mem::take(&mut self.options);
        if let Some(name) = asked.map(str::to_owned).or(self.profile.take()) {
            all.extend(self.profile(&name)?);
        }
        all.extend(self.environment);
        Ok(all)
    }

    fn profile(&self, name: &str) -> Result<Options, SettingsError> {
        if let Some(options) = self.profiles.get(name) {
            return Ok(options.clone());
        }
        let built_in = BUILT_IN.iter().find(|(known, _)| *known == name);
        let Some((_, options)) = built_in else {
            let known: Vec<&str> = self
                .profiles
                .keys()
                .map(String::as_str)
                .chain(BUILT_IN.iter().map(|p| p.0))
                .collect();
            return Err(SettingsError::Profile { name: name.into(), known: known.join(", ") });
        };
        let sourced = |value: &str| Sourced {
            values: vec![value.to_owned()],
            source: format!("profile {name}"),
        };
        Ok(options.iter().map(|(option, value)| ((*option).to_owned(), sourced(value))).collect())
    }

    fn add_environment(&mut self) {
        let mut variables: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in std::env::vars_os() {
            if let (Some(name), Some(value)) = (name.to_str(), value.to_str())
                && name.starts_with("PORTSCAN_")
                && !value.is_empty()
            {
                variables.insert(name.to_owned(), value.to_owned());
            }
        }
        if variables.is_empty() {
            return;
        }
        for name in names() {
            let variable = format!("PORTSCAN_{}", name.replace('-', "_").to_uppercase());
            if let Some(value) = variables.get(&variable) {
                let sourced = Sourced { values: vec![value.clone()], source: variable };
                self.environment.insert(name, sourced);
            }
        }
    }

    fn add_file(&mut self, path: &Path) -> Result<(), SettingsError> {
        let name = path.display().to_string();
        let unreadable = |error| SettingsError::Unreadable { path: name.clone(), error };
        let bytes = std::fs::File::open(path)
            .and_then(|file| super::read::read_capped(file, MAX_CONFIG))
            .map_err(unreadable)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let mut reading = Reading { name: &name, text: &text, known: names(), wrong: Vec::new() };
        let (table, errors) = DeTable::parse_recoverable(&text);
        for error in errors {
            reading.complain(error.span().map_or(0, |span| span.start), error.message());
        }
        let mut entries: Vec<_> = table.get_ref().iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in entries {
            match (&**key.get_ref(), value.get_ref()) {
                ("profile", DeValue::String(name)) => self.profile = Some(name.to_string()),
                ("profile", DeValue::Table(profiles)) => {
                    for (name, value) in profiles {
                        let DeValue::Table(options) = value.get_ref() else {
                            reading.complain(value.span().start, "a profile is a table of options");
                            continue;
                        };
                        let of = self.profiles.entry(name.get_ref().to_string()).or_default();
                        for (key, value) in options {
                            of.extend(reading.option(key.get_ref(), key.span().start, value));
                        }
                    }
                }
                (option, _) => {
                    self.options.extend(reading.option(option, key.span().start, value));
                }
            }
        }
        match reading.wrong.is_empty() {
            true => Ok(()),
            false => Err(SettingsError::Config(reading.wrong.join("\n"))),
        }
    }
}

/// A file while it is read.
struct Reading<'a> {
    name: &'a str,
    text: &'a str,
    known: Vec<String>,
    wrong: Vec<String>,
}

impl Reading<'_> {
    fn place(&self, offset: usize) -> (usize, usize) {
        let before = &self.text[..offset.min(self.text.len())];
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (before.matches('\n').count() + 1, column)
    }

    fn complain(&mut self, offset: usize, what: &str) {
        let (line, column) = self.place(offset);
        self.wrong.push(format!("{}:{line}:{column}: {what}", self.name));
    }

    fn option(
        &mut self,
        name: &str,
        at: usize,
        value: &Spanned<DeValue<'_>>,
    ) -> Option<(String, Sourced)> {
        if !self.known.iter().any(|known| known == name) {
            let hint = match nearest(name, self.known.iter().map(String::as_str)) {
                Some(near) => format!("did you mean '{near}'?"),
                None => "portscan config show lists all".to_owned(),
            };
            self.complain(at, &format!("unknown option '{name}': {hint}"));
            return None;
        }
        let values = match value.get_ref() {
            DeValue::Array(items) => items.iter().map(|item| one(item.get_ref())).collect(),
            single => one(single).map(|value| vec![value]),
        };
        let Some(values) = values else {
            self.complain(
                value.span().start,
                "it must be a text, a number, true, false, or a list",
            );
            return None;
        };
        let source = format!("{}:{}", self.name, self.place(at).0);
        Some((name.to_owned(), Sourced { values, source }))
    }
}

/// A value as it would be typed.
fn one(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.as_str().to_owned()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(value) => Some(value.to_string()),
        _ => None,
    }
}
