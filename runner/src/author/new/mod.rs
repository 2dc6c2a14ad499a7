//! A folder to begin a plugin with, that builds and passes its tests at once.
//!
//! It holds its own copy of the SDK and the contract, so that it lies anywhere and
//! stays as it is when portscan changes.

use std::io;
use std::path::{Path, PathBuf};

/// The files of a new plugin. `NAME` and `CRATE` in them become the plugin's.
const TEMPLATE: [(&str, &str); 6] = [
    ("Cargo.toml", include_str!("template/Cargo.toml.in")),
    ("README.md", include_str!("template/README.md")),
    ("src/lib.rs", include_str!("template/src/lib.rs")),
    ("tests/transcripts.rs", include_str!("template/tests/transcripts.rs")),
    ("transcripts/answers.toml", include_str!("template/transcripts/answers.toml")),
    ("transcripts/another.toml", include_str!("template/transcripts/another.toml")),
];

/// The SDK and the contract, as they lie in portscan's own sources.
const SDK: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

/// Why there is no new plugin.
#[derive(Debug, thiserror::Error)]
pub enum NewError {
    /// The name is none.
    #[error(
        "'{0}' is no name for a plugin: lower-case letters, digits and hyphens, a letter first"
    )]
    Name(String),
    /// Something is there already.
    #[error("{} is there already: choose another name, or remove it", .0.display())]
    Exists(PathBuf),
    /// It cannot be written.
    #[error("{}: {source}", .path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// The operating system's word.
        source: io::Error,
    },
}

/// Writes a new plugin into the folder `parent`, and returns its own folder.
///
/// # Errors
/// [`NewError`]. What is there already is never touched.
pub fn new(parent: &Path, name: &str) -> Result<PathBuf, NewError> {
    let letter = name.starts_with(|c: char| c.is_ascii_lowercase());
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !letter || name.len() > 40 || !name.chars().all(plain) || name.ends_with('-') {
        return Err(NewError::Name(name.to_owned()));
    }
    let folder = parent.join(name);
    if folder.symlink_metadata().is_ok() {
        return Err(NewError::Exists(folder));
    }
    let krate = name.replace('-', "_");
    for (file, text) in TEMPLATE {
        write(&folder.join(file), &text.replace("NAME", name).replace("CRATE", &krate))?;
    }
    write(&folder.join(".gitignore"), "/target\n*.wasm\n")?;
    for (file, text) in SDK {
        write(&folder.join("portscan").join(file), text)?;
    }
    Ok(folder)
}

fn write(path: &Path, text: &str) -> Result<(), NewError> {
    let failed = |source| NewError::Write { path: path.to_owned(), source };
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).map_err(failed)?;
    std::fs::write(path, text).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_and_nothing_is_overwritten() {
        let parent = tempfile::tempdir().unwrap();
        for bad in ["", "Upper", "-x", "x-", "a b", "../x", "1st"] {
            assert!(matches!(new(parent.path(), bad), Err(NewError::Name(_))), "{bad}");
        }
        let folder = new(parent.path(), "my-check").unwrap();
        assert!(folder.join("portscan/wit/world.wit").is_file());
        assert!(folder.join("portscan/plugins/sdk/src/lib.rs").is_file());
        let test = std::fs::read_to_string(folder.join("tests/transcripts.rs")).unwrap();
        assert!(test.contains("my_check::Service"), "{test}");
        assert!(matches!(new(parent.path(), "my-check"), Err(NewError::Exists(_))));
    }
}
