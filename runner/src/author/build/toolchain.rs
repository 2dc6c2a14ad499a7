//! Which compiler makes the module.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::BuildError;

/// The target: no operating system, so that no WASI import can appear.
pub(super) const TARGET: &str = "wasm32-unknown-unknown";

/// A compiler that can make WebAssembly, and what it needs to run.
pub(super) struct Toolchain {
    /// Variables for cargo's environment.
    pub(super) environment: Vec<(String, OsString)>,
    /// Further arguments for `cargo build`.
    pub(super) arguments: Vec<String>,
    /// Where the sources of the standard library lie, by every name that the
    /// place has: they end up in panic messages, so they are mapped to a constant.
    pub(super) std_sources: Vec<PathBuf>,
    /// As `rustc --version` prints it.
    pub(super) version: String,
}

/// Chooses a compiler:
/// 1. the one in `root`, when a root is given;
/// 2. rustup's, when its wasm target is installed;
/// 3. rustup's, after asking rustup for that target.
pub(super) fn choose(root: Option<&Path>) -> Result<Toolchain, BuildError> {
    if let Some(root) = root {
        return unpacked(root);
    }
    let sysroot = sysroot()?;
    if !has_target(&sysroot) {
        add_target(&sysroot)?;
    }
    Ok(Toolchain {
        environment: Vec::new(),
        arguments: Vec::new(),
        std_sources: vec![sysroot.join("lib/rustlib/src/rust")],
        version: output(Command::new("rustc").arg("--version"))?,
    })
}

/// Debian's packages, unpacked. They hold the standard library as source only:
/// cargo compiles it along, which rustc calls unstable.
fn unpacked(root: &Path) -> Result<Toolchain, BuildError> {
    let missing = |why: &str| BuildError::ToolchainRoot { root: root.into(), why: why.to_owned() };
    let root = root.canonicalize().map_err(|error| missing(&error.to_string()))?;
    let rustc = root.join("usr/bin/rustc");
    if !rustc.is_file() {
        return Err(missing("it holds no usr/bin/rustc"));
    }
    let libraries = root.join(format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH));
    // Debian's folder is a link, and rustc names files by either end of it.
    let mut std_sources = vec![root.join("usr/lib/rustlib/src/rust")];
    std_sources.extend(std_sources[0].canonicalize());
    let version = output(Command::new(&rustc).arg("--version").env("LD_LIBRARY_PATH", &libraries))
        .map_err(|error| missing(&error.to_string()))?;
    let linker = linker()?.ok_or_else(|| {
        missing("no rust-lld beside rustup's compiler and no wasm-ld on the PATH to link with")
    })?;
    Ok(Toolchain {
        environment: vec![
            ("RUSTC".to_owned(), rustc.into()),
            ("LD_LIBRARY_PATH".to_owned(), libraries.into()),
            ("RUSTC_BOOTSTRAP".to_owned(), "1".into()),
            ("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER".to_owned(), linker.into()),
        ],
        arguments: vec!["-Zbuild-std=std,panic_abort".to_owned()],
        std_sources,
        version,
    })
}

/// A linker for WebAssembly. Debian's compiler brings none; rustup's does.
fn linker() -> Result<Option<PathBuf>, BuildError> {
    let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let rust_lld = sysroot()?.join("lib/rustlib").join(host).join("bin/rust-lld");
    let on_path = std::env::var_os("PATH")
        .into_iter()
        .flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>())
        .map(|dir| dir.join("wasm-ld"));
    Ok(std::iter::once(rust_lld).chain(on_path).find(|path| path.is_file()))
}

fn sysroot() -> Result<PathBuf, BuildError> {
    output(Command::new("rustc").args(["--print", "sysroot"])).map(PathBuf::from)
}

fn has_target(sysroot: &Path) -> bool {
    sysroot.join("lib/rustlib").join(TARGET).join("lib").is_dir()
}

fn add_target(sysroot: &Path) -> Result<(), BuildError> {
    let failed = |rustup: String| BuildError::NoToolchain { rustup };
    let asked = Command::new("rustup")
        .args(["target", "add", TARGET])
        .output()
        .map_err(|error| failed(format!("rustup cannot be run: {error}")))?;
    if asked.status.success() && has_target(sysroot) {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&asked.stderr);
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    Err(failed(format!("rustup says: {}", last.unwrap_or("nothing").trim())))
}

/// The first line that `command` prints.
fn output(command: &mut Command) -> Result<String, BuildError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let ran = command
        .output()
        .and_then(|ran| {
            let text = String::from_utf8_lossy(&ran.stderr).into_owned();
            if ran.status.success() { Ok(ran) } else { Err(std::io::Error::other(text)) }
        })
        .map_err(|source| BuildError::Program { program, source })?;
    Ok(String::from_utf8_lossy(&ran.stdout).lines().next().unwrap_or_default().to_owned())
}
