//! Lists the built-in plugins (every component in `plugins/prebuilt/`) and what a
//! new plugin is written with (the SDK, the contract, and the contract as C).
//!
//! A plugin is one folder; adding one touches no list, here or elsewhere.

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
