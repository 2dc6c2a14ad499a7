//! The plugins that there are: built in, in the user's folder, in folders that
//! were named.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use etcetera::BaseStrategy;

use super::pins::{Pin, Pins, PinsError};
use super::setting;
use crate::host::{self, Guest, Host, Inspection, LoadError, Origin, limits};
use crate::model::{Fault, Metadata};

/// The components that are part of this executable (build.rs).
static PREBUILT: &[&[u8]] = include!(concat!(env!("OUT_DIR"), "/prebuilt.rs"));

/// What each built-in plugin can find, by its sources (build.rs).
static FINDINGS: &[(&str, &[&str])] = include!(concat!(env!("OUT_DIR"), "/findings.rs"));

/// Where a plugin comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// This executable.
    BuiltIn(&'static [u8]),
    /// A file.
    File(PathBuf),
}

impl Source {
    /// The component's bytes.
    ///
    /// # Errors
    /// The file cannot be read, or is larger than any component may be.
    pub fn read(&self) -> Result<std::borrow::Cow<'static, [u8]>, LoadError> {
        match self {
            Source::BuiltIn(bytes) => Ok((*bytes).into()),
            Source::File(path) => read_component(path).map(Into::into),
        }
    }

    fn origin(&self) -> Origin {
        match self {
            Source::BuiltIn(_) => Origin::BuiltIn,
            Source::File(_) => Origin::Foreign,
        }
    }

    /// The file, unless it is built in.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Source::BuiltIn(_) => None,
            Source::File(path) => Some(path),
        }
    }
}

/// Reads a component file; of one that is too large, no more than shows that.
fn read_component(path: &Path) -> Result<Vec<u8>, LoadError> {
    let machine = |e: io::Error| LoadError::Machine { reason: format!("{}: {e}", path.display()) };
    let file = File::open(path).map_err(machine)?;
    let size = file.metadata().map_err(machine)?.len();
    if size > limits::MAX_COMPONENT_RAISED as u64 {
        return Err(LoadError::TooLarge { size, cap: limits::MAX_COMPONENT_RAISED });
    }
    let mut bytes = Vec::new();
    file.take(limits::MAX_COMPONENT_RAISED as u64 + 1).read_to_end(&mut bytes).map_err(machine)?;
    Ok(bytes)
}

/// One plugin of the catalog. Nothing of it is compiled before it is needed.
pub struct Plugin {
    /// Where it comes from.
    pub source: Source,
    /// What it says about itself.
    pub metadata: Metadata,
    /// How it was installed, when it was.
    pub pin: Option<Pin>,
    /// Its judge took long once.
    pub(super) has_slow_judge: AtomicBool,
    /// Largest component that it may be.
    cap: usize,
    inspection: OnceLock<Result<Inspection, LoadError>>,
    guest: OnceLock<Result<Guest, Fault>>,
}

impl Plugin {
    fn new(source: Source, metadata: Metadata, cap: usize) -> Plugin {
        Plugin {
            source,
            metadata,
            pin: None,
            has_slow_judge: AtomicBool::new(false),
            cap,
            inspection: OnceLock::new(),
            guest: OnceLock::new(),
        }
    }

    /// Reads the metadata of the component at `source`: from its section, or
    /// from `describe` when it has none.
    fn peek(source: Source, host: &Host, cap: usize) -> Result<Plugin, LoadError> {
        let embedded = match &source {
            Source::BuiltIn(bytes) => host::peek_metadata(&mut Cursor::new(bytes)),
            Source::File(path) => match File::open(path) {
                Ok(file) => host::peek_metadata(&mut BufReader::new(file)),
                Err(e) => Err(LoadError::Machine { reason: e.to_string() }),
            },
        }?;
        match embedded {
            Some(metadata) => {
                check_defaults(&metadata)?;
                Ok(Plugin::new(source, metadata, cap))
            }
            None => {
                let guest = host.load_up_to(&source.read()?, source.origin(), cap)?;
                check_defaults(guest.metadata())?;
                let plugin = Plugin::new(source, guest.metadata().clone(), cap);
                let _ = plugin.guest.set(Ok(guest));
                Ok(plugin)
            }
        }
    }

    /// What the component says about itself, without compiling it.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn inspection(&self) -> Result<&Inspection, LoadError> {
        let inspect = || host::inspect_up_to(&self.source.read()?, limits::MAX_COMPONENT_RAISED);
        self.inspection.get_or_init(inspect).as_ref().map_err(Clone::clone)
    }

    /// The names of everything that it can find; none when only its author knows.
    pub fn findings(&self) -> Option<&'static [&'static str]> {
        let is_it = |(name, _): &&(&str, _)| *name == self.metadata.name;
        match self.source {
            Source::BuiltIn(_) => FINDINGS.iter().find(is_it).map(|(_, names)| *names),
            Source::File(_) => None,
        }
    }

    /// The plugin if it was loaded already, or why it could not be.
    pub fn loaded(&self) -> Option<Result<&Guest, Fault>> {
        self.guest.get().map(|loaded| loaded.as_ref().map_err(Clone::clone))
    }

    /// The plugin, ready for use. Blocks while it compiles, the first time.
    ///
    /// # Errors
    /// Why it cannot be used; the same answer every time.
    pub fn guest(&self, host: &Host) -> Result<&Guest, Fault> {
        let load = || {
            let guest = host.load_up_to(&self.source.read()?, self.source.origin(), self.cap)?;
            match *guest.metadata() == self.metadata {
                true => Ok(guest),
                // The file changed after the catalog was read.
                false => Err(LoadError::Lied { difference: "metadata" }),
            }
        };
        self.guest.get_or_init(|| load().map_err(Fault::from)).as_ref().map_err(Clone::clone)
    }
}

