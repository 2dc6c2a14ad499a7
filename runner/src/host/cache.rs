//! Compiled components on disk.
//!
//! An artifact is machine code that this process will run, so an entry is
//! believed only if nobody but this user can have written it: directory and
//! file belong to us, neither is writable by others, and the digest over its name
//! and the artifact is right (a damaged disk, a half-written file, the entry of
//! another component in its place). Whatever is off makes
//! the entry worthless, with a note, and it is made again.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use sha2::{Digest, Sha256};
use wasmtime::Engine;

use super::limits::MAX_ARTIFACT;

/// Names another directory.
const DIRECTORY_VARIABLE: &str = "PORTSCAN_CACHE_DIR";

/// What an entry begins with; a SHA-256 over its name and the artifact follows, and
/// the artifact.
const MAGIC: &[u8; 20] = b"portscan artifact 2\n";

const HEADER: usize = MAGIC.len() + 32;

/// Entries that are kept; the oldest go first. A handful of plugins times a few
/// versions of the engine.
const MAX_ENTRIES: usize = 64;

/// The directory of compiled components.
#[derive(Debug)]
pub(super) struct Cache {
    directory: Option<PathBuf>,
}

/// What looking for an entry found.
pub(super) enum Found {
    /// An artifact that only this user can have written.
    Artifact(Vec<u8>),
    /// No entry.
    Nothing,
    /// An entry that is not to be believed, and why.
    Unsafe(String),
}

