use std::io::Read;
use std::process::{Command, Stdio};

use crate::run::portscan;

#[test]
fn help_explains_targets_states_and_exit_codes() {
    let help = portscan("--help").end().code(0).stdout();
    for part in [
        "Usage: portscan [OPTIONS] [TARGET]...",
        "portscan ns1.example.com 53/udp 53/tcp",
        "portscan probe NAME PORT",
        "0    every endpoint is open",
        "1    something is not open or not healthy",
        "2    could not run as asked",
        "130  interrupted",
    ] {
        assert!(help.contains(part), "no {part:?} in\n{help}");
    }
}

#[test]
fn help_is_no_wider_than_a_hundred_columns() {
    let help = portscan("--help").env("COLUMNS", "200").end().code(0).stdout();
    let wide: Vec<_> = help.lines().filter(|line| line.chars().count() > 100).collect();
    assert_eq!(wide, Vec::<&str>::new());
}

#[test]
fn the_version_is_the_packages() {
    for flag in ["-V", "--version"] {
        let version = portscan(flag).end().code(0).stdout();
        assert_eq!(version, format!("portscan {}\n", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn without_arguments_an_example_goes_to_standard_error() {
    portscan("").end().code(2).prints_nothing().says("give a target, for example");
}

#[test]
fn each_command_has_help() {
    for command in [
        "probe",
        "trace",
        "explain",
        "plugin",
        "plugin list",
        "plugin show",
        "plugin build",
        "completions",
    ] {
        portscan(&format!("{command} --help"))
            .end()
            .code(0)
            .prints(&format!("Usage: portscan {command}"));
    }
}

#[test]
fn the_internal_command_is_not_shown() {
    portscan("--help").end().code(0).never_shows("__compile");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_portscan"))
        .arg("--help")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""));
}

/// From the same definitions as --help; groff(1) reads them without a complaint.
#[test]
#[allow(clippy::print_stderr)]
fn every_command_has_a_manual_page_that_groff_reads() {
    let folder = tempfile::tempdir().unwrap();
    portscan("man .").dir(folder.path()).end().code(0).prints_nothing();
    portscan("man /nonexistent").end().code(2).says("/nonexistent");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        names.push(path.file_name().unwrap().to_string_lossy().into_owned());
        let read = Command::new("groff").args(["-man", "-Tutf8", "-ww"]).arg(&path).output();
        let Ok(read) = read else {
            eprintln!("SKIPPED: help::manual_pages: groff is not installed (Debian: groff-base)");
            let forbidden =
                ["CI", "PORTSCAN_NO_SKIP"].iter().any(|n| std::env::var_os(n).is_some());
            assert!(!forbidden, "it must not be skipped here");
            return;
        };
        let said = String::from_utf8_lossy(&read.stderr);
        assert!(said.is_empty(), "{}: {said}", path.display());
        assert!(read.stdout.len() > 200, "{}", path.display());
    }
    for page in ["portscan.1", "portscan-watch.1", "portscan-plugin-test.1", "portscan-check.1"] {
        assert!(names.iter().any(|name| name == page), "no {page} in {names:?}");
    }
    assert!(!names.iter().any(|name| name.contains("__compile")), "{names:?}");
}
