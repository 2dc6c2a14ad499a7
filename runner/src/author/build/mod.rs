//! Turns a plugin's crate into the one file that portscan loads.
//!
//! Four steps: choose a compiler that can make WebAssembly (`toolchain`), run
//! cargo on the crate (`package`), wrap the core module as a component and
//! write its metadata into it (`component`). The same sources, compiler and
//! linker give the same bytes wherever they lie on disk.
//!
//! Start reading at [`build`].

mod component;
mod error;
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
    /// Version of the compiler, as `rustc --version` prints it.
    pub rustc: String,
}

/// Builds the plugin whose Cargo.toml is in `dir`.
///
/// # Errors
/// See [`BuildError`]; each has a hint. Errors of the plugin's own source are
/// [`BuildError::Cargo`] with the compiler's words.
pub fn build(dir: &Path, options: &BuildOptions, describe: Describe) -> Result<Built, BuildError> {
    let package = package::read(dir)?;
    let toolchain = toolchain::choose(options.toolchain_root.as_deref())?;
    let module = package::compile(&package, &toolchain, options)?;
    let bare = component::encode(&module)?;
    let metadata = describe(&bare).map_err(|text| BuildError::Describe { text })?;
    let component = component::with_metadata(&bare, &metadata)?;
    Ok(Built { component, metadata, rustc: toolchain.version })
}
