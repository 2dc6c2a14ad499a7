//! The same request at other places, and what they say side by side.

mod words;

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use super::audit::{Asked, Audited};
use super::interrupt;
use crate::check::{CheckOptions, Checks};
use crate::compare::matrix;
use crate::exit::{ExitStatus, Tally};
use crate::model::PortState;
use crate::render::vantages::{self, Column};
use crate::render::{self, Progress};
use crate::report::{EndpointRow, Footer, HeadRow, Header, Report, TailRow};
use crate::settings::{Format, ProbeSettings};
use crate::target::Host;
use crate::via::{News, Place, Said, Started, Trouble, Visit};

/// News that wait to be taken, of all places: whoever is faster than our reader waits.
const WAITING: usize = 1_024;

/// How often it is looked after an interruption and after silence.
const TURN: Duration = Duration::from_millis(100);

/// How long places have to end by themselves.
const FAREWELL: Duration = Duration::from_secs(2);

/// Runs the request wherever the user wants it.
///
/// # Errors
/// A sentence: it may not be probed, the audit log or the output cannot be written.
pub(super) fn run(settings: &ProbeSettings) -> Result<ExitStatus, String> {
    admit(settings)?;
    let labels = labels(settings);
    let mut audited = audit(settings)?;
    let mut out = render::stdout();
    // A password can be asked for where somebody sees the question.
    let asks = io::stdin().is_terminal() && io::stderr().is_terminal();
    let started: Vec<Result<Started, Trouble>> = settings
        .via
        .iter()
        .zip(&labels)
        .map(|(place, label)| Started::new(place, &words::request(settings, label), asks))
        .collect();
    // Now the signals are ours; the clients keep theirs.
    interrupt::listen();
    let (sender, news) = sync_channel(WAITING);
    let asked = words::asked(&settings.targets);
    let mut visited = Vec::new();
    for (number, ((place, label), started)) in
        settings.via.iter().zip(labels).zip(started).enumerate()
    {
        let mut visited_place = Visited::new(label, place.to_string());
        match started {
            Ok(started) => {
                visited_place.visit = Some(started.attend(number, &asked, sender.clone()));
            }
            Err(trouble) => visited_place.trouble = Some(trouble),
        }
        visited.push(visited_place);
    }
    drop(sender);
    let mut gathering = Gathering {
        lines: settings.format == Format::Jsonl,
        out: &mut *out,
        audited: audited.as_mut(),
        visited,
        tally: Tally::default(),
        progress: Progress::new(settings.quiet || settings.format == Format::Jsonl),
        done: 0,
        open: 0,
    };
    gathering.gather(&news, patience(settings)).map_err(unwritable)?;
    let Gathering { visited, tally, .. } = gathering;
    if let Some(audited) = &mut audited {
        let finished = jiff::Timestamp::now();
        let (unresolved, conclusions, interrupted) =
            (Vec::new(), Vec::new(), interrupt::is_asked());
        render::Renderer::end(audited, &Footer { finished, unresolved, conclusions, interrupted })
            .map_err(unwritable)?;
    }
    for place in &visited {
        if let Some(trouble) = &place.trouble {
            render::talk::error(&format!("{}: {trouble}", place.label));
        }
    }
    let is_troubled = visited.iter().any(|place| place.trouble.is_some());
    show(&mut *out, settings, visited).map_err(unwritable)?;
    Ok(match (interrupt::is_asked(), is_troubled) {
        (true, _) => ExitStatus::Interrupted,
        (false, true) => ExitStatus::CannotRun,
        (false, false) => tally.status(),
    })
}

fn unwritable(error: io::Error) -> String {
    format!("cannot write: {error}")
}

/// Holds the request to the scope before anything starts. What a name leads to is known
/// only where it is asked for, so a scope lets no name go elsewhere.
fn admit(settings: &ProbeSettings) -> Result<(), String> {
    super::sources::admit_written(&settings.targets, &settings.guard)?;
    let is_name = |host: &Host| matches!(host, Host::Name(_));
    match settings.targets.iter().find(|target| is_name(&target.host)) {
        Some(name) if settings.guard.has_scope() => Err(format!(
            "{} may not be probed with --via: a scope holds, and what the name leads to is known \
             only there; give its address",
            name.text
        )),
        _ => Ok(()),
    }
}

