//! Plugins that people install: fetched, looked at, pinned, published.
//!
//! A plugin comes from a file, an HTTPS address or an OCI registry, into the
//! user's plugin folder, and `plugins.lock` beside it says which bytes it had
//! then. Checks refuse a file that has others.
//!
//! Not here: what a plugin may do (`host`), which one is used (`check`).
//! Start reading at [`Installed::add`].

mod fetch;
mod registry;
mod source;
mod web;

pub use registry::publish;
pub use source::{Source, SourceError};

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::check::pins::{Pin, Pins, PinsError, replace};
use crate::host::{Host, LoadError, Origin, digest};
use crate::model::Metadata;

/// The user's plugin folder.
#[derive(Debug)]
pub struct Installed {
    folder: PathBuf,
    pins: Pins,
}

/// A plugin that was fetched and looked at.
#[derive(Debug)]
pub struct Fetched {
    /// What it says of itself.
    pub metadata: Metadata,
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
    bytes: Vec<u8>,
    source: String,
}

/// Why a plugin was not installed, removed or published.
#[derive(Debug, Error)]
pub enum InstallError {
    /// Where it should come from.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// It is no plugin that runs here.
    #[error("{source_text}: {error}")]
    Unusable {
        /// Where it came from.
        source_text: String,
        /// Why.
        error: LoadError,
    },
    /// Another one has its name.
    #[error("{name} is installed already, with sha256 {old}; this one has {new}")]
    Installed {
        /// The plugin.
        name: String,
        /// What is pinned.
        old: String,
        /// What came.
        new: String,
    },
    /// Nobody installed it.
    #[error("no plugin {name} was installed with portscan plugin add")]
    NotInstalled {
        /// As typed.
        name: String,
    },
    /// What came has another name than what was asked for.
    #[error("{source_text} is now the plugin {came}, not {name}")]
    Renamed {
        /// Where it came from.
        source_text: String,
        /// What is installed.
        name: String,
        /// What came.
        came: String,
    },
    /// The lock.
    #[error(transparent)]
    Pins(#[from] PinsError),
    /// The folder.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// The operating system's word.
        error: io::Error,
    },
    /// There is no home to keep plugins in.
    #[error("there is no folder for plugins: neither HOME nor XDG_DATA_HOME is set")]
    Homeless,
}

impl InstallError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            InstallError::Source(error) => error.hint(),
            InstallError::Unusable { error, .. } => error.hint(),
            InstallError::Installed { name, .. } => {
                format!("`portscan plugin remove {name}` first, if it shall take its place.")
            }
            InstallError::NotInstalled { .. } => {
                "`portscan plugin list` shows what there is.".into()
            }
            InstallError::Renamed { .. } => "Remove the old one and add the new one.".into(),
            InstallError::Pins(PinsError::Damaged { .. }) => {
                "Mend or remove it; without it, plugins in the folder run unpinned.".into()
            }
            _ => "Look at the folder's rights.".into(),
        }
    }
}

/// Fetches a component from `source` and looks at it. Nothing is installed.
///
/// # Errors
/// It cannot be fetched, or is no plugin that runs here.
pub fn fetch(source: &str, host: &Host) -> Result<Fetched, InstallError> {
    let bytes = fetch::fetch(&Source::parse(source)?)?;
    let guest = host
        .load(&bytes, Origin::Foreign)
        .map_err(|error| InstallError::Unusable { source_text: source.to_owned(), error })?;
    let metadata = guest.metadata().clone();
    let source = fetch::lasting(source);
    Ok(Fetched { metadata, sha256: digest(&bytes), bytes, source })
}

impl Installed {
    /// The folder of this user, and its pins.
    ///
    /// # Errors
    /// There is none, or its lock is damaged.
    pub fn open() -> Result<Installed, InstallError> {
        let folder = crate::check::catalog::user_folder().ok_or(InstallError::Homeless)?;
        let pins = Pins::read(&folder)?;
        Ok(Installed { folder, pins })
    }

    /// Installs what was fetched, and pins it.
    ///
    /// # Errors
    /// Another one has its name; the folder cannot be written to.
    pub fn add(&mut self, fetched: &Fetched) -> Result<PathBuf, InstallError> {
        let name = &fetched.metadata.name;
        if let Some(pin) = self.pins.get(name).filter(|pin| pin.sha256 != fetched.sha256) {
            let (old, new) = (pin.sha256.clone(), fetched.sha256.clone());
            return Err(InstallError::Installed { name: name.clone(), old, new });
        }
        let path = self.folder.join(format!("{name}.wasm"));
        if self.pins.get(name).is_none() && path.exists() {
            let old = std::fs::read(&path).map(|bytes| digest(&bytes)).unwrap_or_default();
            if old != fetched.sha256 {
                let new = fetched.sha256.clone();
                return Err(InstallError::Installed { name: name.clone(), old, new });
            }
        }
        self.place(fetched, &path)?;
        Ok(path)
    }

    /// The pin of an installed plugin.
    ///
    /// # Errors
    /// It was not installed.
    pub fn pin(&self, name: &str) -> Result<&Pin, InstallError> {
        self.pins.get(name).ok_or_else(|| InstallError::NotInstalled { name: name.to_owned() })
    }

    /// All of them.
    pub fn pins(&self) -> &[Pin] {
        &self.pins.plugins
    }

    /// Whether a plugin's file is as it was installed.
    pub fn is_intact(&self, pin: &Pin) -> bool {
        std::fs::read(self.folder.join(&pin.file)).is_ok_and(|bytes| digest(&bytes) == pin.sha256)
    }

    /// Puts what was fetched in the place of the plugin of its name.
    ///
    /// # Errors
    /// It has another name; the folder cannot be written to.
    pub fn update(&mut self, name: &str, fetched: &Fetched) -> Result<(), InstallError> {
        let pin = self.pin(name)?;
        if fetched.metadata.name != name {
            return Err(InstallError::Renamed {
                source_text: fetched.source.clone(),
                name: name.to_owned(),
                came: fetched.metadata.name.clone(),
            });
        }
        let path = self.folder.join(&pin.file);
        self.place(fetched, &path)
    }

    /// Removes a plugin and its pin.
    ///
    /// # Errors
    /// It was not installed; the folder cannot be written to.
    pub fn remove(&mut self, name: &str) -> Result<(), InstallError> {
        let path = self.folder.join(&self.pin(name)?.file);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(InstallError::Io { path, error });
            }
            _ => {}
        }
        self.pins.plugins.retain(|pin| pin.name != name);
        Ok(self.pins.write(&self.folder)?)
    }

    /// The file first, then its pin: between the two, the file is refused.
    fn place(&mut self, fetched: &Fetched, path: &Path) -> Result<(), InstallError> {
        let io = |error| InstallError::Io { path: path.to_owned(), error };
        std::fs::create_dir_all(&self.folder).map_err(io)?;
        replace(path, &fetched.bytes).map_err(io)?;
        self.pins.set(Pin {
            name: fetched.metadata.name.clone(),
            version: fetched.metadata.version.clone(),
            file: format!("{}.wasm", fetched.metadata.name),
            sha256: fetched.sha256.clone(),
            source: fetched.source.clone(),
        });
        Ok(self.pins.write(&self.folder)?)
    }
}
