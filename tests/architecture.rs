//! The house rules that can be read off the source.
//!
//! docs/ARCHITECTURE.md holds the table of who may use whom, and the list of
//! what is absent; a rule that is broken here names the file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The most lines of code in a file: more is two files.
const MOST_LINES: usize = 500;
/// The most lines of tests beside the code of a file.
const MOST_TEST_LINES: usize = 200;

/// A text file of the repository.
struct Source {
    /// Its path from the top, with slashes.
    path: String,
    text: String,
}

impl Source {
    /// The room: the folder or file right below `runner/src`.
    fn room(&self) -> &str {
        let below = self.path.strip_prefix("runner/src/").unwrap_or(&self.path);
        below.split('/').next().unwrap_or(below).trim_end_matches(".rs")
    }

    /// Its code: without comments, and without the tests, which stand in a
    /// module at the end of the file or in a file called `tests.rs`.
    fn code(&self) -> String {
        if self.path.ends_with("/tests.rs") {
            return String::new();
        }
        let lines = self.text.lines().take(self.lines_of_code());
        let code = lines.filter(|line| !line.trim_start().starts_with("//"));
        code.collect::<Vec<_>>().join("\n")
    }

    /// How many lines stand above its test module.
    fn lines_of_code(&self) -> usize {
        let lines: Vec<&str> = self.text.lines().collect();
        let starts_tests = |pair: &[&str]| {
            pair[0].trim() == "#[cfg(test)]"
                && pair[1].starts_with("mod ")
                && pair[1].ends_with('{')
        };
        lines.windows(2).position(starts_tests).unwrap_or(lines.len())
    }
}

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(top().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names in a folder of the repository, sorted.
fn names_in(folder: &str) -> Vec<String> {
    let entries =
        fs::read_dir(top().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

/// All text files below these folders whose names end so.
fn sources(folders: &[&str], ending: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut waiting: Vec<String> = folders.iter().map(|folder| (*folder).to_owned()).collect();
    while let Some(folder) = waiting.pop() {
        for name in names_in(&folder).into_iter().filter(|name| name != "target") {
            let path = format!("{folder}/{name}");
            if top().join(&path).is_dir() {
                waiting.push(path);
            } else if name.ends_with(ending)
                && let Ok(text) = fs::read_to_string(top().join(&path))
            {
                found.push(Source { path, text });
            }
        }
    }
    assert!(!found.is_empty(), "nothing in {folders:?} ends with '{ending}'");
    found
}

fn rooms() -> Vec<Source> {
    sources(&["runner/src"], ".rs")
}

/// The cells of a Markdown table's rows, below the head that starts so.
fn table(document: &str, head: &str) -> Vec<Vec<String>> {
    let text = read(document);
    let rows = text.lines().skip_while(|line| !line.starts_with(head)).skip(2);
    let cells =
        |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    rows.take_while(|line| line.starts_with('|')).map(cells).collect()
}

/// Who may use whom.
fn edges() -> BTreeMap<String, BTreeSet<String>> {
    let edges: BTreeMap<_, _> = table("docs/ARCHITECTURE.md", "| room | may use |")
        .into_iter()
        .map(|row| {
            let uses = row[1].split(", ").filter(|room| !room.is_empty()).map(str::to_owned);
            (row[0].clone(), uses.collect())
        })
        .collect();
    assert!(!edges.is_empty(), "docs/ARCHITECTURE.md has no table of rooms");
    edges
}

/// The rooms that code names by `crate::room` or `crate::{room, room::Thing}`.
fn rooms_named(code: &str) -> BTreeSet<String> {
    let first_word = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let mut named = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        let Some(group) = rest.strip_prefix('{') else {
            named.insert(first_word(rest));
            continue;
        };
        let mut depth = 0;
        named.insert(first_word(group));
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => drop(named.insert(first_word(&group[at + 1..]))),
                _ => {}
            }
        }
    }
    named
}

#[test]
fn a_group_of_uses_names_each_of_its_rooms() {
    let named =
        rooms_named("use crate::{host, model::{Endpoint, Reason}, render};\nuse crate::net::Net;");
    assert_eq!(named.into_iter().collect::<Vec<_>>(), ["host", "model", "net", "render"]);
}