/// What to call the places: the user's name is for this machine, or for the only place.
fn labels(settings: &ProbeSettings) -> Vec<String> {
    let only = settings.via.len() == 1;
    let mut labels: Vec<String> = Vec::new();
    for place in &settings.via {
        let named = settings.vantage.as_deref().filter(|_| only || *place == Place::Local);
        let label = named.unwrap_or(place.label());
        let is_same = |known: &&String| known.split('#').next() == Some(label);
        labels.push(match labels.iter().filter(is_same).count() {
            0 => label.to_owned(),
            again => format!("{label}#{}", again + 1),
        });
    }
    labels
}

fn audit(settings: &ProbeSettings) -> Result<Option<Audited>, String> {
    let Some(log) = &settings.audit else { return Ok(None) };
    let mut vantage = super::observe();
    vantage.name = settings.vantage.clone();
    let header = Header { started: jiff::Timestamp::now(), vantage };
    let (targets, reason, via) = (&settings.targets, &settings.reason, &settings.via);
    let asked = Asked { command: "probe", targets, reason, via };
    let checks = Checks::new(CheckOptions::default()).map_err(|error| error.to_string())?;
    super::audit::open(log, &asked, &checks, &header).map(Some)
}

/// How long a place may say nothing: far longer than any of its rows may take.
fn patience(settings: &ProbeSettings) -> Duration {
    const USUAL: Duration = Duration::from_secs(300);
    let rounds = settings.every.saturating_mul(settings.count);
    let attempts = settings.timeout.unwrap_or_default() * u32::from(settings.attempts.unwrap_or(1));
    let packets = settings.rate.map_or(0.0, |rate| (100.0 / rate).min(1e6));
    USUAL.saturating_add(rounds).saturating_add(attempts) + Duration::from_secs_f64(packets)
}

/// What is known of one place.
struct Visited {
    label: String,
    place: String,
    visit: Option<Visit>,
    head: Option<Box<HeadRow>>,
    rows: Vec<EndpointRow<'static>>,
    count: usize,
    tail: Option<Box<TailRow>>,
    trouble: Option<Trouble>,
    heard: Instant,
}

impl Visited {
    fn new(label: String, place: String) -> Visited {
        Visited {
            label,
            place,
            visit: None,
            head: None,
            rows: Vec::new(),
            count: 0,
            tail: None,
            trouble: None,
            heard: Instant::now(),
        }
    }
}

/// Takes what the places say, and writes it as it comes.
struct Gathering<'a> {
    /// A line for each thing, and nothing kept.
    lines: bool,
    out: &'a mut dyn Write,
    audited: Option<&'a mut Audited>,
    visited: Vec<Visited>,
    tally: Tally,
    progress: Progress,
    done: u64,
    open: u64,
}

