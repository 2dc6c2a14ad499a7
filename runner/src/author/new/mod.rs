//! A folder to begin a plugin with, that builds and passes its tests at once.
//!
//! It holds its own copy of the SDK and the contract, so that it lies anywhere and
//! stays as it is when portscan changes.

use std::io;
use std::path::{Path, PathBuf};

use crate::host::CONTRACT;

/// What a plugin is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Rust, with the SDK.
    Rust,
    /// C, with the contract as wit-bindgen writes it.
    C,
    /// JavaScript, on QuickJS.
    JavaScript,
    /// Python, with its interpreter.
    Python,
}

/// Files of a new plugin: path and text.
type Files = &'static [(&'static str, &'static str)];

/// What a new plugin has in every language.
const SHARED: Files = &[
    ("transcripts/answers.toml", include_str!("template/transcripts/answers.toml")),
    ("transcripts/another.toml", include_str!("template/transcripts/another.toml")),
];

const RUST: Files = &[
    ("Cargo.toml", include_str!("template/rust/Cargo.toml.in")),
    ("README.md", include_str!("template/rust/README.md")),
    ("src/lib.rs", include_str!("template/rust/src/lib.rs")),
    ("tests/transcripts.rs", include_str!("template/rust/tests/transcripts.rs")),
];

const C: Files = &[
    ("README.md", include_str!("template/c/README.md")),
    ("plugin.c", include_str!("template/c/plugin.c")),
    ("portscan/portscan.c", include_str!(concat!(env!("OUT_DIR"), "/portscan.c"))),
    ("portscan/portscan.h", include_str!(concat!(env!("OUT_DIR"), "/portscan.h"))),
];

/// The contract's type, for the linker to put into a C plugin.
const C_TYPE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/portscan_component_type.o"));

const JAVASCRIPT: Files = &[
    ("README.md", include_str!("template/javascript/README.md")),
    ("package.json", include_str!("template/javascript/package.json")),
    ("plugin.js", include_str!("template/javascript/plugin.js")),
];

const PYTHON: Files = &[
    ("README.md", include_str!("template/python/README.md")),
    ("plugin.py", include_str!("template/python/plugin.py")),
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
pub fn new(parent: &Path, name: &str, language: Language) -> Result<PathBuf, NewError> {
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
    let version = format!("@{}", CONTRACT.rsplit('@').next().unwrap_or_default());
    let files = match language {
        Language::Rust => RUST,
        Language::C => C,
        Language::JavaScript => JAVASCRIPT,
        Language::Python => PYTHON,
    };
    for (file, text) in SHARED.iter().chain(files) {
        // Generated files are as they are; their words may be ours.
        let text = match file.starts_with("portscan/") {
            true => (*text).to_owned(),
            false => {
                text.replace("NAME", name).replace("CRATE", &krate).replace("@VERSION", &version)
            }
        };
        write(&folder.join(file), text)?;
    }
    let built = "/target\n*.wasm\nnode_modules\n.venv\n__pycache__\n";
    write(&folder.join(".gitignore"), built)?;
    match language {
        Language::Rust => {
            for (file, text) in SDK {
                write(&folder.join("portscan").join(file), text)?;
            }
        }
        _ => {
            for (file, text) in SDK.iter().filter(|(file, _)| file.starts_with("wit/")) {
                write(&folder.join(file), text)?;
            }
        }
    }
    if language == Language::C {
        write(&folder.join("portscan/portscan_component_type.o"), C_TYPE)?;
    }
    Ok(folder)
}

fn write(path: &Path, bytes: impl AsRef<[u8]>) -> Result<(), NewError> {
    let failed = |source| NewError::Write { path: path.to_owned(), source };
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).map_err(failed)?;
    std::fs::write(path, bytes).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_and_nothing_is_overwritten() {
        let parent = tempfile::tempdir().unwrap();
        for bad in ["", "Upper", "-x", "x-", "a b", "../x", "1st"] {
            assert!(
                matches!(new(parent.path(), bad, Language::Rust), Err(NewError::Name(_))),
                "{bad}"
            );
        }
        let folder = new(parent.path(), "my-check", Language::Rust).unwrap();
        assert!(folder.join("portscan/wit/world.wit").is_file());
        assert!(folder.join("portscan/plugins/sdk/src/lib.rs").is_file());
        let test = std::fs::read_to_string(folder.join("tests/transcripts.rs")).unwrap();
        assert!(test.contains("my_check::Service"), "{test}");
        assert!(matches!(new(parent.path(), "my-check", Language::Rust), Err(NewError::Exists(_))));
    }
}
