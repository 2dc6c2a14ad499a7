//! Runs the binary and says everything about the run when a test fails.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// One run of the program, to be described and then checked.
pub struct Run {
    command: Command,
    input: Vec<u8>,
}

/// How a run ended.
pub struct Ended {
    shown: String,
    output: Output,
}

/// A run with these words, split at white space.
pub fn portscan(line: &str) -> Run {
    portscan_with(&line.split_whitespace().collect::<Vec<_>>())
}

/// A run with these words.
pub fn portscan_with(words: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portscan"));
    // Nothing of the developer's machine decides a test.
    command.args(words).env_clear().env("LC_ALL", "C").env("PATH", "/usr/bin:/bin");
    Run { command, input: Vec::new() }
}

impl Run {
    pub fn env(mut self, name: &str, value: &str) -> Run {
        self.command.env(name, value);
        self
    }

    pub fn dir(mut self, dir: &Path) -> Run {
        self.command.current_dir(dir);
        self
    }

    pub fn input(mut self, bytes: impl AsRef<[u8]>) -> Run {
        self.input = bytes.as_ref().to_vec();
        self
    }

    pub fn end(mut self) -> Ended {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let shown = format!("{:?}", self.command);
        let mut child = self.command.spawn().unwrap();
        // A program that refuses its arguments does not read its input.
        let _ = child.stdin.take().unwrap().write_all(&self.input);
        Ended { shown, output: child.wait_with_output().unwrap() }
    }
}

impl Ended {
    /// Requires this exit code.
    #[track_caller]
    pub fn code(self, code: i32) -> Ended {
        assert_eq!(self.output.status.code(), Some(code), "{}", self.world());
        self
    }

    /// Requires this text somewhere on standard error.
    #[track_caller]
    pub fn says(self, text: &str) -> Ended {
        assert!(self.stderr().contains(text), "no {text:?}\n{}", self.world());
        self
    }

    /// Requires this text somewhere on standard output.
    #[track_caller]
    pub fn prints(self, text: &str) -> Ended {
        assert!(self.stdout().contains(text), "no {text:?}\n{}", self.world());
        self
    }

    /// Requires that standard output is empty.
    #[track_caller]
    pub fn prints_nothing(self) -> Ended {
        assert_eq!(self.stdout(), "", "{}", self.world());
        self
    }

    /// Requires that a text is in neither stream.
    #[track_caller]
    pub fn never_shows(self, text: &str) -> Ended {
        let shown = self.stdout().contains(text) || self.stderr().contains(text);
        assert!(!shown, "{text:?} is shown\n{}", self.world());
        self
    }

    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    fn world(&self) -> String {
        format!(
            "{}\nstatus: {}\n--- stdout\n{}\n--- stderr\n{}\n---",
            self.shown,
            self.output.status,
            self.stdout(),
            self.stderr()
        )
    }
}