#[test]
fn rooms_use_only_whom_they_may() {
    let edges = edges();
    let mut wrong = Vec::new();
    for source in rooms() {
        let from = source.room();
        if matches!(from, "lib" | "main") {
            continue;
        }
        let Some(allowed) = edges.get(from) else {
            wrong.push(format!("{}: the table has no room {from}", source.path));
            continue;
        };
        let used = rooms_named(&source.code());
        let others = used.iter().filter(|room| edges.contains_key(*room) && *room != from);
        wrong.extend(
            others
                .filter(|room| !allowed.contains(*room))
                .map(|room| format!("{}: {from} uses {room}", source.path)),
        );
    }
    assert!(wrong.is_empty(), "not in the table of docs/ARCHITECTURE.md: {wrong:#?}");
}

#[test]
fn the_table_of_rooms_is_the_map_of_the_crate() {
    let map = read("runner/src/lib.rs");
    let rooms: BTreeSet<_> = map
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .map(str::to_owned)
        .collect();
    assert_eq!(rooms, edges().into_keys().collect(), "lib.rs and docs/ARCHITECTURE.md differ");
}

#[test]
fn what_only_some_rooms_may_do_no_other_does() {
    /// What it looks like, who may, and what is meant. `host` has streams and
    /// a program of its own: the process that compiles what strangers wrote.
    const RULES: &[(&[&str], &[&str], &str)] = &[
        (&["wasmtime::", "wasmtime_"], &["host"], "knows wasmtime"),
        (
            &[
                "TcpStream::connect",
                "TcpListener::",
                "UdpSocket::bind",
                "Socket::new",
                "libc::socket(",
            ],
            &["net"],
            "opens a socket",
        ),
        (
            &["io::stdout()", "println!(", "print!("],
            &["render", "host"],
            "writes to standard output",
        ),
        (
            &["io::stderr()", "eprintln!(", "eprint!("],
            &["render", "host"],
            "writes to standard error",
        ),
        (
            &["Instant::now()", "SystemTime::now()"],
            &["net", "pipeline", "render", "host", "check"],
            "reads a clock",
        ),
        (
            &[
                "to_string().contains(",
                "to_string().starts_with(",
                "to_string().ends_with(",
                "to_string() ==",
            ],
            &[],
            "compares the text of an error",
        ),
        (&["process::exit(", "process::abort("], &["main", "pipeline"], "ends the process"),
        (
            // The pipeline: what the user gives to --on-change. Via: the user's ssh client.
            &["process::Command", "Command::new("],
            &["author", "host", "pipeline", "via"],
            "starts another program",
        ),
    ];
    let mut wrong = Vec::new();
    for source in rooms() {
        let code = source.code();
        for (patterns, allowed, what) in RULES {
            let found = patterns.iter().any(|pattern| code.contains(pattern));
            if found && !allowed.contains(&source.room()) {
                wrong.push(format!("{}: {} {what}", source.path, source.room()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn unsafe_code_stands_where_it_is_expected() {
    let allowed = ["runner/src/net/platform/", "runner/src/host/"];
    let is_unsafe = |source: &Source| source.code().split_whitespace().any(|word| word == "unsafe");
    let wrong: Vec<String> = rooms()
        .into_iter()
        .filter(|source| {
            is_unsafe(source) && !allowed.iter().any(|place| source.path.starts_with(place))
        })
        .map(|source| source.path)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_file_grows_beyond_what_one_wants_to_inherit() {
    let mut long = Vec::new();
    for source in sources(&["runner", "plugins", "examples", "tests"], ".rs") {
        let (lines, code) = (source.text.lines().count(), source.lines_of_code());
        if code > MOST_LINES || lines - code > MOST_TEST_LINES.max(MOST_LINES.saturating_sub(code))
        {
            long.push(format!("{}: {code} lines, and {} of tests", source.path, lines - code));
        }
    }
    assert!(long.is_empty(), "split these: {long:#?}");
}

#[test]
fn every_item_of_the_contract_is_documented() {
    const ITEMS: [&str; 8] =
        ["interface ", "world ", "record ", "variant ", "enum ", "flags ", "resource ", "type "];
    let mut bare = Vec::new();
    for source in sources(&["wit"], ".wit") {
        let lines: Vec<&str> = source.text.lines().map(str::trim).collect();
        for (number, line) in lines.iter().enumerate() {
            let is_comment = line.starts_with("//");
            // `transport: func() -> transport` says all there is to say.
            let (name, function) = line.split_once(": func(").unwrap_or_default();
            let is_function = !name.is_empty() && function != format!(") -> {name};");
            let is_item = ITEMS.iter().any(|item| line.starts_with(item)) || is_function;
            let documented = number > 0 && lines[number - 1].starts_with("///");
            if is_item && !is_comment && !documented {
                bare.push(format!("{}:{}: {line}", source.path, number + 1));
            }
        }
    }
    assert!(bare.is_empty(), "without a doc comment: {bare:#?}");
}

/// The folders of `plugins/` that are plugins.
fn plugins() -> Vec<String> {
    let is_plugin = |name: &String| {
        !matches!(name.as_str(), "sdk" | "prebuilt") && top().join("plugins").join(name).is_dir()
    };
    names_in("plugins").into_iter().filter(is_plugin).collect()
}

#[test]
fn every_plugin_folder_has_what_a_plugin_needs() {
    for name in plugins() {
        let head = read(&format!("plugins/{name}/src/lib.rs"));
        assert!(head.starts_with(&format!("//! {name}: ")), "{name}: the head is its manual");
        for part in ["**Confirms**", "**Sends**", "**Never**", "References:"] {
            assert!(head.contains(part), "{name}: its manual has no {part}");
        }
        let transcripts = names_in(&format!("plugins/{name}/transcripts"));
        assert!(transcripts.iter().any(|file| file.ends_with(".toml")), "{name} has no transcript");
        let component = top().join(format!("plugins/prebuilt/{name}.wasm"));
        assert!(component.exists(), "{name} is not built: run plugins/prebuilt/rebuild");
    }
}

#[test]
fn the_readme_names_every_plugin() {
    let readme = read("README.md");
    let missing: Vec<_> =
        plugins().into_iter().filter(|name| !readme.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "README.md does not name {missing:?}");
}

#[test]
fn every_dependency_has_its_reason() {
    for manifest in ["runner/Cargo.toml", "plugins/sdk/Cargo.toml"] {
        let text = read(manifest);
        let section = text.split("\n[dependencies]\n").nth(1).unwrap_or_default();
        let section = section.split("\n[").next().unwrap_or_default();
        // A comment is the reason of the few lines right below it.
        for group in section.split("\n#").map(|group| group.trim_start_matches('#')) {
            let dependencies = group.lines().filter(|line| line.contains(" = ")).count();
            assert!(
                dependencies <= 4,
                "{manifest}: one reason for {dependencies} dependencies: {group}"
            );
        }
        assert!(
            section.trim_start().is_empty() || section.trim_start().starts_with('#'),
            "{manifest}: the first dependency has no reason"
        );
    }
}

#[test]
fn nothing_tells_of_the_machine_it_was_written_on() {
    let is_telling = |text: &str| {
        ["/home/", "/root/", "/work/", "/tmp/t/"].iter().any(|place| {
            // The place itself may be spoken of; what is in it may not.
            text.split(place)
                .skip(1)
                .any(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
        })
    };
    let folders = [".ci", "docs", "examples", "packaging", "plugins", "runner", "tests", "wit"];
    let told: Vec<_> = sources(&folders, "")
        .into_iter()
        .filter(|source| is_telling(&source.text))
        .map(|source| source.path)
        .collect();
    assert!(told.is_empty(), "paths of one machine in {told:#?}");
}

#[test]
fn every_document_that_is_linked_is_there() {
    let mut missing = Vec::new();
    let documents = names_in("docs").into_iter().filter(|name| name.ends_with(".md"));
    let documents = documents.map(|name| format!("docs/{name}"));
    for document in documents.chain(["README.md", "tests/README.md"].map(str::to_owned)) {
        let folder = Path::new(&document).parent().map(Path::to_owned).unwrap_or_default();
        for link in
            read(&document).split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next())
        {
            let is_file = !link.is_empty() && !link.contains("://");
            if is_file && !top().join(&folder).join(link).exists() {
                missing.push(format!("{document}: {link}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
