//! `plugins.lock`: which bytes the user's plugins may have.
//!
//! Lies in the user's plugin folder. A plugin that it names runs only as it was
//! installed; one that it does not name was put there by hand, and runs.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The file's name.
pub const LOCK_FILE: &str = "plugins.lock";

/// Largest lock that is read: some thousand plugins.
const MAX_LOCK: u64 = 1 << 20;

/// The format of the file.
const VERSION: u32 = 1;

/// One installed plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// The plugin's name.
    pub name: String,
    /// Its version, as it says.
    pub version: String,
    /// The file beside the lock.
    pub file: String,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// Where it came from, as it was given.
    pub source: String,
}

/// All pins of a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pins {
    version: u32,
    /// In the order of their names.
    #[serde(default, rename = "plugin")]
    pub plugins: Vec<Pin>,
}

/// Why the pins of a folder cannot be used.
#[derive(Debug, Error)]
pub enum PinsError {
    /// It cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// The operating system's word.
        source: io::Error,
    },
    /// It is not what portscan writes.
    #[error("{}: {why}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Line, column and what is wrong.
        why: String,
    },
}

impl Default for Pins {
    fn default() -> Pins {
        Pins { version: VERSION, plugins: Vec::new() }
    }
}

impl Pins {
    /// The pins of `folder`; none when it has no lock.
    ///
    /// # Errors
    /// The lock cannot be read, or is damaged: then no plugin of the folder may run.
    pub fn read(folder: &Path) -> Result<Pins, PinsError> {
        let path = folder.join(LOCK_FILE);
        let text = match std::fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Pins::default()),
            Ok(metadata) if metadata.len() > MAX_LOCK => {
                let why = format!("larger than {MAX_LOCK} bytes");
                return Err(PinsError::Damaged { path, why });
            }
            _ => std::fs::read_to_string(&path)
                .map_err(|source| PinsError::Io { path: path.clone(), source })?,
        };
        Pins::parse(&text).map_err(|why| PinsError::Damaged { path, why })
    }

    /// The pins in the text of a lock.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Pins, String> {
        let pins: Pins = toml::from_str(text).map_err(|error| error.to_string())?;
        match pins.version == VERSION {
            true => Ok(pins),
            false => Err(format!("version {} is not {VERSION}", pins.version)),
        }
    }

    /// Writes the pins of `folder`, whole or not at all.
    ///
    /// # Errors
    /// The operating system's.
    pub fn write(&self, folder: &Path) -> Result<(), PinsError> {
        let mut sorted = self.clone();
        sorted.plugins.sort_by(|a, b| a.name.cmp(&b.name));
        let path = folder.join(LOCK_FILE);
        let text = toml::to_string(&sorted)
            .map_err(|e| PinsError::Damaged { path: path.clone(), why: e.to_string() })?;
        replace(
            &path,
            format!("# Written by portscan plugin add, remove, update.\n{text}").as_bytes(),
        )
        .map_err(|source| PinsError::Io { path, source })
    }

    /// The pin of a plugin.
    pub fn get(&self, name: &str) -> Option<&Pin> {
        self.plugins.iter().find(|pin| pin.name == name)
    }

    /// The pin of a file.
    pub fn of_file(&self, file: &str) -> Option<&Pin> {
        self.plugins.iter().find(|pin| pin.file == file)
    }

    /// Pins a plugin, in place of an earlier pin of its name.
    pub fn set(&mut self, pin: Pin) {
        self.plugins.retain(|other| other.name != pin.name);
        self.plugins.push(pin);
    }
}

/// Writes a file whole or not at all: beside it first, then in its place.
///
/// # Errors
/// The operating system's.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = std::fs::write(&beside, bytes).and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(name: &str, sha256: &str) -> Pin {
        Pin {
            name: name.into(),
            version: "1.0.0".into(),
            file: format!("{name}.wasm"),
            sha256: sha256.into(),
            source: "oci://127.0.0.1:5000/a:1".into(),
        }
    }

    #[test]
    fn pins_survive_being_written_and_a_damaged_lock_is_no_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Pins::read(folder.path()).unwrap(), Pins::default());
        let mut pins = Pins::default();
        pins.set(pin("b", "1"));
        pins.set(pin("a", "2"));
        pins.set(pin("b", "3"));
        pins.write(folder.path()).unwrap();
        let read = Pins::read(folder.path()).unwrap();
        assert_eq!(read.plugins, [pin("a", "2"), pin("b", "3")]);
        assert_eq!(read.of_file("b.wasm").unwrap().sha256, "3");
        for damaged in ["version = 1\nplugin = 3", "version = 9", "{", "version = 1\nelse = 2"] {
            std::fs::write(folder.path().join(LOCK_FILE), damaged).unwrap();
            assert!(Pins::read(folder.path()).is_err(), "{damaged}");
        }
    }
}
