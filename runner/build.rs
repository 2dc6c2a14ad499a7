//! Lists the built-in plugins (every component in `plugins/prebuilt/`) with what they
//! can find, and what a new plugin is written with (the SDK, the contract, and the
//! contract as C).
//!
//! A plugin is one folder; adding one touches no list, here or elsewhere.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use wit_bindgen_core::Files;
use wit_bindgen_core::wit_parser::Resolve;

fn main() -> Result<(), Box<dyn Error>> {
    let top = fs::canonicalize(Path::new(&env::var("CARGO_MANIFEST_DIR")?).join(".."))?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut list = String::from("&[\n");
    for path in files(&top.join("plugins/prebuilt"), "wasm", false)? {
        writeln!(list, "    include_bytes!({path:?}),")?;
    }
    list.push_str("]\n");
    fs::write(out.join("prebuilt.rs"), list)?;

    fs::write(out.join("findings.rs"), findings(&top)?)?;

    let mut list = String::from("&[\n");
    let sdk = top.join("plugins/sdk");
    let mut all = files(&sdk.join("src"), "rs", true)?;
    all.extend([sdk.join("Cargo.toml"), sdk.join("build.rs")]);
    all.extend(files(&top.join("wit"), "wit", false)?);
    for path in all {
        println!("cargo::rerun-if-changed={}", path.display());
        let name = path.strip_prefix(&top)?;
        writeln!(list, "    ({name:?}, include_str!({path:?})),")?;
    }
    list.push_str("]\n");
    fs::write(out.join("sdk.rs"), list)?;
    contract_as_c(&top.join("wit"), &out)
}

/// What a plugin in C includes and is linked with.
fn contract_as_c(wit: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(wit)?;
    let world = resolve.select_world(&[package], Some("check-plugin"))?;
    let mut files = Files::default();
    let options =
        wit_bindgen_c::Opts { rename_world: Some("portscan".into()), ..Default::default() };
    options.build().generate(&mut resolve, world, &mut files)?;
    for (name, bytes) in files.iter() {
        fs::write(out.join(name), bytes)?;
    }
    Ok(())
}

/// The names of all findings of each built-in plugin, as its sources have them. A
/// plugin that upgrades to TLS finds what the SDK does as well.
/// tests/plugins/findings.rs holds the list to what the components really say.
fn findings(top: &Path) -> Result<String, Box<dyn Error>> {
    let tls = names(&fs::read_to_string(top.join("plugins/sdk/src/tls.rs"))?);
    let mut list = String::from("&[\n");
    for component in files(&top.join("plugins/prebuilt"), "wasm", false)? {
        let name = component.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let mut found = BTreeSet::new();
        for source in files(&top.join("plugins").join(&name).join("src"), "rs", true)? {
            let text = fs::read_to_string(source)?;
            found.extend(names(&text));
            if text.contains(".tls_findings(") {
                found.extend(tls.iter().cloned());
            }
        }
        writeln!(list, "    ({name:?}, &{:?}),", found.into_iter().collect::<Vec<_>>())?;
    }
    list.push_str("]\n");
    Ok(list)
}

/// The names in `.finding("NAME", ...)` and `.maybe_finding("NAME", ...)`.
fn names(source: &str) -> BTreeSet<String> {
    let name =
        |rest: &str| Some(rest.trim_start().strip_prefix('"')?.split_once('"')?.0.to_owned());
    source.split("finding(").skip(1).filter_map(name).collect()
}

/// The files of a folder with this ending, sorted; those of its folders too when
/// `deep`.
fn files(folder: &Path, ending: &str, deep: bool) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && deep {
            all.extend(files(&path, ending, deep)?);
        } else if path.extension().is_some_and(|extension| extension == ending) {
            println!("cargo::rerun-if-changed={}", path.display());
            all.push(path);
        }
    }
    all.sort();
    Ok(all)
}
