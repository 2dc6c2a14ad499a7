//! The plugin's crate, through cargo.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::{env, fs};

use serde::Deserialize;

use super::toolchain::{TARGET, Toolchain};
use super::{BuildError, BuildOptions, CargoOutput};

/// The crate to build.
pub(super) struct Package {
    name: String,
    manifest: PathBuf,
    /// File name of the module that cargo makes, without its folder.
    module: String,
    workspace_root: PathBuf,
    target_dir: PathBuf,
}

/// What `cargo metadata --format-version 1` says, as far as it matters here.
#[derive(Deserialize)]
struct CargoMetadata {
    packages: Vec<CargoPackage>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
struct CargoPackage {
    name: String,
    manifest_path: PathBuf,
    targets: Vec<CargoTarget>,
}

#[derive(Deserialize)]
struct CargoTarget {
    name: String,
    crate_types: Vec<String>,
}

/// Reads the crate in `dir`.
pub(super) fn read(dir: &Path) -> Result<Package, BuildError> {
    let refused = |text: String| BuildError::Manifest { dir: dir.to_owned(), text };
    let manifest = dir
        .join("Cargo.toml")
        .canonicalize()
        .map_err(|error| refused(format!("Cargo.toml: {error}")))?;
    let mut command = cargo();
    command.args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"]);
    let ran = run(command.arg(&manifest))?;
    if !ran.status.success() {
        return Err(refused(String::from_utf8_lossy(&ran.stderr).trim().to_owned()));
    }
    let metadata: CargoMetadata =
        serde_json::from_slice(&ran.stdout).map_err(|error| refused(error.to_string()))?;
    let package =
        metadata
            .packages
            .into_iter()
            .find(|package| package.manifest_path == manifest)
            .ok_or_else(|| refused("it is a workspace without a package of its own".to_owned()))?;
    let library = package
        .targets
        .iter()
        .find(|target| target.crate_types.iter().any(|kind| kind == "cdylib"))
        .ok_or_else(|| BuildError::NotAPlugin { package: package.name.clone() })?;
    Ok(Package {
        module: format!("{}.wasm", library.name.replace('-', "_")),
        name: package.name,
        manifest,
        workspace_root: metadata.workspace_root,
        target_dir: metadata.target_directory,
    })
}

/// Compiles the crate and returns the bytes of its core module.
pub(super) fn compile(
    package: &Package,
    toolchain: &Toolchain,
    options: &BuildOptions,
) -> Result<Vec<u8>, BuildError> {
    // A folder of its own: another compiler in the crate's usual one would make
    // the two rebuild everything in turns.
    let own = || package.target_dir.join("portscan-plugin");
    let target_dir = options.target_dir.clone().unwrap_or_else(own);

    let mut command = cargo();
    command
        .args(["build", "--release", "--lib", "--target", TARGET, "--package", &package.name])
        .args(&toolchain.arguments)
        .arg("--manifest-path")
        .arg(&package.manifest)
        .arg("--target-dir")
        .arg(&target_dir)
        .envs(PROFILE)
        .env("CARGO_ENCODED_RUSTFLAGS", rustflags(package, toolchain))
        .envs(toolchain.environment.iter().map(|(name, value)| (name, value)));
    if options.output == CargoOutput::Shown {
        command.stderr(Stdio::inherit());
    }
    let ran = run(&mut command)?;
    if !ran.status.success() {
        let text = String::from_utf8_lossy(&ran.stderr).trim().to_owned();
        return Err(BuildError::Cargo { package: package.name.clone(), text });
    }
    let path = target_dir.join(TARGET).join("release").join(&package.module);
    fs::read(&path).map_err(|source| BuildError::Read { path, source })
}

/// The release profile of plugins, whatever the crate's own manifest says: small,
/// one unit (so that the order of functions is one), nothing of this machine in it.
///
/// Arithmetic that overflows traps: a check that counts wrong must not go on.
const PROFILE: [(&str, &str); 8] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "s"),
    ("CARGO_PROFILE_RELEASE_LTO", "fat"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"),
    ("CARGO_PROFILE_RELEASE_PANIC", "abort"),
    ("CARGO_PROFILE_RELEASE_STRIP", "symbols"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "false"),
    ("CARGO_PROFILE_RELEASE_INCREMENTAL", "false"),
    ("CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS", "true"),
];

/// Flags that take this machine's folders out of the panic messages, joined as
/// cargo wants them. They replace any RUSTFLAGS that the caller has set.
fn rustflags(package: &Package, toolchain: &Toolchain) -> OsString {
    let mut flags = OsString::new();
    let mut remap = |from: &Path, to: &str| {
        if !flags.is_empty() {
            flags.push("\u{1f}");
        }
        flags.push("--remap-path-prefix=");
        flags.push(from);
        flags.push("=");
        flags.push(to);
    };
    // The last that fits is taken (rustc's manual, --remap-path-prefix), and the
    // others may lie below the workspace: in its `target`, or a vendored registry.
    remap(&package.workspace_root, "/plugin");
    for registry in registries() {
        remap(&registry, "/cargo");
    }
    for std_source in &toolchain.std_sources {
        remap(std_source, "/rust");
        // Below the workspace, cargo names files as seen from there.
        if let Ok(relative) = std_source.strip_prefix(&package.workspace_root) {
            remap(relative, "/rust");
        }
    }
    flags
}

/// The folders that hold the sources of crates, one for each registry: their
/// names depend on the registry's address, so a mirror would change the bytes.
fn registries() -> Vec<PathBuf> {
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    let entries = home.and_then(|home| fs::read_dir(home.join("registry/src")).ok());
    let mut registries: Vec<_> = entries
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    registries.sort();
    registries
}

/// Cargo; the one that runs us, when one does.
fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn run(command: &mut Command) -> Result<Output, BuildError> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).output().map_err(|source| BuildError::Program { program, source })
}
