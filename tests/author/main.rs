//! docs/PLUGINS.md as its reader follows it: every command, in an empty folder, with
//! the real binary. And a doctor for what is no plugin.

mod heartbeat;
mod languages;
mod registry;
#[allow(dead_code)]
#[path = "../support/skip.rs"]
mod skip;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

/// The repository's own folder.
fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The commands in the document's `sh` blocks, in order.
fn commands() -> Vec<String> {
    let text = std::fs::read_to_string(top().join("docs/PLUGINS.md")).unwrap();
    let mut inside = false;
    let mut commands = Vec::new();
    for line in text.lines().map(str::trim) {
        match line {
            "```sh" => inside = true,
            "```" => inside = false,
            command if inside => commands.push(command.to_owned()),
            _ => {}
        }
    }
    commands
}

/// A shell's line with our portscan first on the path, in a folder.
fn shell(line: &str, folder: &Path) -> Output {
    let binary = Path::new(env!("CARGO_BIN_EXE_portscan"));
    let path = format!("{}:{}", binary.parent().unwrap().display(), std::env::var("PATH").unwrap());
    Command::new("bash")
        .args(["-c", line])
        .current_dir(folder)
        .env("PATH", path)
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .env("XDG_DATA_HOME", folder.join("data"))
        // Their crates are built in folders of their own, as a reader's are.
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap()
}

#[test]
#[allow(clippy::print_stderr)]
fn the_documents_commands_work_from_an_empty_folder() {
    let folder = tempfile::tempdir().unwrap();
    let commands = commands();
    assert!(commands.len() >= 5, "{commands:?}");
    let began = Instant::now();
    for command in &commands {
        let ended = shell(command, folder.path());
        let (out, err) =
            (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
        assert!(ended.status.success(), "{command}\n{out}\n{err}");
        if command.contains("plugin test") {
            assert!(out.contains(" 0 failed (--seed"), "{out}");
        }
        if command.contains("plugin show") {
            assert!(out.contains("my-check.word"), "{out}");
        }
    }
    eprintln!("from an empty folder to a tested plugin: {:.1} s", began.elapsed().as_secs_f64());
}

#[test]
fn what_is_no_plugin_is_told_with_the_way_to_mend_it() {
    let folder = tempfile::tempdir().unwrap();
    let dns = std::fs::read(top().join("plugins/prebuilt/dns.wasm")).unwrap();
    let core = b"\0asm\x01\0\0\0";
    let wasi = wat::parse_str(
        r#"(component (import "wasi:cli/environment@0.2.0" (instance (export "f" (func)))))"#,
    );
    let other = wat::parse_str(
        r#"(component (import "portscan:plugin/host@0.9.0" (instance (export "f" (func)))))"#,
    );
    let cases: [(&str, &[u8], &str); 6] = [
        ("cut.wasm", &dns[..dns.len() / 2], "damaged or cut off"),
        ("core.wasm", core, "portscan plugin build DIR"),
        ("text.wasm", b"hello", "not WebAssembly"),
        ("empty.wasm", b"\0asm\x0d\0\x01\0", "is no plugin"),
        ("wasi.wasm", &wasi.unwrap(), "without WASI"),
        ("other.wasm", &other.unwrap(), "Rebuild the plugin against the contract"),
    ];
    for (file, bytes, said) in cases {
        std::fs::write(folder.path().join(file), bytes).unwrap();
        let ended = shell(&format!("portscan plugin doctor {file}"), folder.path());
        let out = String::from_utf8_lossy(&ended.stdout);
        assert_eq!(ended.status.code(), Some(1), "{file}: {out}");
        assert!(out.contains(said), "{file}: {out}");
    }
    std::fs::write(folder.path().join("dns.wasm"), &dns).unwrap();
    let ended = shell("portscan plugin doctor dns.wasm", folder.path());
    assert_eq!(ended.status.code(), Some(0));
    let ended = shell("portscan plugin doctor nothere.wasm", folder.path());
    assert_eq!(ended.status.code(), Some(2));
}
