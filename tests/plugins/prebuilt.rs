//! Each prebuilt component is the one that its sources make.

use std::env;
use std::fs;
use std::path::PathBuf;

use portscan::author::build::{
    BuildError, BuildOptions, Built, CargoOutput, METADATA_SECTION, build,
};
use portscan::model::Metadata;
use wasmparser::{Parser, Payload};

use crate::host::describe;
use crate::lock::{Entry, Lock, locked_version, sha256, source_digest, top};

/// Every crate that has a prebuilt component: the folder of its sources, and
/// the file below `plugins/prebuilt`. The example is not a built-in plugin, so
/// it does not lie beside them.
fn crates() -> Vec<(String, String)> {
    let mut crates = vec![("examples/hello-check".to_owned(), "examples/hello.wasm".to_owned())];
    for entry in fs::read_dir(top().join("plugins")).expect("plugins can be listed") {
        let name = entry.expect("an entry can be read").file_name().to_string_lossy().into_owned();
        let is_plugin = top().join("plugins").join(&name).join("Cargo.toml").is_file();
        if is_plugin && name != "sdk" {
            crates.push((format!("plugins/{name}"), format!("{name}.wasm")));
        }
    }
    crates.sort();
    crates
}

fn prebuilt(file: &str) -> PathBuf {
    top().join("plugins/prebuilt").join(file)
}

fn built(source: &str) -> Result<Built, BuildError> {
    let options = BuildOptions { output: CargoOutput::Kept, ..BuildOptions::from_environment() };
    build(&top().join(source), &options, &describe)
}

fn section(component: &[u8]) -> Option<Metadata> {
    Parser::new(0).parse_all(component).find_map(|payload| match payload {
        Ok(Payload::CustomSection(section)) if section.name() == METADATA_SECTION => {
            serde_json::from_slice(section.data()).ok()
        }
        _ => None,
    })
}

#[test]
fn every_prebuilt_component_was_made_from_the_sources_that_are_here() {
    let lock = if rebuilding() { rebuild() } else { Lock::read() };
    let expected: Vec<_> = crates().into_iter().map(|(_, file)| file).collect();
    let mut locked: Vec<_> = lock.component.keys().cloned().collect();
    locked.sort_by_key(|file| lock.component[file].source.clone());
    assert_eq!(
        locked, expected,
        "each plugin has a prebuilt component: run plugins/prebuilt/rebuild"
    );
    for (file, entry) in &lock.component {
        let digest = source_digest(&entry.source);
        assert_eq!(
            digest, entry.source_sha256,
            "{file} is older than its sources: run plugins/prebuilt/rebuild"
        );
    }
}

#[test]
fn every_prebuilt_component_is_the_file_that_the_lock_records() {
    if rebuilding() {
        return;
    }
    for (file, entry) in &Lock::read().component {
        let bytes = fs::read(prebuilt(file)).expect("a locked file can be read");
        assert_eq!(
            (sha256(&bytes), bytes.len() as u64),
            (entry.sha256.clone(), entry.size),
            "{file}"
        );
    }
}

#[test]
fn every_prebuilt_component_carries_the_metadata_that_it_describes() {
    if rebuilding() {
        return;
    }
    for file in Lock::read().component.keys() {
        let bytes = fs::read(prebuilt(file)).expect("a locked file can be read");
        let described = describe(&bytes).expect("a prebuilt component describes itself");
        assert_eq!(section(&bytes), Some(described), "{file}");
    }
}

/// Panic messages hold the paths of source files. Those of the machine that
/// built it would give it away, and make every machine's bytes its own.
#[test]
fn no_prebuilt_component_names_a_folder_of_the_machine_that_built_it() {
    if rebuilding() {
        return;
    }
    for file in Lock::read().component.keys() {
        let bytes = fs::read(prebuilt(file)).expect("a locked file can be read");
        let text = String::from_utf8_lossy(&bytes);
        let folders = ["/home/", "/root/", "/tmp/", "/usr/", "/var/", "/work/", "/.cargo/"];
        let found = folders.iter().find(|folder| text.contains(*folder));
        assert_eq!(found, None, "{file}");
    }
}

#[test]
fn building_from_source_gives_the_prebuilt_bytes() {
    if rebuilding() {
        return;
    }
    let mut skipped = None;
    for (file, entry) in &Lock::read().component {
        let built = match built(&entry.source) {
            Ok(built) => built,
            Err(error @ BuildError::NoToolchain { .. }) => {
                skipped = Some(error.to_string());
                break;
            }
            Err(error) => panic!("{file}: {error}\n{}", error.hint()),
        };
        let made_with = (built.compiler.clone(), versions());
        if made_with
            != (entry.rustc.clone(), (entry.wit_bindgen.clone(), entry.wit_component.clone()))
        {
            skipped = Some(format!("built with {made_with:?}, not as plugins.lock records"));
            break;
        }
        assert_eq!(sha256(&built.component), entry.sha256, "{file} is not what its sources make");
    }
    if let Some(why) = skipped {
        skip("building_from_source_gives_the_prebuilt_bytes", &why);
    }
}

/// A test that cannot run here says so by name; where a skip is not allowed, it fails.
#[allow(clippy::print_stderr)]
fn skip(test: &str, why: &str) {
    eprintln!("SKIPPED: {test}: {why}");
    let forbidden = env::var_os("CI").is_some() || env::var_os("PORTSCAN_NO_SKIP").is_some();
    assert!(!forbidden, "{test} must not be skipped here: {why}");
}

fn versions() -> (String, String) {
    (locked_version("portscan-plugin", "wit-bindgen"), locked_version("portscan", "wit-component"))
}

fn rebuilding() -> bool {
    env::var_os("PORTSCAN_REBUILD").is_some()
}

fn rebuild() -> Lock {
    let mut lock = Lock::default();
    for (source, file) in crates() {
        let built =
            built(&source).unwrap_or_else(|error| panic!("{source}: {error}\n{}", error.hint()));
        let path = prebuilt(&file);
        fs::create_dir_all(path.parent().expect("below plugins/prebuilt"))
            .expect("a folder can be made");
        fs::write(&path, &built.component).expect("a component can be written");
        let (wit_bindgen, wit_component) = versions();
        let entry = Entry {
            source_sha256: source_digest(&source),
            source,
            sha256: sha256(&built.component),
            size: built.component.len() as u64,
            rustc: built.compiler,
            wit_bindgen,
            wit_component,
        };
        lock.component.insert(file, entry);
    }
    lock.write();
    lock
}
