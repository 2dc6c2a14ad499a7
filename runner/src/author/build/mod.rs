//! Turns a plugin's crate into the one file that portscan loads.
//!
//! For a crate four steps: choose a compiler that can make WebAssembly (`toolchain`), run
//! cargo on the crate (`package`), wrap the core module as a component and
//! write its metadata into it (`component`). The same sources, compiler and
//! linker give the same bytes wherever they lie on disk.
//!
//! Start reading at [`build`].

mod component;
mod error;
mod other;
mod package;
mod toolchain;

use std::path::{Path, PathBuf};

use crate::model::Metadata;

pub use component::{METADATA_SECTION, with_metadata};
pub use error::BuildError;

/// What to do with the lines that cargo writes while it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CargoOutput {
    /// They go to our own stderr: a first build takes a minute.
    Shown,
    /// They are kept, and become part of the error when cargo fails.
    Kept,
}

/// How to build.
#[derive(Clone, Debug)]
pub struct BuildOptions {
    /// Where Debian's WebAssembly compiler was unpacked (`tests/toolchain/wasm`
    /// does that). When given, it is used; else rustup's.
    pub toolchain_root: Option<PathBuf>,
    /// Where intermediate files go; none means a folder of its own inside the
    /// crate's target folder.
    pub target_dir: Option<PathBuf>,
    /// What becomes of cargo's own lines.
    pub output: CargoOutput,
}

impl BuildOptions {
    /// The variable that names a toolchain root.
    pub const TOOLCHAIN_ROOT: &str = "PORTSCAN_WASM_ROOT";

    /// What `portscan plugin build` does: the toolchain root that the
    /// environment names, cargo's lines shown.
    pub fn from_environment() -> BuildOptions {
        let toolchain_root = std::env::var_os(Self::TOOLCHAIN_ROOT).map(PathBuf::from);
        BuildOptions { toolchain_root, target_dir: None, output: CargoOutput::Shown }
    }
}

/// Asks a component without metadata who it is, by running its `describe`.
/// The text is why it could not.
pub type Describe<'a> = &'a dyn Fn(&[u8]) -> Result<Metadata, String>;

/// A component, ready to be written to a file.
#[derive(Clone, Debug)]
pub struct Built {
    /// The bytes of the file, metadata included.
    pub component: Vec<u8>,
    /// What the component says about itself.
    pub metadata: Metadata,
    /// Version of the compiler, as `rustc --version` prints it; of another language
    /// the tool.
    pub compiler: String,
}

/// Builds the plugin in `dir`: a crate, or `plugin.c`, `plugin.js`, `plugin.py`.
///
/// # Errors
/// See [`BuildError`]; each has a hint. Errors of the plugin's own source are
/// [`BuildError::Cargo`] with the compiler's words.
pub fn build(dir: &Path, options: &BuildOptions, describe: Describe) -> Result<Built, BuildError> {
    if let Some(language) = other::language(dir) {
        let made = other::build(dir, language)?;
        let bare = if made.is_module { component::encode(&made.bytes)? } else { made.bytes };
        return finished(&bare, describe, made.tool);
    }
    let package = package::read(dir)?;
    let toolchain = toolchain::choose(options.toolchain_root.as_deref())?;
    let module = package::compile(&package, &toolchain, options)?;
    let bare = component::encode(&module)?;
    finished(&bare, describe, toolchain.version)
}

fn finished(bare: &[u8], describe: Describe, compiler: String) -> Result<Built, BuildError> {
    let metadata = describe(bare).map_err(|text| BuildError::Describe { text })?;
    let component = component::with_metadata(bare, &metadata)?;
    Ok(Built { component, metadata, compiler })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn refused(manifest: Option<&str>) -> BuildError {
        let dir = tempfile::tempdir().expect("a folder can be made");
        if let Some(manifest) = manifest {
            fs::create_dir(dir.path().join("src")).expect("a folder can be made");
            fs::write(dir.path().join("src/lib.rs"), "").expect("a file can be written");
            fs::write(dir.path().join("Cargo.toml"), manifest).expect("a file can be written");
        }
        let options =
            BuildOptions { output: CargoOutput::Kept, ..BuildOptions::from_environment() };
        build(dir.path(), &options, &|_| Err("not reached".to_owned()))
            .expect_err("there is no plugin to build")
    }

    #[test]
    fn a_folder_without_a_crate_is_named_with_what_is_missing() {
        let error = refused(None);
        assert!(matches!(&error, BuildError::Manifest { text, .. } if text.contains("Cargo.toml")));
    }

    #[test]
    fn a_manifest_that_cargo_refuses_comes_with_cargos_words() {
        let error = refused(Some("[package]\nname = 7\n"));
        assert!(matches!(&error, BuildError::Manifest { text, .. } if text.contains("name")));
    }

    #[test]
    fn a_crate_without_a_cdylib_is_told_which_line_to_add() {
        let error = refused(Some("[package]\nname = \"x\"\nedition = \"2024\"\n[workspace]\n"));
        assert!(matches!(&error, BuildError::NotAPlugin { package } if package == "x"));
        assert!(error.hint().contains("cdylib"));
    }
}
