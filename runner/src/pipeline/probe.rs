//! The main job: probe, check, advise, report.

use std::collections::HashMap;
use std::time::Duration;

use super::repeat;
use super::round::{Parts, Round};
use super::scan::scan;
use super::sources::sources;
use crate::check::{CheckOptions, Checks, PluginChoice};
use crate::exit::{ExitStatus, Tally};
use crate::model::Note;
use crate::net::SourceBinding;
use crate::plan::{Plan, Settings as PlanSettings, interleave};
use crate::render::{self, Progress, Renderer};
use crate::report::Header;
use crate::settings::{Color, Format, PluginChoice as Chosen, ProbeSettings};

/// Runs a probe to its end.
pub(super) fn run(settings: &ProbeSettings) -> ExitStatus {
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
    let binding = SourceBinding { address: settings.source, interface: settings.interface.clone() };
    let checks = checks(settings, binding.clone())?;
    let sources = sources(&settings.targets, settings.family, settings.first_address)?;
    sources.remarks.iter().for_each(|remark| render::talk::note(remark));
    let mut vantage = super::observe();
    vantage.name = settings.vantage.clone();
    let (mut net, sockets) =
        super::live_net(settings.max_in_flight, binding).map_err(|e| format!("no network: {e}"))?;
    super::interrupt::watch(net.stop());
    let header = Header { started: jiff::Timestamp::now(), vantage: vantage.clone() };
    let mut tally = Tally::default();
    sources.unresolved.iter().for_each(|_| tally.add_unresolved());
    let seed = super::unpredictable_seed();
    let is_own = |ip| vantage.is_own(ip);
    let is_first_hop = |ip| vantage.is_first_hop(ip);
    let place = super::place(&is_own, &is_first_hop);
    let mut series = HashMap::new();
    for _ in 1..settings.count {
        // Names are asked again each round: an address that comes and goes is one of the answers.
        let again =
            super::sources::sources(&settings.targets, settings.family, settings.first_address)?;
        let endpoints = Box::new(interleave(again.blocks.into_iter()));
        let mut plan = Plan::new(plan_settings(settings, sockets, seed));
        let asks = (&checks, seed);
        repeat::round(&mut plan, &mut net, &place, endpoints, asks, &mut series, settings.every);
        if net.stop_asked() {
            break;
        }
    }
    let mut round = Round::new(Parts {
        series,
        trace: settings.trace,
        endpoints: Box::new(interleave(sources.blocks.into_iter())),
        checks,
        renderer,
        progress: Progress::new(settings.quiet),
        vantage: &vantage,
        advice: settings.advice,
        tally,
        total: sources.total,
        seed,
        stop: net.stop(),
        plural: sources.plural,
    });
    round.write(|r| r.begin(&header));
    let mut plan = Plan::new(plan_settings(settings, sockets, seed));
    scan(&mut plan, &mut net, &place, &mut round);
    for (mut outcome, ask) in round.untraced.take().unwrap_or_default() {
        if !net.stop_asked() {
            let sentence = super::trace::sentence(&mut net, &ask);
            outcome.notes.push(Note::Path { sentence });
        }
        round.emit(outcome);
    }
    round.wait_for_checks();
    round.finish(sources.unresolved)
}

fn checks(settings: &ProbeSettings, source: SourceBinding) -> Result<Checks, String> {
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
        source,
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

/// The renderers of all formats that were asked for.
///
/// # Errors
/// A file that cannot be written, told before a packet leaves.
fn renderer(settings: &ProbeSettings) -> Result<Box<dyn Renderer>, String> {
    let color = match settings.color {
        Color::Auto => None,
        Color::Always => Some(true),
        Color::Never => Some(false),
    };
    let style = render::Style::for_stdout(color, settings.explain);
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

fn format(format: Format) -> render::Format {
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
