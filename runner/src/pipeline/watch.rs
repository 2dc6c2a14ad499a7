//! `portscan watch`: the same question again and again, and what changed.

use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{interrupt, probe};
use crate::compare::{Change, changes};
use crate::exit::ExitStatus;
use crate::model::{Health, PortState, Verdict};
use crate::render;
use crate::report::Report;
use crate::settings::{Until, WatchSettings};

/// Watches until what was waited for is there, the time is over, or the user
/// interrupts.
pub(super) fn run(settings: &WatchSettings) -> ExitStatus {
    match watch(settings) {
        Ok(status) => status,
        Err(message) => {
            render::talk::error(&message);
            ExitStatus::CannotRun
        }
    }
}

fn watch(settings: &WatchSettings) -> Result<ExitStatus, String> {
    let began = Instant::now();
    let mut last: Option<Report> = None;
    loop {
        let turn = Instant::now();
        let report = probe::measure(&settings.probe, Vec::new())?.report;
        if interrupt::is_asked() {
            return Ok(ExitStatus::Interrupted);
        }
        let empty = Report { endpoints: Vec::new(), ..report.clone() };
        let changed = changes(last.as_ref().unwrap_or(&empty), &report);
        match render::compare::stamped(&mut *render::stdout(), &report.tail.finished, &changed) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                return Ok(ExitStatus::AllOpen);
            }
            written => written.map_err(|error| format!("cannot write: {error}"))?,
        }
        if let (Some(command), Some(_), false) = (&settings.on_change, &last, changed.is_empty()) {
            tell(command, &changed)?;
        }
        if settings.until.is_some_and(|until| is_reached(until, &report)) {
            return Ok(ExitStatus::AllOpen);
        }
        last = Some(report);
        let next = turn + settings.every;
        if settings.within.is_some_and(|within| next > began + within) {
            render::talk::note("the time is over, and it is not as it was waited for");
            return Ok(ExitStatus::NotAllOpen);
        }
        while Instant::now() < next && !interrupt::is_asked() {
            std::thread::sleep(Duration::from_millis(20).min(next - Instant::now().min(next)));
        }
        if interrupt::is_asked() {
            return Ok(ExitStatus::Interrupted);
        }
    }
}

fn is_reached(until: Until, report: &Report) -> bool {
    let all = !report.endpoints.is_empty() && report.tail.unresolved.is_empty();
    all && report.endpoints.iter().all(|row| match until {
        Until::Open => row.state == PortState::Open,
        Until::Closed => row.state == PortState::Closed,
        Until::Healthy => row.check.as_ref().is_some_and(|check| {
            check.verdict == Verdict::Confirmed && check.health == Health::Healthy
        }),
    })
}

/// Runs the user's command with the changes on its standard input.
fn tell(command: &str, changed: &[Change]) -> Result<(), String> {
    let failed = |error: io::Error| format!("--on-change {command}: {error}");
    let mut document = Vec::new();
    render::compare::changes_json(&mut document, changed).map_err(failed)?;
    let mut child = Command::new("/bin/sh")
        .args(["-c", command])
        .stdin(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        // A command that does not care for the details need not read them.
        let _ = input.write_all(&document);
    }
    match child.wait().map_err(failed)? {
        status if status.success() => {}
        status => render::talk::note(&format!("--on-change {command}: {status}")),
    }
    Ok(())
}
