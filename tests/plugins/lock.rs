//! `plugins/prebuilt/plugins.lock`: from what each prebuilt file was made.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The lock file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// By file, relative to `plugins/prebuilt`.
    #[serde(default)]
    pub component: BTreeMap<String, Entry>,
}

/// One prebuilt file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Entry {
    /// Folder of the crate, from the top of the repository.
    pub source: String,
    /// Over the sources: see [`source_digest`].
    pub source_sha256: String,
    /// Over the file.
    pub sha256: String,
    /// Bytes of the file.
    pub size: u64,
    /// As `rustc --version` prints it.
    pub rustc: String,
    /// Version of the crate that made the guest side of the contract.
    pub wit_bindgen: String,
    /// Version of the crate that made the component.
    pub wit_component: String,
}

const HEAD: &str =
    "# From what each prebuilt component was made. Written by plugins/prebuilt/rebuild.\n\n";

impl Lock {
    pub fn read() -> Lock {
        let text = fs::read_to_string(path()).expect("plugins.lock is there");
        toml::from_str(&text).expect("plugins.lock is as rebuild wrote it")
    }

    pub fn write(&self) {
        let text = toml::to_string(self).expect("a lock is plain text");
        fs::write(path(), format!("{HEAD}{text}")).expect("plugins.lock can be written");
    }
}

fn path() -> PathBuf {
    top().join("plugins/prebuilt/plugins.lock")
}

/// The top of the repository.
pub fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .expect("the runner has a parent")
}

/// SHA-256, hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Digest over everything that goes into a component: the sources of the crate
/// in `source`, of the SDK, and the contract. Tests and transcripts do not.
pub fn source_digest(source: &str) -> String {
    let top = top();
    let mut files = Vec::new();
    for folder in [source, "plugins/sdk"] {
        files.push(top.join(folder).join("Cargo.toml"));
        collect(&top.join(folder).join("src"), &mut files);
    }
    files.push(top.join("plugins/sdk/build.rs"));
    collect(&top.join("wit"), &mut files);
    files.retain(|file| !file.starts_with(top.join("plugins/sdk/src/transcript")));
    files.sort();

    let mut digest = Sha256::new();
    for file in files {
        let name = file
            .strip_prefix(&top)
            .expect("collected below the top")
            .to_string_lossy()
            .into_owned();
        let content = fs::read(&file).expect("a listed source can be read");
        digest.update(format!("{name}\0{}\0", content.len()));
        digest.update(content);
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a source folder can be read") {
        let path = entry.expect("a folder's entry can be read").path();
        if path.is_dir() { collect(&path, files) } else { files.push(path) }
    }
}

/// The version of crate `name` that package `user` is built with, by Cargo.lock.
pub fn locked_version(user: &str, name: &str) -> String {
    let text = fs::read_to_string(top().join("Cargo.lock")).expect("Cargo.lock is there");
    let lock: toml::Table = toml::from_str(&text).expect("Cargo.lock is TOML");
    let packages = lock["package"].as_array().expect("Cargo.lock lists packages");
    let named = |wanted: &str| {
        packages
            .iter()
            .filter(|package| package["name"].as_str() == Some(wanted))
            .collect::<Vec<_>>()
    };
    let dependencies = named(user)[0]["dependencies"].as_array().expect("it has dependencies");
    // A dependency is written `name`, or `name version` when several are locked.
    let written = dependencies
        .iter()
        .filter_map(|dependency| dependency.as_str())
        .find(|dependency| dependency.split(' ').next() == Some(name))
        .unwrap_or_else(|| panic!("{user} does not use {name}"));
    let version = written.split(' ').nth(1).or_else(|| named(name)[0]["version"].as_str());
    version.expect("a locked package has a version").to_owned()
}