impl Cache {
    /// `$PORTSCAN_CACHE_DIR`, or `$XDG_CACHE_HOME/portscan`.
    pub(super) fn from_environment() -> Cache {
        let named =
            std::env::var_os(DIRECTORY_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
        let directory = named.or_else(|| {
            etcetera::choose_base_strategy().ok().map(|base| base.cache_dir().join("portscan"))
        });
        Cache { directory }
    }

    /// The cache in `directory`; none at all without one.
    pub(super) fn at(directory: Option<PathBuf>) -> Cache {
        Cache { directory }
    }

    /// Looks for the artifact of a component, by its digest, for `engine`.
    pub(super) fn find(&self, digest: &str, engine: &Engine) -> Found {
        let Some(directory) = &self.directory else { return Found::Nothing };
        let path = directory.join(entry_name(digest, engine));
        match read_entry(directory, &path) {
            Ok(artifact) => Found::Artifact(artifact),
            Err(Unfit::Missing) => Found::Nothing,
            Err(Unfit::Because(why)) => Found::Unsafe(format!("{}: {why}", path.display())),
        }
    }

    /// Stores an artifact. A cache that cannot be written is no error.
    pub(super) fn store(&self, digest: &str, engine: &Engine, artifact: &[u8]) {
        let Some(directory) = &self.directory else { return };
        let name = entry_name(digest, engine);
        if make_directory(directory).and_then(|()| write_entry(directory, &name, artifact)).is_ok()
        {
            prune(directory);
        }
    }
}

/// The component's digest and the engine's settings and version.
fn entry_name(digest: &str, engine: &Engine) -> String {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{digest}-{:016x}.artifact", hasher.finish())
}

enum Unfit {
    Missing,
    Because(String),
}

impl From<io::Error> for Unfit {
    fn from(error: io::Error) -> Unfit {
        match error.kind() {
            io::ErrorKind::NotFound => Unfit::Missing,
            _ => Unfit::Because(error.to_string()),
        }
    }
}

fn read_entry(directory: &Path, path: &Path) -> Result<Vec<u8>, Unfit> {
    check_ownership(&fs::metadata(directory)?, "its directory")?;
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)?;
    // The open file is asked, not the path: the path may name another one by now.
    let metadata = file.metadata()?;
    check_ownership(&metadata, "the entry")?;
    if !metadata.is_file() || metadata.len() > (MAX_ARTIFACT + HEADER) as u64 {
        return Err(Unfit::Because("it is no file that was written here".to_owned()));
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    (&mut file).take((MAX_ARTIFACT + HEADER) as u64).read_to_end(&mut bytes)?;
    let artifact = bytes.get(HEADER..).ok_or_else(damaged)?;
    let (magic, digest) = bytes[..HEADER].split_at(MAGIC.len());
    match magic == MAGIC && digest == seal(path, artifact).as_slice() {
        true => Ok(bytes.split_off(HEADER)),
        false => Err(damaged()),
    }
}

/// The digest over an entry's name and its artifact.
fn seal(path: &Path, artifact: &[u8]) -> [u8; 32] {
    let name = path.file_name().unwrap_or_default();
    let digest = Sha256::new().chain_update(name.as_bytes()).chain_update([0]);
    digest.chain_update(artifact).finalize().into()
}

fn damaged() -> Unfit {
    Unfit::Because("the entry is damaged".to_owned())
}

fn check_ownership(metadata: &fs::Metadata, what: &str) -> Result<(), Unfit> {
    if metadata.uid() != nix::unistd::geteuid().as_raw() {
        return Err(Unfit::Because(format!("{what} belongs to another user")));
    }
    match metadata.mode() & 0o022 {
        0 => Ok(()),
        _ => Err(Unfit::Because(format!("{what} can be written by others"))),
    }
}

fn make_directory(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    match check_ownership(&fs::metadata(directory)?, "the directory") {
        Ok(()) => Ok(()),
        Err(_) => Err(io::ErrorKind::PermissionDenied.into()),
    }
}

/// Writes beside the entry and renames: a reader sees all of it or nothing.
fn write_entry(directory: &Path, name: &str, artifact: &[u8]) -> io::Result<()> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let temporary = directory.join(format!(".{name}.{:016x}", u64::from_ne_bytes(random)));
    let written = write_new(&temporary, &seal(Path::new(name), artifact), artifact)
        .and_then(|()| fs::rename(&temporary, directory.join(name)));
    if written.is_err() {
        // The disk is full or the directory is going away; the rest is its owner's.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write_new(path: &Path, seal: &[u8; 32], artifact: &[u8]) -> io::Result<()> {
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(MAGIC)?;
    file.write_all(seal)?;
    file.write_all(artifact)
}

/// Removes the oldest entries beyond [`MAX_ENTRIES`]. Best effort: two runs may
/// prune at once.
fn prune(directory: &Path) {
    let Ok(listing) = fs::read_dir(directory) else { return };
    let mut entries: Vec<_> = listing
        .flatten()
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    entries.sort();
    let surplus = entries.len().saturating_sub(MAX_ENTRIES);
    for (_, path) in entries.into_iter().take(surplus) {
        let _ = fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const DIGEST: &str = "00ff";

    struct World {
        _home: tempfile::TempDir,
        cache: Cache,
        entry: PathBuf,
        engine: Engine,
    }

    /// A cache with one good entry.
    fn world() -> World {
        let home = tempfile::tempdir().expect("a directory");
        let directory = home.path().join("portscan");
        let engine = Engine::default();
        let cache = Cache::at(Some(directory.clone()));
        cache.store(DIGEST, &engine, b"machine code");
        let entry = directory.join(entry_name(DIGEST, &engine));
        World { _home: home, cache, entry, engine }
    }

    fn why_unsafe(world: &World) -> String {
        match world.cache.find(DIGEST, &world.engine) {
            Found::Unsafe(why) => why,
            Found::Artifact(_) => "believed".to_owned(),
            Found::Nothing => "missing".to_owned(),
        }
    }

    #[test]
    fn what_was_stored_is_found_and_private() {
        let world = world();
        let Found::Artifact(artifact) = world.cache.find(DIGEST, &world.engine) else {
            panic!("not found")
        };
        assert_eq!(artifact, b"machine code");
        let mode = |path: &Path| fs::metadata(path).expect("there").mode() & 0o777;
        assert_eq!(mode(&world.entry), 0o600);
        assert_eq!(mode(world.entry.parent().expect("a directory")), 0o700);
    }

    #[test]
    fn an_entry_of_another_component_is_not_found() {
        let world = world();
        assert!(matches!(world.cache.find("aa", &world.engine), Found::Nothing));
    }

    #[test]
    fn a_damaged_swapped_or_cut_entry_is_ignored() {
        let world = world();
        let good = fs::read(&world.entry).expect("there");
        let mut flipped = good.clone();
        flipped[HEADER] ^= 1;
        for bad in
            [flipped, good[..HEADER - 1].to_vec(), good[..good.len() - 1].to_vec(), Vec::new()]
        {
            fs::write(&world.entry, bad).expect("written");
            assert!(why_unsafe(&world).contains("damaged"));
        }
    }

    #[test]
    fn the_entry_of_another_component_in_its_place_is_ignored() {
        let world = world();
        world.cache.store("aa", &world.engine, b"other code");
        let other = world.entry.with_file_name(entry_name("aa", &world.engine));
        fs::rename(other, &world.entry).expect("moved");
        assert!(why_unsafe(&world).contains("damaged"));
    }

    #[test]
    fn an_entry_or_directory_that_others_can_write_is_ignored() {
        let world = world();
        fs::set_permissions(&world.entry, fs::Permissions::from_mode(0o620)).expect("ours");
        assert!(why_unsafe(&world).contains("the entry can be written by others"));
        fs::set_permissions(&world.entry, fs::Permissions::from_mode(0o600)).expect("ours");
        let directory = world.entry.parent().expect("a directory");
        fs::set_permissions(directory, fs::Permissions::from_mode(0o777)).expect("ours");
        assert!(why_unsafe(&world).contains("its directory can be written by others"));
    }

    #[test]
    fn a_link_or_a_pipe_in_the_entrys_place_is_ignored() {
        let world = world();
        let elsewhere = world.entry.with_extension("elsewhere");
        fs::rename(&world.entry, &elsewhere).expect("moved");
        std::os::unix::fs::symlink(&elsewhere, &world.entry).expect("linked");
        assert!(!matches!(world.cache.find(DIGEST, &world.engine), Found::Artifact(_)));
    }

    #[test]
    fn a_directory_of_another_user_is_ignored() {
        let world = world();
        let directory = world.entry.parent().expect("a directory");
        if std::os::unix::fs::chown(directory, Some(65_534), None).is_err() {
            // Only root can give a directory away; the test below needs no root.
            assert!(!nix::unistd::geteuid().is_root());
            return;
        }
        assert!(why_unsafe(&world).contains("belongs to another user"));
    }

    #[test]
    fn a_cache_that_cannot_be_written_is_worked_without() {
        let cache = Cache::at(Some(PathBuf::from("/dev/null/portscan")));
        let engine = Engine::default();
        cache.store(DIGEST, &engine, b"code");
        assert!(!matches!(cache.find(DIGEST, &engine), Found::Artifact(_)));
    }

    #[test]
    fn only_so_many_entries_are_kept() {
        let world = world();
        for n in 0..MAX_ENTRIES + 5 {
            world.cache.store(&format!("{n:04}"), &world.engine, b"x");
        }
        let directory = world.entry.parent().expect("a directory");
        assert_eq!(fs::read_dir(directory).expect("there").count(), MAX_ENTRIES);
    }
}
