//! door
use std::process::ExitCode;

fn main() -> ExitCode {
    let compiles = std::env::args_os().nth(1).is_some_and(|word| word == portscan::host::COMPILE_COMMAND);
    match compiles {
        true => ExitCode::from(portscan::host::compile_child_main()),
        false => ExitCode::FAILURE,
    }
}