/// A default that does not fit its own type is the plugin's mistake: the user
/// must not read of it as if it were theirs.
fn check_defaults(metadata: &Metadata) -> Result<(), LoadError> {
    for spec in &metadata.settings {
        let default = spec.default.as_deref().map(|text| setting::parse(spec.kind, text));
        if let Some(Err(expected)) = default {
            let reason = format!("the default of setting `{}` must be {expected}", spec.name);
            return Err(LoadError::BadMetadata { reason });
        }
    }
    Ok(())
}

/// All plugins. Of two with the same name the first one counts: folders that
/// were named, the user's folder, built in.
#[derive(Default)]
pub struct Catalog {
    /// In that order.
    pub plugins: Vec<Arc<Plugin>>,
    /// What was skipped, and why.
    pub notes: Vec<String>,
    /// Installed plugins that are not as they were installed, by name.
    pub refused: Vec<(String, LoadError)>,
}

impl Catalog {
    /// Reads the catalog: `dirs`, the user's folder, the built-in plugins.
    pub fn read(dirs: &[PathBuf], host: &Host) -> Catalog {
        let mut catalog = Catalog::default();
        for dir in dirs {
            if let Err(error) = catalog.add_folder(dir, host) {
                catalog.notes.push(format!("plugins in {}: {error}", dir.display()));
            }
        }
        if let Some(dir) = user_folder().filter(|dir| dir.exists())
            && let Err(error) = catalog.add_installed(&dir, host)
        {
            catalog.notes.push(format!("plugins in {}: {error}", dir.display()));
        }
        for bytes in PREBUILT {
            catalog.add(Source::BuiltIn(bytes), None, host);
        }
        catalog
    }

    fn add_folder(&mut self, dir: &Path, host: &Host) -> io::Result<()> {
        for file in components(dir)? {
            self.add(Source::File(file), None, host);
        }
        Ok(())
    }

    /// The user's folder: what `plugins.lock` names is as it was installed, or is
    /// refused before anything of it is read.
    fn add_installed(&mut self, dir: &Path, host: &Host) -> Result<(), PinsError> {
        let pins = Pins::read(dir)?;
        let io = |source| PinsError::Io { path: dir.to_owned(), source };
        for path in components(dir).map_err(io)? {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            let pin = pins.of_file(&file).cloned();
            match pin.as_ref().map(|pin| unchanged(pin, &path)) {
                Some(Err(error)) => {
                    let name = pin.map(|pin| pin.name).unwrap_or_default();
                    self.notes.push(format!("the plugin {name} is refused: {error}"));
                    self.refused.push((name, error));
                }
                _ => self.add(Source::File(path), pin, host),
            }
        }
        Ok(())
    }

    fn add(&mut self, source: Source, pin: Option<Pin>, host: &Host) {
        let place =
            source.path().map_or("a built-in plugin".into(), Path::to_string_lossy).into_owned();
        // What was installed was looked at by somebody.
        let cap = if pin.is_some() { limits::MAX_COMPONENT_RAISED } else { limits::MAX_COMPONENT };
        match Plugin::peek(source, host, cap) {
            Ok(plugin) => {
                let plugin = Plugin { pin, ..plugin };
                let name = &plugin.metadata.name;
                match self.get(name) {
                    None => self.plugins.push(Arc::new(plugin)),
                    // A plugin of the user's own in place of a built-in one is meant so.
                    Some(first)
                        if plugin.source.path().is_none() && first.source.path().is_some() => {}
                    Some(_) => self
                        .notes
                        .push(format!("ignored {place}: there is another plugin `{name}`")),
                }
            }
            Err(error) => self.notes.push(format!("ignored {place}: {error}")),
        }
    }

    /// Opens the component at `path` and puts it before all others.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn open(&mut self, path: &Path, host: &Host) -> Result<Arc<Plugin>, LoadError> {
        let plugin = Arc::new(Plugin::peek(
            Source::File(path.to_owned()),
            host,
            limits::MAX_COMPONENT_RAISED,
        )?);
        self.plugins.retain(|other| other.metadata.name != plugin.metadata.name);
        self.plugins.insert(0, plugin.clone());
        Ok(plugin)
    }

    /// The plugin with this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Plugin>> {
        self.plugins.iter().find(|plugin| plugin.metadata.name == name)
    }
}

/// The components in a folder, in the order of their names.
fn components(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(dir)?.map(|entry| entry.map(|e| e.path())).collect::<Result<_, _>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "wasm"));
    files.sort();
    Ok(files)
}

/// Whether an installed file has the bytes that it was installed with.
fn unchanged(pin: &Pin, path: &Path) -> Result<(), LoadError> {
    let found = host::digest(&read_component(path)?);
    match found == pin.sha256 {
        true => Ok(()),
        false => Err(LoadError::Changed { pinned: pin.sha256.clone(), found }),
    }
}

/// `$XDG_DATA_HOME/portscan/plugins`.
pub fn user_folder() -> Option<PathBuf> {
    let base = etcetera::choose_base_strategy().ok()?;
    Some(base.data_dir().join("portscan").join("plugins"))
}
