//! A plugin in each language, from an empty folder to one that passes its tests.

use std::path::Path;
use std::process::Command;

use crate::shell;

/// Begins a plugin and rehearses it; then it is used for real.
fn from_nothing_to_tested(lang: &str, smaller_than: u64) {
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &str, code: i32| {
        let ended = shell(line, folder.path());
        let said = String::from_utf8_lossy(&ended.stdout) + String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(code), "{lang}: {line}\n{said}");
        said.into_owned()
    };
    run(&format!("portscan plugin new mine --lang {lang}"), 0);
    let said = run("portscan plugin test mine", 0);
    assert!(said.contains("252 trials, 0 failed"), "{said}");
    let shown = run("portscan plugin show mine/mine.wasm", 0);
    assert!(shown.contains("mine.word") && shown.contains("7000/tcp"), "{shown}");
    for line in shown.lines().filter(|line| line.starts_with("imports")) {
        assert!(!line.contains("wasi:"), "{line}");
    }
    let size = std::fs::metadata(folder.path().join("mine/mine.wasm")).unwrap().len();
    assert!(size < smaller_than, "{lang}: {size} bytes");
    // Nobody listens there; the plugin, whatever its size, is loaded all the same.
    run("portscan 127.0.0.1 1 --plugin mine/mine.wasm", 1);
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--help").output().is_ok()
}

/// The tool that the environment names, or the one on the PATH.
fn tool(variable: &str, name: &str) -> bool {
    match std::env::var_os(variable) {
        Some(path) => Path::new(&path).exists(),
        None => is_there(name),
    }
}

#[test]
fn a_plugin_in_c_builds_and_passes_at_once() {
    if !is_there("clang") || !Path::new("/usr/lib/wasm32-wasi").exists() {
        return crate::skip::skip("no C for WebAssembly (Debian: clang, lld, wasi-libc)");
    }
    from_nothing_to_tested("c", 64 << 10);
}

#[test]
fn a_plugin_in_javascript_builds_and_passes_at_once() {
    if !tool("PORTSCAN_COMPONENTIZE_QJS", "componentize-qjs") {
        return crate::skip::skip("no componentize-qjs (tests/toolchain/languages)");
    }
    from_nothing_to_tested("javascript", 4 << 20);
}

#[test]
fn a_plugin_in_python_builds_and_passes_at_once() {
    if !tool("PORTSCAN_COMPONENTIZE_PY", "componentize-py") {
        return crate::skip::skip("no componentize-py (tests/toolchain/languages)");
    }
    from_nothing_to_tested("python", 32 << 20);
}