impl Gathering<'_> {
    fn gather(&mut self, news: &Receiver<(usize, News)>, patience: Duration) -> io::Result<()> {
        let mut over_by = None;
        for number in 0..self.visited.len() {
            self.ended_if_over(number)?;
        }
        while self.visited.iter().any(|place| place.visit.is_some()) {
            match news.recv_timeout(TURN) {
                Ok((number, news)) => self.take(number, news)?,
                Err(RecvTimeoutError::Timeout) => self.out.flush()?,
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if interrupt::is_asked() && over_by.is_none() {
                over_by = Some(Instant::now() + FAREWELL);
                self.visited.iter().filter_map(|p| p.visit.as_ref()).for_each(Visit::end);
            }
            let is_over = over_by.is_some_and(|by| Instant::now() >= by);
            for number in 0..self.visited.len() {
                let place = &self.visited[number];
                let (rows, silent) = (place.count, place.heard.elapsed() > patience);
                if place.visit.is_some() && (silent || is_over) {
                    let seconds = patience.as_secs();
                    let trouble = match is_over {
                        true => Trouble::Interrupted { rows },
                        false => Trouble::Silent { rows, seconds },
                    };
                    self.over(number, Some(trouble))?;
                }
            }
        }
        self.progress.clear();
        self.out.flush()
    }

    fn take(&mut self, number: usize, news: News) -> io::Result<()> {
        let Some(place) = self.visited.get_mut(number).filter(|place| place.visit.is_some()) else {
            return Ok(());
        };
        place.heard = Instant::now();
        match news {
            News::Said(Said::Start(head)) => {
                if self.lines {
                    vantages::start(self.out, &place.label, &place.place, &head)?;
                }
                place.head = Some(head);
            }
            News::Said(Said::Row(row)) => {
                place.count += 1;
                self.done += 1;
                self.open += u64::from(row.state == PortState::Open);
                self.tally.add_row(row.state, row.check.as_ref().map(|check| check.health));
                if let Some(audited) = &mut self.audited {
                    audited.found_at(&place.label, &row)?;
                }
                match self.lines {
                    true => vantages::row(self.out, &place.label, &row)?,
                    false => place.rows.push(*row),
                }
                self.progress.update(self.done, None, self.open);
            }
            News::Said(Said::End(tail)) => {
                tail.unresolved.iter().for_each(|_| self.tally.add_unresolved());
                place.tail = Some(tail);
            }
            News::Over(trouble) => self.over(number, trouble)?,
        }
        Ok(())
    }

    /// A place says no more.
    fn over(&mut self, number: usize, trouble: Option<Trouble>) -> io::Result<()> {
        let place = &mut self.visited[number];
        place.trouble = match trouble {
            Some(Trouble::Stopped { rows } | Trouble::Lost { rows, .. })
                if interrupt::is_asked() =>
            {
                Some(Trouble::Interrupted { rows })
            }
            other => other,
        };
        place.visit = None;
        self.ended_if_over(number)
    }

    fn ended_if_over(&mut self, number: usize) -> io::Result<()> {
        let place = &self.visited[number];
        if place.visit.is_some() || !self.lines {
            return Ok(());
        }
        let trouble = place.trouble.as_ref().map(told);
        vantages::end(self.out, &place.label, &place.place, place.tail.as_deref(), trouble)?;
        self.out.flush()
    }
}

/// A trouble as documents have it.
fn told(trouble: &Trouble) -> vantages::Trouble {
    vantages::Trouble { kind: trouble.name(), text: trouble.to_string() }
}

/// Writes what was kept: a column each.
fn show(out: &mut dyn Write, settings: &ProbeSettings, visited: Vec<Visited>) -> io::Result<()> {
    if settings.format == Format::Jsonl {
        return Ok(());
    }
    let columns: Vec<Column> = visited.into_iter().map(column).collect();
    let reports: Vec<&Report> = columns.iter().filter_map(|c| c.report.as_ref()).collect();
    let mut matrix = matrix(&reports);
    if settings.format == Format::Json {
        return vantages::document(out, &columns, &matrix);
    }
    let begun = columns.iter().filter(|column| column.report.is_some());
    for (head, column) in matrix.vantages.iter_mut().zip(begun) {
        if column.trouble.is_some() {
            head.push_str(" (partial)");
        }
    }
    match reports.is_empty() {
        true => Ok(()),
        false => vantages::table(out, &reports, &matrix, super::probe::style(settings)),
    }
}

/// A place as a column; without an end of its own, what came is marked as cut short.
fn column(place: Visited) -> Column {
    let tail = place.tail.map_or_else(
        || TailRow {
            finished: jiff::Timestamp::now().to_string(),
            unresolved: Vec::new(),
            conclusions: Vec::new(),
            interrupted: true,
        },
        |tail| *tail,
    );
    let report = place.head.map(|head| Report { head: *head, endpoints: place.rows, tail });
    let trouble = place.trouble.as_ref().map(told);
    Column { name: place.label, via: place.place, trouble, report }
}
