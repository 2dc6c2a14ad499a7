//! `portscan watch`: the same question again and again, and what changed.

mod round;

use std::collections::HashMap;
use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::interrupt;
use crate::compare::{Change, Key};
use crate::exit::ExitStatus;
use crate::model::{Health, PortState, Verdict};
use crate::render;
use crate::render::live::{Caption, Live};
use crate::report::EndpointRow;
use crate::settings::{Format, Until, WatchSettings};
use round::{Answer, Question};

/// Watches until what was waited for is there, the time is over, or the user
/// interrupts.
pub(super) fn run(settings: &WatchSettings) -> ExitStatus {
    // The view is gone, and the terminal as it was, before an error is told.
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
    let question = Question::read(settings)?;
    let is_live =
        !settings.plain && settings.probe.format == Format::Table && render::live::suits_stdout();
    let mut view = View::Lines;
    let mut last: Option<Answer> = None;
    if is_live {
        render::talk::once();
    }
    interrupt::listen();
    loop {
        let turn = Instant::now();
        let answer = question.ask()?;
        if interrupt::is_asked() {
            return Ok(ExitStatus::Interrupted);
        }
        let changed = answer.changes(last.as_ref());
        if is_live && last.is_none() {
            view = View::Live(begin(settings)?);
        }
        match view.show(settings, &answer, &changed, last.is_none()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                return Ok(ExitStatus::AllOpen);
            }
            written => written.map_err(|error| format!("cannot write: {error}"))?,
        }
        if let (Some(command), Some(_), false) = (&settings.on_change, &last, changed.is_empty()) {
            view.aside(|| tell(command, &changed))?;
        }
        if settings.until.is_some_and(|until| answer.is(until)) {
            return Ok(ExitStatus::AllOpen);
        }
        last = Some(answer);
        let next = turn + settings.every;
        if settings.within.is_some_and(|within| next > began + within) {
            drop(view);
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

fn begin(settings: &WatchSettings) -> Result<Live, String> {
    let caption = Caption { every: settings.every, expects: settings.file.is_some() };
    Live::begin(super::probe::style(&settings.probe), caption)
        .map_err(|error| format!("cannot show a live view: {error}"))
}

/// How a round is shown.
enum View {
    /// A line for every change.
    Lines,
    /// What is now, drawn in place.
    Live(Live),
}

impl View {
    fn show(
        &self,
        settings: &WatchSettings,
        answer: &Answer,
        changed: &[Change],
        first: bool,
    ) -> io::Result<()> {
        let counts = answer.check.as_ref().map(render::check::counts);
        let live = match self {
            View::Live(live) => live,
            View::Lines => {
                let out = &mut *render::stdout();
                let time = &answer.report.tail.finished;
                render::compare::stamped(out, time, changed)?;
                return match counts.filter(|_| first || !changed.is_empty()) {
                    Some(counts) => render::compare::remark(out, time, &counts),
                    None => Ok(()),
                };
            }
        };
        let differ: Option<HashMap<Key, String>> = answer.check.as_ref().map(|check| {
            let wrong = check.expectations.iter().filter(|case| round::is_wrong(case));
            wrong.map(|case| (round::key(case), case.sentences().join("; "))).collect()
        });
        let until = settings.until.unwrap_or(Until::Open);
        let wrong = |key: &Key, row: Option<&EndpointRow<'_>>| match &differ {
            Some(differ) => differ.get(key).cloned(),
            None => {
                let is_well = row.is_some_and(|row| is_so(until, row) && !is_unhealthy(row));
                (!is_well).then(String::new)
            }
        };
        // That all endpoints appeared is what the lines show; differences are not.
        let news = if first && answer.check.is_none() { &[] } else { changed };
        live.round(&answer.report, news, wrong, counts)
    }

    /// Does something that may write to the terminal.
    fn aside<T>(&self, work: impl FnOnce() -> T) -> T {
        match self {
            View::Lines => work(),
            View::Live(live) => live.aside(work),
        }
    }
}

impl Answer {
    fn is(&self, until: Until) -> bool {
        if let (Until::Met, Some(check)) = (until, &self.check) {
            let counts = check.counts;
            return counts.as_expected > 0 && counts.differ + counts.not_measured == 0;
        }
        let report = &self.report;
        let all = !report.endpoints.is_empty() && report.tail.unresolved.is_empty();
        all && report.endpoints.iter().all(|row| is_so(until, row))
    }
}

/// Whether an endpoint is as it was waited for; a file's expectations are not asked here.
fn is_so(until: Until, row: &EndpointRow<'_>) -> bool {
    match until {
        Until::Open | Until::Met => row.state == PortState::Open,
        Until::Closed => row.state == PortState::Closed,
        Until::Healthy => row.check.as_ref().is_some_and(|check| {
            check.verdict == Verdict::Confirmed && check.health == Health::Healthy
        }),
    }
}

fn is_unhealthy(row: &EndpointRow<'_>) -> bool {
    row.check.as_ref().is_some_and(|check| check.health == Health::Unhealthy)
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
