//! The main job: probe, check, advise, report.

use std::time::Duration;

use super::round::{Parts, Round};
use super::scan::scan;
use super::sources::sources;
use crate::check::{CheckOptions, Checks, PluginChoice};
use crate::exit::{ExitStatus, Tally};
use crate::net::SourceBinding;
use crate::plan::{Plan, Settings as PlanSettings, interleave};
use crate::render::{self, Progress, Renderer};
use crate::report::Header;
use crate::settings::{Color, Format, PluginChoice as Chosen, ProbeSettings};

/// Runs a probe to its end.
pub(super) fn run(settings: &ProbeSettings) -> ExitStatus {
    match try_run(settings) {
        Ok(status) => status,
        Err(message) => {
            render::talk::error(&message);
            ExitStatus::CannotRun
        }
    }
}

fn try_run(settings: &ProbeSettings) -> Result<ExitStatus, String> {
    let binding = SourceBinding { address: settings.source, interface: settings.interface.clone() };
    let checks = checks(settings, binding.clone())?;
    let sources = sources(&settings.targets, settings.family, settings.first_address)?;
    let vantage = super::observe();
    let (mut net, sockets) =
        super::live_net(settings.max_in_flight, binding).map_err(|e| format!("no network: {e}"))?;
    super::interrupt::watch(net.stop());
    let header = Header { started: jiff::Timestamp::now(), vantage: vantage.clone() };
    let mut tally = Tally::default();
    sources.unresolved.iter().for_each(|_| tally.add_unresolved());
    let seed = super::unpredictable_seed();
    let mut round = Round::new(Parts {
        endpoints: Box::new(interleave(sources.blocks.into_iter())),
        checks,
        renderer: renderer(settings),
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
    let is_own = |ip| vantage.is_own(ip);
    let is_first_hop = |ip| vantage.is_first_hop(ip);
    scan(&mut plan, &mut net, &super::place(&is_own, &is_first_hop), &mut round);
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

fn renderer(settings: &ProbeSettings) -> Box<dyn Renderer> {
    let color = match settings.color {
        Color::Auto => None,
        Color::Always => Some(true),
        Color::Never => Some(false),
    };
    let format = match settings.format {
        Format::Table => render::Format::Table,
        Format::Json => render::Format::Json,
        Format::Jsonl => render::Format::JsonLines,
    };
    render::renderer(format, render::Style::for_stdout(color, settings.explain), render::stdout())
}
