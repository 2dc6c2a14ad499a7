//! The same request at other places, and what they say side by side.

mod gather;
mod words;

use std::io::{self, Write};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use super::audit::{Asked, Audited};
use super::interrupt;
use crate::check::{CheckOptions, Checks};
use crate::compare::matrix;
use crate::exit::{ExitStatus, Tally};
use crate::render::vantages::{self, Column};
use crate::render::{self, Progress};
use crate::report::{Footer, Header, Report, TailRow};
use crate::settings::{Format, ProbeSettings};
use crate::target::Host;
use crate::via::{Place, Started, Trouble};
use gather::{Gathering, Visited};

/// News that wait to be taken, of all places: whoever is faster than our reader waits.
const WAITING: usize = 1_024;

/// Runs the request wherever the user wants it.
///
/// # Errors
/// A sentence: it may not be probed, the audit log or the output cannot be written.
pub(super) fn run(settings: &ProbeSettings) -> Result<ExitStatus, String> {
    admit(settings)?;
    let labels = labels(settings);
    let mut audited = audit(settings)?;
    let mut out = render::stdout();
    let asks = render::talk::is_answered();
    let start = |(place, label): (&Place, String)| {
        let started = Started::new(place, &words::request(settings, &label), asks);
        (Visited::new(label, place.to_string()), started)
    };
    let started: Vec<_> = settings.via.iter().zip(labels).map(start).collect();
    // Now the signals are ours; the clients keep theirs.
    interrupt::listen();
    let (sender, news) = sync_channel(WAITING);
    let asked = words::asked(&settings.targets);
    let attend = |(number, (mut place, started)): (usize, (Visited, Result<Started, _>))| {
        match started {
            Ok(started) => place.visit = Some(started.attend(number, &asked, sender.clone())),
            Err(trouble) => place.trouble = Some(trouble),
        }
        place
    };
    let visited: Vec<Visited> = started.into_iter().enumerate().map(attend).collect();
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
    let gathered = gathering.gather(&news, patience(settings));
    let Gathering { mut visited, tally, .. } = gathering;
    // Whoever is still at it when nobody reads any more ends now.
    visited.iter_mut().for_each(|place| place.visit = None);
    if let Some(audited) = &mut audited {
        let (finished, interrupted) = (jiff::Timestamp::now(), interrupt::is_asked());
        let footer =
            Footer { finished, unresolved: Vec::new(), conclusions: Vec::new(), interrupted };
        render::Renderer::end(audited, &footer).map_err(|error| error.to_string())?;
    }
    for place in &visited {
        if let Some(trouble) = &place.trouble {
            render::talk::error(&format!("{}: {trouble}", place.label));
        }
    }
    let is_troubled = visited.iter().any(|place| place.trouble.is_some());
    match gathered.and_then(|()| show(&mut *out, settings, visited)) {
        // A closed pipe ends the output, not the meaning.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            return Err(format!("cannot write: {error}"));
        }
        _ => {}
    }
    Ok(match (interrupt::is_asked(), is_troubled) {
        (true, _) => ExitStatus::Interrupted,
        (false, true) => ExitStatus::CannotRun,
        (false, false) => tally.status(),
    })
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
        return vantages::document(out, &columns, matrix);
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
