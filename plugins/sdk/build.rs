//! Encodes the three worlds of the contract, so that `export!` can put the one
//! that a plugin implements into its module. `wit_bindgen::generate!` would put
//! all three into every plugin, and each would then have to export everything.

use std::path::Path;
use std::{env, error, fs};

use wit_component::StringEncoding;
use wit_parser::Resolve;

fn main() -> Result<(), Box<dyn error::Error>> {
    println!("cargo::rerun-if-changed=../../wit");
    let wit = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../wit");
    let out = env::var("OUT_DIR")?;

    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(wit)?;
    for name in ["udp-probe-plugin", "check-plugin", "full-plugin"] {
        let world = resolve.select_world(&[package], Some(name))?;
        let encoded = wit_component::metadata::encode(&resolve, world, StringEncoding::UTF8, None)?;
        fs::write(Path::new(&out).join(name), encoded)?;
    }
    Ok(())
}
