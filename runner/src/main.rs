//! The door: words in, exit code out.

use std::process::ExitCode;

use portscan::exit::ExitStatus;
use portscan::{pipeline, render, settings};

fn main() -> ExitCode {
    let status = match settings::from_args(std::env::args_os()) {
        Ok(command) => pipeline::run(command),
        Err(settings::SettingsError::Words(words)) => {
            // Help and version are no errors; clap knows which stream is theirs.
            let _ = words.print();
            match words.use_stderr() {
                true => ExitStatus::CannotRun,
                false => ExitStatus::AllOpen,
            }
        }
        Err(error) => {
            render::talk::error(&error.to_string());
            ExitStatus::CannotRun
        }
    };
    ExitCode::from(status as u8)
}
