//! What was built for an earlier 0.1.x goes on working, and the contract only grows.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::portscan::program;

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Components that were built when the contract was 0.1.0, with every transcript of
/// their plugins: both halves, TCP, UDP, TLS, findings of every kind.
#[test]
fn plugins_built_for_an_earlier_contract_still_pass_their_transcripts() {
    for plugin in ["dns", "http"] {
        let component = top().join(format!("tests/guests/frozen/{plugin}-0.1.0.wasm"));
        let bytes = std::fs::read(&component).expect("it is committed");
        let inspection = portscan::host::inspect(&bytes).expect("it is a plugin");
        assert_eq!(inspection.interface_version, "0.1.0");
        assert_ne!(portscan::host::CONTRACT, "portscan:plugin@0.1.0");
        let ran = Command::new(program())
            .args(["plugin", "test"])
            .arg(&component)
            .arg("--transcripts")
            .arg(top().join(format!("plugins/{plugin}/transcripts")))
            .output()
            .expect("portscan starts");
        let said = String::from_utf8_lossy(&ran.stdout);
        let trouble = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{plugin}: {said}{trouble}");
        assert!(said.contains(" 0 failed"), "{said}");
    }
}

/// Within 0.1 functions may be added to imported interfaces, and nothing may be
/// changed: wasmtime refuses a variant with one case more and a record with one
/// field more.
#[test]
fn the_contract_holds_every_line_of_the_published_ones() {
    let lines = |file: &Path| -> Vec<String> {
        let text = std::fs::read_to_string(file).expect("the contract is there");
        let code = text.lines().map(|line| line.split("//").next().unwrap_or("").trim());
        code.filter(|line| !line.is_empty()).map(str::to_owned).collect()
    };
    let mut versions = 0;
    for version in std::fs::read_dir(top().join("wit/frozen")).expect("it is committed") {
        let version = version.expect("it is read").path();
        versions += 1;
        for file in std::fs::read_dir(&version).expect("it is a folder") {
            let file = file.expect("it is read").path();
            let name = file.file_name().expect("it has a name");
            let today = lines(&top().join("wit").join(name));
            let mut rest = today.iter();
            for line in lines(&file) {
                let is_version = line.starts_with("package ");
                // In the same order: cases and fields are numbered by it.
                assert!(is_version || rest.any(|now| *now == line), "{}: {line}", file.display());
            }
            let added: BTreeSet<&String> =
                today.iter().filter(|line| !lines(&file).contains(line)).collect();
            for line in added {
                assert!(
                    line.contains(": func(") || line.starts_with("package "),
                    "{}: only functions are added: {line}",
                    file.display()
                );
            }
        }
    }
    assert!(versions > 0);
}
