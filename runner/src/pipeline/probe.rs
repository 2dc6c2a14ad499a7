//! The main job: probe, check, advise, report.

use std::collections::{HashMap, HashSet};
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::repeat;
use super::resume::Earlier;
use super::round::{Parts, REMEMBERED, Round};
use super::scan::scan;
use super::sources::sources;
use super::twins::asked_twice;
use crate::check::{Assigned, CheckOptions, Checks, PluginChoice};
use crate::exit::ExitStatus;
use crate::expect::Resolved;
use crate::model::Note;
use crate::net::{LiveNet, Pool, SourceBinding};
use crate::plan::{Plan, Settings as PlanSettings, interleave};
use crate::render::{self, Progress, Renderer};
use crate::report::{Header, Report};
use crate::settings::{Color, Format, PluginChoice as Chosen, ProbeSettings};

/// Runs a probe to its end.
pub(super) fn run(settings: &ProbeSettings) -> ExitStatus {
    if !settings.via.is_empty() {
        return super::via::run(settings).unwrap_or_else(|message| {
            render::talk::error(&message);
            ExitStatus::CannotRun
        });
    }
    match renderer(settings).and_then(|renderer| run_into(settings, renderer)) {
        Ok(status) if settings.format == Format::Nagios => status.for_nagios(),
        Ok(status) => status,
        Err(message) => {
            render::talk::error(&message);
            ExitStatus::CannotRun
        }
    }
}

/// Runs a probe, and hands its rows to `renderer`.
///
/// # Errors
/// A sentence that says why it could not run.
pub(super) fn run_into(
    settings: &ProbeSettings,
    renderer: Box<dyn Renderer>,
) -> Result<ExitStatus, String> {
    run_with(settings, Vec::new(), renderer).map(|(status, _)| status)
}

/// Runs a probe with plugins of their own for some ports, and says what each name
/// led to.
///
/// # Errors
/// A sentence that says why it could not run.
fn run_with(
    settings: &ProbeSettings,
    assigned: Vec<Assigned>,
    renderer: Box<dyn Renderer>,
) -> Result<(ExitStatus, HashMap<String, Resolved>), String> {
    let binding = SourceBinding { address: settings.source, interface: settings.interface.clone() };
    let sockets = super::sockets(settings.max_in_flight);
    let checks = checks(settings, assigned)?;
    let mut vantage = super::observe();
    vantage.name = settings.vantage.clone();
    let header = Header { started: jiff::Timestamp::now(), vantage: vantage.clone() };
    // Before a packet leaves, the questions for names included.
    let renderer = match &settings.audit {
        Some(log) => {
            let audited = super::audit::begin(log, settings, &checks, &header)?;
            render::several(vec![audited, renderer])
        }
        None => renderer,
    };
    let mut sources =
        sources(&settings.targets, settings.family, settings.first_address, &settings.guard)?;
    sources.remarks.iter().for_each(|remark| render::talk::note(remark));
    let resolved = std::mem::take(&mut sources.resolved);
    let mut net = LiveNet::new(sockets, binding.clone()).map_err(|e| format!("no network: {e}"))?;
    let mut stop = net.stop();
    super::interrupt::prepare(stop.clone());
    let (earlier, renderer) = resumed(settings, renderer)?;
    let mut tally = earlier.tally;
    sources.unresolved.iter().for_each(|_| tally.add_unresolved());
    let seed = super::unpredictable_seed();
    let is_own = |ip| vantage.is_own(ip);
    let is_first_hop = |ip| vantage.is_first_hop(ip);
    let place = super::place(&is_own, &is_first_hop);
    let mut series = HashMap::new();
    if settings.count > 1 {
        super::interrupt::listen();
    }
    for _ in 1..settings.count {
        // Names are asked again each round: an address that comes and goes is one of the answers.
        let again = super::sources::sources(
            &settings.targets,
            settings.family,
            settings.first_address,
            &settings.guard,
        )?;
        let endpoints = Box::new(interleave(again.blocks.into_iter()));
        let mut plan = Plan::new(plan_settings(settings, sockets, seed));
        let asks = (&checks, seed);
        repeat::round(&mut plan, &mut net, &place, endpoints, asks, &mut series, settings.every);
        if stop.is_asked() {
            break;
        }
    }
    let mut pool = match lanes(settings.rate, sources.total) {
        0 => None,
        lanes => Some(Pool::new(lanes, sockets, &binding).map_err(|e| format!("no network: {e}"))?),
    };
    if let Some(pool) = &pool {
        let earlier = std::mem::replace(&mut stop, pool.stop());
        super::interrupt::prepare(stop.clone());
        if earlier.is_asked() {
            stop.ask();
        }
    }
    let twins = match settings.advice && sources.total <= REMEMBERED as u64 {
        true => asked_twice(&sources.blocks),
        false => HashSet::new(),
    };
    let mut round = Round::new(Parts {
        series,
        trace: settings.trace,
        total: sources.total.saturating_sub(earlier.count() as u64),
        endpoints: Box::new(
            interleave(sources.blocks.into_iter())
                .filter(move |(_, target, endpoint)| !earlier.has(target, endpoint)),
        ),
        checks,
        renderer,
        progress: Progress::new(settings.quiet),
        vantage: &vantage,
        advice: settings.advice,
        tally,
        seed,
        stop: stop.clone(),
        plural: sources.plural,
        twins,
    });
    round.write(|r| r.begin(&header));
    let mut plan = Plan::new(plan_settings(settings, sockets, seed));
    match &mut pool {
        Some(pool) => scan(&mut plan, pool, &place, &mut round),
        None => scan(&mut plan, &mut net, &place, &mut round),
    }
    drop(pool);
    for (mut outcome, ask) in round.untraced.take().unwrap_or_default() {
        super::interrupt::listen();
        if !stop.is_asked() {
            let sentence = super::trace::sentence(&mut net, &ask, settings.rate);
            outcome.notes.push(Note::Path { sentence });
        }
        round.emit(outcome);
    }
    round.wait_for_checks();
    Ok((round.finish(sources.unresolved)?, resolved))
}

