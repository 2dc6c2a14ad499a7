//! The house rules that can be read off the source.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All Rust files below a folder, with their text.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|e| e == "rs") {
                let name = entry.strip_prefix(root()).unwrap_or(&entry).display().to_string();
                found.push((name, fs::read_to_string(&entry).unwrap()));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no sources in {folder}");
    found
}

/// The room of a file: the folder or file right below `runner/src`.
fn room(file: &str) -> Option<String> {
    let below = file.split("runner/src/").nth(1)?;
    let first = below.split('/').next()?;
    Some(first.trim_end_matches(".rs").to_string())
}

/// Code without its tests and comments.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]").next().unwrap_or(text);
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn edges() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let rows = text.lines().skip_while(|l| !l.starts_with("| room | may use |")).skip(2);
    let edges: BTreeMap<_, _> = rows
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let mut cells = line.split('|').skip(1).map(str::trim);
            let room = cells.next().unwrap_or("").to_string();
            let uses = cells.next().unwrap_or("").split(", ").filter(|u| !u.is_empty());
            (room, uses.map(str::to_string).collect())
        })
        .collect();
    assert!(edges.len() > 10, "the table in docs/ARCHITECTURE.md was not found");
    edges
}

#[test]
fn rooms_use_only_whom_they_may() {
    let edges = edges();
    let mut wrong = Vec::new();
    for (file, text) in sources("runner/src") {
        let Some(from) = room(&file).filter(|r| !matches!(r.as_str(), "lib" | "main")) else {
            continue;
        };
        let allowed =
            edges.get(&from).unwrap_or_else(|| panic!("{file}: room {from} is not in the table"));
        for part in code(&text).split("crate::").skip(1) {
            let used: String =
                part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if edges.contains_key(&used) && used != from && !allowed.contains(&used) {
                wrong.push(format!("{file}: {from} uses {used}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_only_one_room_may_do_no_other_does() {
    // (what it looks like, where it may stand)
    let rules: &[(&str, &[&str])] = &[
        ("wasmtime::", &["host"]),
        ("TcpStream::connect", &["net"]),
        ("UdpSocket::bind", &["net"]),
        ("Socket::new", &["net"]),
        ("io::stdout()", &["render", "host"]),
        ("eprintln!", &["render"]),
        ("Instant::now()", &["net", "pipeline", "render", "host", "check"]),
    ];
    let mut wrong = Vec::new();
    for (file, text) in sources("runner/src") {
        let Some(room) = room(&file) else { continue };
        for (pattern, rooms) in rules {
            if code(&text).contains(pattern) && !rooms.contains(&room.as_str()) {
                wrong.push(format!("{file}: {pattern}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn unsafe_code_stands_where_it_is_expected() {
    let allowed = ["runner/src/net/platform/", "runner/src/host/"];
    let wrong: Vec<String> = sources("runner/src")
        .into_iter()
        .filter(|(file, text)| {
            code(text).contains("unsafe ") && !allowed.iter().any(|a| file.contains(a))
        })
        .map(|(file, _)| file)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_file_grows_beyond_what_one_wants_to_inherit() {
    let mut long = Vec::new();
    for folder in ["runner/src", "plugins", "tests"] {
        for (file, text) in sources(folder) {
            let lines = text.split("#[cfg(test)]").next().unwrap_or(&text).lines().count();
            if lines > 500 {
                long.push(format!("{file}: {lines} lines"));
            }
        }
    }
    assert!(long.is_empty(), "split these: {long:#?}");
}

#[test]
fn every_item_of_the_contract_is_documented() {
    for entry in fs::read_dir(root().join("wit")).unwrap().map(|e| e.unwrap().path()) {
        if entry.extension().is_none_or(|e| e != "wit") {
            continue;
        }
        let text = fs::read_to_string(&entry).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (number, line) in lines.iter().enumerate() {
            let item = ["interface ", "world ", "record ", "variant ", "resource "]
                .iter()
                .any(|kind| line.starts_with(kind));
            let documented = number > 0 && lines[number - 1].starts_with("///");
            assert!(!item || documented, "{}:{}: {line}", entry.display(), number + 1);
        }
    }
}

#[test]
fn every_plugin_folder_has_what_a_plugin_needs() {
    for entry in fs::read_dir(root().join("plugins")).unwrap().map(|e| e.unwrap().path()) {
        let name = entry.file_name().unwrap().to_string_lossy().into_owned();
        if !entry.is_dir() || matches!(name.as_str(), "sdk" | "prebuilt") {
            continue;
        }
        let head = fs::read_to_string(entry.join("src/lib.rs")).unwrap();
        assert!(head.starts_with(&format!("//! {name}")), "{name}: the head is its manual");
        let transcripts = fs::read_dir(entry.join("transcripts")).map(|d| d.count()).unwrap_or(0);
        assert!(transcripts > 0, "{name} has no transcript");
        let component = root().join(format!("plugins/prebuilt/{name}.wasm"));
        assert!(component.exists(), "{name} is not built: run plugins/prebuilt/rebuild");
    }
}

#[test]
fn dependencies_have_reasons() {
    let text = fs::read_to_string(root().join("runner/Cargo.toml")).unwrap();
    let section = text.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    let first = section.lines().find(|l| !l.trim().is_empty()).unwrap();
    assert!(first.starts_with('#'), "the first dependency has no reason");
    for group in section.split("\n#").skip(1) {
        let lines = group.lines().filter(|l| l.contains(" = ")).count();
        assert!(lines <= 4, "one reason for {lines} dependencies: {group}");
    }
}
