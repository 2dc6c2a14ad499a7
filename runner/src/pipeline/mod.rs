//! Wires the stages; the only room that knows all of them, the clock included.
//!
//! Start reading at [`run`]: one line per command.

mod audit;
mod check;
mod install;
mod interrupt;
mod plugins;
mod probe;
mod rehearse;
mod repeat;
mod reports;
mod resume;
mod round;
pub mod scan;
mod sources;
mod trace;
mod twins;
mod via;
mod watch;

use crate::exit::ExitStatus;
use crate::nearest::nearest;
use crate::settings::Command;
use crate::settings::config::Sourced;
use crate::{host, render, settings, vantage};

/// Does what the user asked for.
pub fn run(command: Command) -> ExitStatus {
    match command {
        Command::Probe(settings) => probe::run(&settings),
        Command::Watch(settings) => watch::run(&settings),
        Command::Check(settings) => check::run(&settings),
        Command::Trace(settings) => trace::run(&settings),
        Command::Explain { term } => explain(&term),
        Command::Diff { before, after, format } => reports::diff(&before, &after, format),
        Command::Compare { reports, format } => reports::compare(&reports, format),
        Command::Baseline(command) => reports::baseline(&command),
        Command::Man { dir } => man(&dir),
        Command::Completions { shell } => completions(shell),
        Command::Compile => compile(),
        Command::PluginList { dirs } => plugins::list(dirs),
        Command::PluginShow { plugin, dirs } => plugins::show(&plugin, dirs),
        Command::PluginNew { name, lang } => plugins::new(&name, lang),
        Command::PluginDoctor { plugin } => rehearse::doctor(&plugin),
        Command::PluginAdd { source } => install::add(&source),
        Command::PluginRemove { name } => install::remove(&name),
        Command::PluginUpdate { names } => install::update(&names),
        Command::PluginPublish { file, place } => install::publish(&file, &place),
        Command::ConfigShow { options } => config(&options),
        Command::AuditVerify { log, head } => audit::verify(&log, head.as_ref()),
        Command::AuditHead { log } => audit::head(&log),
        Command::PluginTest(settings) => rehearse::run(&settings),
        Command::PluginBuild { dir, output } => plugins::build(&dir, output),
    }
}

/// Is the compiler's process of another portscan.
fn compile() -> ExitStatus {
    match host::compile_child_main() {
        Ok(()) => ExitStatus::AllOpen,
        Err(host::ChildError::Refused) => ExitStatus::CannotRun,
        Err(host::ChildError::Machine) => ExitStatus::Bug,
    }
}

/// Writes a manual page for each command.
fn man(dir: &std::path::Path) -> ExitStatus {
    match clap_mangen::generate_to(settings::definitions(), dir) {
        Ok(()) => ExitStatus::AllOpen,
        Err(error) => {
            render::talk::error(&format!("{}: {error}", dir.display()));
            ExitStatus::CannotRun
        }
    }
}

fn completions(shell: clap_complete::Shell) -> ExitStatus {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut settings::definitions(), "portscan", &mut text);
    let mut out = render::stdout();
    // A closed pipe ends the output, not the meaning.
    let _ = out.write_all(&text).and_then(|()| out.flush());
    ExitStatus::AllOpen
}

/// Prints what options are set to, as a file that could be kept.
fn config(options: &[(String, Option<Sourced>)]) -> ExitStatus {
    let out = &mut *render::stdout();
    let mut write = || -> std::io::Result<()> {
        for (name, sourced) in options {
            match sourced {
                None => writeln!(out, "# {name} is not set")?,
                Some(Sourced { values, source }) => {
                    let quoted: Vec<String> = values.iter().map(|v| format!("{v:?}")).collect();
                    let value = match &quoted[..] {
                        [one] => one.clone(),
                        all => format!("[{}]", all.join(", ")),
                    };
                    writeln!(out, "{name} = {value}  # {}", render::escape(source))?;
                }
            }
        }
        out.flush()
    };
    match write() {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            render::talk::error(&format!("cannot write: {error}"));
            ExitStatus::CannotRun
        }
        _ => ExitStatus::AllOpen,
    }
}

fn explain(term: &str) -> ExitStatus {
    let mut out = render::stdout();
    match render::explain::explain(term) {
        Some(text) => {
            // A closed pipe ends the output, not the meaning.
            let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
            ExitStatus::AllOpen
        }
        None => {
            let known = match nearest(term, render::explain::terms()) {
                Some(meant) => format!("did you mean '{meant}'?"),
                None => {
                    let terms: Vec<&str> = render::explain::terms().collect();
                    format!("known are {}", terms.join(", "))
                }
            };
            render::talk::error(&format!("'{term}' is no state or reason; {known}"));
            ExitStatus::CannotRun
        }
    }
}

/// What the judge must know of this machine.
fn place<'a>(
    is_own: &'a dyn Fn(std::net::IpAddr) -> bool,
    is_first_hop: &'a dyn Fn(std::net::IpAddr) -> bool,
) -> scan::Place<'a> {
    scan::Place { is_own, is_first_hop }
}

/// How many sockets a run may hold open, within the descriptors this process
/// may have. Called before the first thread starts: the kernel makes room now.
fn sockets(asked: Option<usize>) -> usize {
    /// Descriptors for everything that is not a probe.
    const RESERVE: usize = 48;
    /// Sockets in flight when nobody asks for another number: silent ports
    /// hold three each for 3.3 s, so this is about 1,200 of them a second.
    const USUAL: usize = 12_000;
    let limit = crate::net::descriptor_limit().unwrap_or(1024);
    let room = limit.saturating_sub(RESERVE.min(limit / 4)).max(1);
    let sockets = asked.unwrap_or(USUAL).clamp(1, room);
    crate::net::make_room(sockets + RESERVE);
    sockets
}

/// A seed that nobody can guess.
fn unpredictable_seed() -> u64 {
    getrandom::u64().unwrap_or_else(|_| std::process::id().into())
}

/// Looks at this machine once.
fn observe() -> vantage::Vantage {
    let mut vantage = vantage::Vantage::observe();
    vantage.name_servers = crate::resolve::name_servers();
    vantage
}