/// How many threads do the system calls; none for the one that decides.
fn lanes(rate: Option<f64>, endpoints: u64) -> usize {
    /// Below it the threads cost more than they save.
    const WORTH_IT: u64 = 2_048;
    /// A third gains nothing: deciding takes as long as a share of two of them.
    /// On two cores, too, two are better than one.
    const LANES: usize = 2;
    // With a rate, one thread is fast enough, and knows at once what it has sent.
    if rate.is_some() || endpoints < WORTH_IT {
        return 0;
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if cores < 2 { 0 } else { LANES }
}

/// What an earlier run left, and a renderer that appends to it.
fn resumed(
    settings: &ProbeSettings,
    renderer: Box<dyn Renderer>,
) -> Result<(Earlier, Box<dyn Renderer>), String> {
    let Some(path) = &settings.resume else { return Ok((Earlier::default(), renderer)) };
    let (earlier, file) = super::resume::open(path)?;
    if earlier.count() > 0 {
        render::talk::note(&format!("{} endpoints have a row already", earlier.count()));
    }
    let style = render::Style { color: false, ..style(settings) };
    let lines = render::renderer(render::Format::JsonLines, style, Box::new(file));
    Ok((earlier, render::several(vec![lines, renderer])))
}

/// The check stage as the user wants it.
///
/// # Errors
/// A sentence with what to do.
pub(super) fn checks(settings: &ProbeSettings, assigned: Vec<Assigned>) -> Result<Checks, String> {
    /// Time for one check: a TLS handshake and a few round trips on a slow path.
    const DEADLINE: Duration = Duration::from_secs(5);
    let plugins = &settings.plugins;
    let secret = |(plugin, name, secret): &(String, String, crate::settings::Secret)| {
        (plugin.clone(), name.clone(), secret.0.clone())
    };
    Checks::new(CheckOptions {
        choice: match &plugins.choice {
            Chosen::Default => PluginChoice::Default,
            Chosen::Nothing => PluginChoice::None,
            Chosen::Named(names) => PluginChoice::Named(names.clone()),
        },
        dirs: plugins.dirs.clone(),
        settings: plugins.settings.clone(),
        secrets: plugins.secrets.iter().map(secret).collect(),
        deadline: settings.timeout.unwrap_or(DEADLINE).max(Duration::from_millis(100)),
        source: SourceBinding { address: settings.source, interface: settings.interface.clone() },
        assigned,
        send_to: plugins.send_to.clone(),
        record: plugins.record.clone(),
        allow: plugins.allow.clone(),
        ..CheckOptions::default()
    })
    .map_err(|error| format!("{error}\n{}", error.hint()))
}

fn plan_settings(settings: &ProbeSettings, sockets: usize, seed: u64) -> PlanSettings {
    let usual = PlanSettings::default();
    PlanSettings {
        timeout: settings.timeout,
        attempts: settings.attempts,
        max_listening: sockets,
        rate: settings.rate,
        controls: settings.controls,
        prove_within: if settings.prove { Duration::MAX } else { usual.prove_within },
        deadline: settings.deadline,
        seed,
    }
}

/// What a run measured, kept for what comes after it.
pub(super) struct Measured {
    /// As `--format json` would have written it.
    pub report: Report,
    /// How it ended.
    pub status: ExitStatus,
    /// What each name led to.
    pub resolved: HashMap<String, Resolved>,
}

/// Runs a probe and keeps its report.
///
/// # Errors
/// A sentence that says why it could not run.
pub(super) fn measure(
    settings: &ProbeSettings,
    assigned: Vec<Assigned>,
) -> Result<Measured, String> {
    let text = Shared::default();
    let style = render::Style::for_stdout(Some(false), false);
    let renderer = render::renderer(render::Format::Json, style, Box::new(text.clone()));
    let (status, resolved) = run_with(settings, assigned, renderer)?;
    let bytes = std::mem::take(&mut *text.0.lock().unwrap_or_else(PoisonError::into_inner));
    let report =
        Report::read(&String::from_utf8_lossy(&bytes)).map_err(|error| error.to_string())?;
    Ok(Measured { report, status, resolved })
}

/// Where a report is written that is read again.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The renderers of all formats that were asked for.
///
/// # Errors
/// A file that cannot be written, told before a packet leaves.
fn renderer(settings: &ProbeSettings) -> Result<Box<dyn Renderer>, String> {
    let style = style(settings);
    let first = render::renderer(format(settings.format), style, render::stdout());
    if settings.outputs.is_empty() {
        return Ok(first);
    }
    let mut all = vec![first];
    for (kind, path) in &settings.outputs {
        let file = render::FileOutput::create(path)
            .map_err(|error| format!("--output {}: {error}", path.display()))?;
        let style = render::Style { color: false, ..style };
        all.push(render::renderer(format(*kind), style, Box::new(file)));
    }
    Ok(render::several(all))
}

/// How the table looks.
pub(super) fn style(settings: &ProbeSettings) -> render::Style {
    let color = match settings.color {
        Color::Auto => None,
        Color::Always => Some(true),
        Color::Never => Some(false),
    };
    render::Style::for_stdout(color, settings.explain)
}

pub(super) fn format(format: Format) -> render::Format {
    match format {
        Format::Table => render::Format::Table,
        Format::Json => render::Format::Json,
        Format::Jsonl => render::Format::JsonLines,
        Format::Csv => render::Format::Csv,
        Format::Markdown => render::Format::Markdown,
        Format::Html => render::Format::Html,
        Format::Xml => render::Format::Xml,
        Format::Junit => render::Format::Junit,
        Format::Tap => render::Format::Tap,
        Format::Nagios => render::Format::Nagios,
        Format::Prometheus => render::Format::Prometheus,
    }
}
