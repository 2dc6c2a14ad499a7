//! Lists the built-in plugins: every component in `plugins/prebuilt/`.
//!
//! A plugin is one folder; adding one touches no list, here or elsewhere.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../plugins/prebuilt");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut components: Vec<_> = fs::read_dir(&folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    components.retain(|path| path.extension().is_some_and(|extension| extension == "wasm"));
    components.sort();
    let mut list = String::from("&[\n");
    for path in components {
        let path = fs::canonicalize(path)?;
        println!("cargo::rerun-if-changed={}", path.display());
        writeln!(list, "    include_bytes!({path:?}),")?;
    }
    list.push_str("]\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("prebuilt.rs"), list)?;
    Ok(())
}
