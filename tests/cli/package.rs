//! The Debian package: what is in it works from where it is unpacked.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::skip::skip;

fn run(command: &mut Command) -> Output {
    let ended = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(ended.status.success(), "{command:?}: {ended:?}");
    ended
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Whether a program is installed; says that the test is skipped when it is not.
fn is_installed(program: &str, package: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if !found {
        skip(&format!("{program} is not installed (Debian: {package})"));
    }
    found
}

/// Makes the package, compressed in a hurry.
fn package(folder: &Path) -> PathBuf {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/debian");
    let mut command = Command::new(script);
    command.arg(folder).args(["-Zgzip", "-z1"]);
    command.env("PORTSCAN_BIN", env!("CARGO_BIN_EXE_portscan")).env("SOURCE_DATE_EPOCH", "1");
    PathBuf::from(text(&run(&mut command).stdout).trim())
}

/// What the package holds, in a folder of its own.
fn unpacked() -> Option<TempDir> {
    if !is_installed("dpkg-deb", "dpkg") {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let package = package(folder.path());
    run(Command::new("dpkg-deb").arg("-x").arg(package).arg(folder.path()));
    Some(folder)
}

#[test]
fn the_package_holds_a_program_that_runs_and_says_what_it_needs() {
    let Some(folder) = unpacked() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    let program = folder.path().join("usr/bin/portscan");
    let ended = run(Command::new(&program).arg(&place).env("HOME", folder.path()));
    assert!(text(&ended.stdout).contains("open"), "{ended:?}");

    let file = package(folder.path());
    let fields = text(&run(Command::new("dpkg-deb").arg("-f").arg(&file)).stdout);
    let version = format!("Version: {}\n", env!("CARGO_PKG_VERSION"));
    for field in ["Package: portscan\n", &version, "Depends: libc6 (>= 2.", "Maintainer: "] {
        assert!(fields.contains(field), "no {field:?} in {fields}");
    }
    // Nobody but root owns or may change what is installed.
    let listing = text(&run(Command::new("dpkg-deb").arg("-c").arg(&file)).stdout);
    for line in listing.lines() {
        let mode = line.split_whitespace().next().unwrap();
        let is_program = line.ends_with("/usr/bin/portscan");
        let right = match (mode.starts_with('d'), is_program) {
            (true, _) => "drwxr-xr-x",
            (false, true) => "-rwxr-xr-x",
            (false, false) => "-rw-r--r--",
        };
        assert!(mode == right && line.contains(" root/root "), "{line}");
    }
    for part in [
        "/usr/share/doc/portscan/copyright",
        "/usr/share/doc/portscan/changelog.gz",
        "/usr/share/doc/portscan/AUDIT.md",
        "/usr/share/man/man1/portscan.1.gz",
        "/usr/share/man/man1/portscan-trace.1.gz",
    ] {
        assert!(listing.lines().any(|line| line.ends_with(part)), "no {part} in {listing}");
    }
    let copyright = folder.path().join("usr/share/doc/portscan/copyright");
    let copyright = std::fs::read_to_string(copyright).unwrap();
    assert!(copyright.contains("\nCopyright: 2026 the portscan authors\n"), "{copyright}");
    assert!(copyright.contains("WITHOUT WARRANTY OF ANY KIND"), "{copyright}");

    // Made again, it is the same.
    let again = tempfile::tempdir().unwrap();
    let (first, second) = (std::fs::read(&file), std::fs::read(package(again.path())));
    assert!(first.unwrap() == second.unwrap(), "two packages of one program differ");
}

#[test]
fn its_manual_pages_are_read_by_man_without_a_warning() {
    if !is_installed("man", "man-db") {
        return;
    }
    let Some(folder) = unpacked() else { return };
    let pages = std::fs::read_dir(folder.path().join("usr/share/man/man1")).unwrap();
    let mut count = 0;
    for page in pages {
        let mut man = Command::new("man");
        man.args(["--warnings", "-E", "UTF-8", "-Tutf8", "-Z", "-l"]).arg(page.unwrap().path());
        let read = run(man.env("LC_ALL", "C.UTF-8").env("MANROFFSEQ", ""));
        assert!(read.stderr.is_empty() && read.stdout.len() > 200, "{man:?}: {read:?}");
        count += 1;
    }
    assert!(count > 10, "{count} pages");
}

/// Runs a script of a shell, with the completions' file as its first argument.
fn complete(shell: &str, options: &[&str], folder: &Path, file: &str, script: &str) -> String {
    let mut command = Command::new(shell);
    command.args(options).arg("-c").arg(script);
    // What `$0` is called in bash and zsh; fish has arguments alone.
    if shell != "fish" {
        command.arg(shell);
    }
    command.arg(folder.join(file)).env("HOME", folder).env("XDG_CONFIG_HOME", folder);
    let ended = run(command.env("XDG_DATA_HOME", folder));
    assert!(ended.stderr.is_empty(), "{ended:?}");
    text(&ended.stdout)
}

#[test]
fn its_completions_complete_in_bash() {
    if !is_installed("bash", "bash") {
        return;
    }
    let Some(folder) = unpacked() else { return };
    let script = "source \"$1\"; complete -p portscan; COMP_WORDS=(portscan tra); COMP_CWORD=1; \
                  _portscan portscan tra portscan; echo \"${COMPREPLY[@]}\"";
    let file = "usr/share/bash-completion/completions/portscan";
    let said = complete("bash", &["--norc", "--noprofile"], folder.path(), file, script);
    assert!(said.ends_with("portscan\ntrace\n"), "{said}");
}

#[test]
fn its_completions_load_in_zsh() {
    if !is_installed("zsh", "zsh") {
        return;
    }
    let Some(folder) = unpacked() else { return };
    let script = "fpath=(${1:h} $fpath); autoload -Uz compinit; compinit -u -d $HOME/dump; \
                  print $_comps[portscan]; autoload +X _portscan && print loaded";
    let file = "usr/share/zsh/vendor-completions/_portscan";
    let said = complete("zsh", &["-f"], folder.path(), file, script);
    assert_eq!(said, "_portscan\nloaded\n");
}

#[test]
fn its_completions_complete_in_fish() {
    if !is_installed("fish", "fish") {
        return;
    }
    let Some(folder) = unpacked() else { return };
    let script = "source $argv[1]; complete -C 'portscan tra'";
    let file = "usr/share/fish/vendor_completions.d/portscan.fish";
    let said = complete("fish", &["--no-config"], folder.path(), file, script);
    assert!(said.starts_with("trace\t"), "{said}");
}
