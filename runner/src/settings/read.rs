use std::io::Read;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;

use super::Secret;
use crate::scope::{Guard, Scope};
use crate::target::{FileError, TargetError, TargetSpec, parse_file};
use crate::via::PlaceError;

/// Largest target file. At 16 bytes a line that is four million targets;
/// blocks are the better way to write those.
const MAX_TARGET_FILE: u64 = 64 * 1024 * 1024;

/// Largest secret: a key, not a database.
const MAX_SECRET: u64 = 64 * 1024;

/// Why a command line makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The words themselves are wrong, or help was asked for.
    #[error(transparent)]
    Words(#[from] clap::Error),
    /// A target is wrong.
    #[error("{0}")]
    Target(#[from] TargetError),
    /// A target file is wrong.
    #[error("{0}")]
    File(#[from] FileError),
    /// A file cannot be read.
    #[error("{path}: {error}")]
    Unreadable {
        /// Its name.
        path: String,
        /// The operating system's word.
        error: std::io::Error,
    },
    /// No target at all.
    #[error("nothing to probe: give a target, for example portscan example.com 443 (see --help)")]
    NothingToProbe,
    /// An address of one family, and the other was asked for.
    #[error("{text} cannot be probed with {option}: it is of the other family")]
    Family {
        /// `-4` or `-6`.
        option: String,
        /// The address, or the option that names it.
        text: String,
    },
    /// An option that means something only beside another.
    #[error("{option} means something only with {with}")]
    Alone {
        /// The option.
        option: &'static str,
        /// The one that is missing.
        with: &'static str,
    },
    /// An option that means this machine, beside a place to run at.
    #[error("{option} means this machine: leave it out with --via")]
    OnlyHere {
        /// The option.
        option: &'static str,
    },
    /// A place is none.
    #[error("--via: {0}")]
    Place(#[from] PlaceError),
    /// Standard input is named more than once, and can be read once.
    #[error("standard input is named twice and can be read once: give {what} as a file")]
    StandardInput {
        /// What may be a file instead.
        what: &'static str,
    },
    /// A word that is no command, and no target as it stands.
    #[error("no command '{word}', and no ports for a host of this name; did you mean '{near}'?")]
    NoCommand {
        /// As typed.
        word: String,
        /// The command that is nearly that.
        near: String,
    },
    /// A check takes one file.
    #[error(
        "check takes one file, for example portscan check expected.toml; 'check --init HOST:PORTS' prints one to begin with"
    )]
    OneFile,
    /// Targets beside a file that has them all.
    #[error("watch --check takes its targets from the file: give no others")]
    TwoSources,
    /// A trace takes one endpoint.
    #[error("trace takes one host and one port, for example portscan trace example.com 443")]
    OneEndpoint,
    /// An option's value is wrong.
    #[error("{name}: '{value}' is not {expected}")]
    Value {
        /// The option.
        name: String,
        /// Its value; never a secret.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A file of options has mistakes; a line each.
    #[error("{0}")]
    Config(String),
    /// No profile has this name.
    #[error("there is no profile '{name}': known are {known}")]
    Profile {
        /// As typed.
        name: String,
        /// All that there are.
        known: String,
    },
    /// A scope has mistakes; a line each.
    #[error("{0}")]
    Scope(String),
    /// A secret is not where it should be.
    #[error("--secret {name}: {why}")]
    Secret {
        /// The secret's name.
        name: String,
        /// What is wrong; never the secret.
        why: String,
    },
}

/// Reads a target file, or standard input for `-`.
pub(super) fn target_file(path: &Path) -> Result<Vec<TargetSpec>, SettingsError> {
    let name =
        if path == Path::new("-") { "standard input".into() } else { path.display().to_string() };
    let unreadable = |error| SettingsError::Unreadable { path: name.clone(), error };
    let bytes = match path == Path::new("-") {
        true => read_capped(std::io::stdin().lock(), MAX_TARGET_FILE),
        false => std::fs::File::open(path).and_then(|f| read_capped(f, MAX_TARGET_FILE)),
    };
    let bytes = bytes.map_err(unreadable)?;
    Ok(parse_file(&name, &String::from_utf8_lossy(&bytes))?)
}

/// Largest scope.
const MAX_SCOPE: u64 = 1 << 20;

/// The scopes that hold: those that are named, or the one of this directory and the
/// one of this user.
pub(super) fn guard(named: &[PathBuf], authorised: bool) -> Result<Guard, SettingsError> {
    let user = etcetera::choose_base_strategy().ok();
    let user = user.map(|base| base.config_dir().join("portscan").join("scope.toml"));
    let usual = [Some(PathBuf::from("scope.toml")), user];
    let usual = usual.into_iter().flatten().filter(|path| named.is_empty() && path.exists());
    let mut scopes = Vec::new();
    for path in named.iter().cloned().chain(usual) {
        let name = path.display().to_string();
        let unreadable = |error| SettingsError::Unreadable { path: name.clone(), error };
        let bytes = std::fs::File::open(&path)
            .and_then(|file| read_capped(file, MAX_SCOPE))
            .map_err(unreadable)?;
        let text = String::from_utf8_lossy(&bytes);
        scopes.push(Scope::parse(&name, &text).map_err(SettingsError::Scope)?);
    }
    Ok(Guard::new(scopes, authorised))
}

/// Folders that the user named: each must be one that can be read.
pub(super) fn folders(dirs: Vec<PathBuf>) -> Result<Vec<PathBuf>, SettingsError> {
    for dir in &dirs {
        std::fs::read_dir(dir).map_err(|error| SettingsError::Unreadable {
            path: format!("--plugin-dir {}", dir.display()),
            error,
        })?;
    }
    Ok(dirs)
}

/// Reads `PLUGIN.NAME=env:VAR` or `PLUGIN.NAME=file:PATH`.
pub(super) fn secret(text: &str) -> Result<(String, String, Secret), SettingsError> {
    let (key, source) = text.split_once('=').unwrap_or((text, ""));
    let fail = |why: String| SettingsError::Secret { name: key.to_string(), why };
    let (plugin, name) = key
        .split_once('.')
        .filter(|(plugin, name)| !plugin.is_empty() && !name.is_empty())
        .ok_or_else(|| fail("write PLUGIN.NAME=env:VAR or PLUGIN.NAME=file:PATH".into()))?;
    let value = match source.split_once(':') {
        Some(("env", variable)) => std::env::var(variable)
            .map_err(|_| fail(format!("the environment has no variable {variable}")))?,
        Some(("file", path)) => std::fs::File::open(path)
            .and_then(|f| read_capped(f, MAX_SECRET))
            .map_err(|e| fail(format!("{path}: {e}")))
            .map(|bytes| {
                String::from_utf8_lossy(&bytes).trim_end_matches(['\r', '\n']).to_string()
            })?,
        // The text may be the secret itself: it is not repeated.
        _ => {
            return Err(fail(
                "take it from env:VAR or file:PATH, never from the command line".into(),
            ));
        }
    };
    Ok((plugin.into(), name.into(), Secret(value)))
}

pub(super) fn read_capped(reader: impl Read, most: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(most + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > most {
        true => Err(std::io::Error::other(format!("larger than {most} bytes"))),
        false => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_on_the_command_line_is_refused_and_not_repeated() {
        let error = secret("postgres.password=hunter2").unwrap_err().to_string();
        assert!(error.contains("env:VAR") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_secret_is_never_shown() {
        assert_eq!(format!("{:?}", Secret("hunter2".into())), "[secret]");
    }
}
