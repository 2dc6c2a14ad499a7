//! Plugins in C, JavaScript and Python, through their own ecosystems' tools.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::BuildError;

/// The world that a component of these languages implements.
const WORLD: &str = "check-plugin";

/// A language by the file that a plugin of it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Other {
    C,
    JavaScript,
    Python,
}

/// What a tool made, and by which it was made.
pub(super) struct Made {
    /// A core module (C) or a component.
    pub bytes: Vec<u8>,
    pub is_module: bool,
    pub tool: String,
}

/// Which of these languages the plugin in `dir` is written in.
pub(super) fn language(dir: &Path) -> Option<Other> {
    let has = |file: &str| dir.join(file).is_file();
    match () {
        () if has("Cargo.toml") => None,
        () if has("plugin.c") => Some(Other::C),
        () if has("plugin.js") => Some(Other::JavaScript),
        () if has("plugin.py") => Some(Other::Python),
        () => None,
    }
}

/// Builds the plugin in `dir`.
pub(super) fn build(dir: &Path, language: Other) -> Result<Made, BuildError> {
    // Tools run in the plugin's folder: what they say names its files as their
    // author does. What they make goes elsewhere.
    let folder =
        tempfile::tempdir().map_err(|source| BuildError::Read { path: dir.into(), source })?;
    let output = folder.path().join("made.wasm");
    let tool = match language {
        Other::C => c(dir, &output)?,
        Other::JavaScript => javascript(dir, &output)?,
        Other::Python => python(dir, &output)?,
    };
    let bytes = std::fs::read(&output)
        .map_err(|source| BuildError::Read { path: output.clone(), source })?;
    Ok(Made { bytes, is_module: language == Other::C, tool })
}

/// clang, or the one in zig; `PORTSCAN_CC` names another.
fn c(dir: &Path, output: &Path) -> Result<String, BuildError> {
    let mut files = vec![];
    for place in ["", "portscan"] {
        let listing = std::fs::read_dir(dir.join(place))
            .map_err(|source| BuildError::Read { path: dir.join(place), source })?;
        let paths = listing.flatten().map(|entry| Path::new(place).join(entry.file_name()));
        files.extend(paths.filter(|path| path.extension().is_some_and(|e| e == "c" || e == "o")));
    }
    files.sort();
    let mut arguments: Vec<OsString> = [
        "--target=wasm32-wasi",
        // A library: nothing runs before it is called.
        "-mexec-model=reactor",
        "-Oz",
        "-Wall",
        // zig's is 16 MiB, which every instance would begin with.
        "-Wl,-z,stack-size=65536",
        "-Wl,--strip-all",
        "-o",
    ]
    .map(OsString::from)
    .to_vec();
    arguments.push(output.into());
    arguments.extend(files.into_iter().map(OsString::from));
    let own = std::env::var_os("PORTSCAN_CC").map(|program| vec![program]);
    let compilers = [
        Some(vec!["clang".into()]),
        Some(vec!["zig".into(), "cc".into()]),
        Some(vec!["python3".into(), "-m".into(), "ziglang".into(), "cc".into()]),
    ];
    let tools = [own].into_iter().chain(compilers).flatten();
    let missing = "a C compiler for wasm32-wasi (Debian: clang lld wasi-libc \
                   libclang-rt-14-dev-wasm32; or pip install ziglang)";
    first(dir, tools.collect(), &arguments, missing)
}

fn javascript(dir: &Path, output: &Path) -> Result<String, BuildError> {
    let arguments = ["--wit", "wit", "--world", WORLD, "--js", "plugin.js"];
    let mut arguments: Vec<OsString> = arguments.map(OsString::from).to_vec();
    // WASI is imported by the engine: stubbed, it is in the component and powerless.
    arguments.extend(["--stub-wasi", "--sync", "--opt-size", "-o"].map(OsString::from));
    arguments.push(output.into());
    let tools = tools("PORTSCAN_COMPONENTIZE_QJS", dir, "node_modules/.bin", "componentize-qjs");
    first(dir, tools, &arguments, "componentize-qjs (npm install, in the plugin's folder)")
}

fn python(dir: &Path, output: &Path) -> Result<String, BuildError> {
    let arguments = ["-d", "wit", "-w", WORLD, "componentize", "-s", "plugin", "-o"];
    let mut arguments: Vec<OsString> = arguments.map(OsString::from).to_vec();
    arguments.push(output.into());
    let tools = tools("PORTSCAN_COMPONENTIZE_PY", dir, ".venv/bin", "componentize-py");
    first(dir, tools, &arguments, "componentize-py (pip install componentize-py)")
}

/// A tool as the environment names it, as it lies in the plugin's folder, on the PATH.
fn tools(variable: &str, dir: &Path, folder: &str, name: &str) -> Vec<Vec<OsString>> {
    let own = std::env::var_os(variable).map(PathBuf::from);
    let near = dir.join(folder).join(name).canonicalize().ok();
    let on_path = Some(PathBuf::from(name));
    [own, near, on_path].into_iter().flatten().map(|path| vec![path.into()]).collect()
}

/// Runs the first of the tools that is there.
fn first(
    dir: &Path,
    tools: Vec<Vec<OsString>>,
    arguments: &[OsString],
    missing: &str,
) -> Result<String, BuildError> {
    for tool in tools {
        let text = tool.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
        if tool[0] == "python3" && !has_ziglang() {
            continue;
        }
        let started = Command::new(&tool[0])
            .args(&tool[1..])
            .args(arguments)
            .current_dir(dir)
            .stdin(Stdio::null())
            .output();
        match started {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(BuildError::Program { program: text, source }),
            Ok(ended) if ended.status.success() => return Ok(text),
            Ok(ended) => {
                let out = String::from_utf8_lossy(&ended.stdout);
                let said = out + String::from_utf8_lossy(&ended.stderr);
                return Err(BuildError::Tool { tool: text, text: said.trim().to_owned() });
            }
        }
    }
    Err(BuildError::NoTool { missing: missing.to_owned() })
}

fn has_ziglang() -> bool {
    let asked = Command::new("python3").args(["-c", "import ziglang"]).output();
    asked.is_ok_and(|ended| ended.status.success())
}
