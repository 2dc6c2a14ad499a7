//! The main job: probe, check, advise, report.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::scan::{Follow, Probed, scan};
use super::sources::sources;
use crate::advice::{Context, advise, conclude_name};
use crate::exit::{ExitStatus, Tally};
use crate::model::{Endpoint, Moment, Outcome, PortState, Transport};
use crate::net::{LiveNet, SourceBinding};
use crate::plan::{Ask, Payloads, Plan, Settings as PlanSettings, interleave};
use crate::render::{self, Progress, Renderer};
use crate::report::{Footer, Header, NameConclusion};
use crate::settings::{Color, Format, ProbeSettings};
use crate::vantage::{Listeners, Vantage};

/// Rows whose states are remembered for advice about their neighbours. A
/// larger run is flat in memory and does without.
const REMEMBERED: usize = 20_000;

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
    let binding =
        SourceBinding { address: settings.source, interface: settings.interface.clone() };
    let sources = sources(&settings.targets, settings.family, settings.first_address)?;
    let vantage = super::observe();
    let (mut net, sockets) =
        super::live_net(settings.max_in_flight, binding).map_err(|e| format!("no network: {e}"))?;
    super::interrupt::watch(net.stop());
    let header = Header { started: jiff::Timestamp::now(), vantage: vantage.clone() };
    let mut tally = Tally::default();
    sources.unresolved.iter().for_each(|_| tally.add_unresolved());
    let mut run = Run {
        asks: Box::new(interleave(sources.blocks.into_iter())),
        renderer: renderer(settings),
        progress: Progress::new(settings.quiet),
        vantage: &vantage,
        listeners: OnceCell::new(),
        advice: settings.advice,
        tally,
        states: HashMap::new(),
        plural: sources.plural.into_iter().map(|name| (name, Vec::new())).collect(),
        done: 0,
        open: 0,
        total: sources.total,
        broken: None,
        net_stop: net.stop(),
    };
    run.write(|r| r.begin(&header));
    let mut plan = Plan::new(plan_settings(settings, sockets));
    let is_own = |ip| vantage.is_own(ip);
    let is_first_hop = |ip| vantage.is_first_hop(ip);
    scan(&mut plan, &mut net, &super::place(&is_own, &is_first_hop), &mut run);
    run.finish(&net, sources.unresolved)
}

fn plan_settings(settings: &ProbeSettings, sockets: usize) -> PlanSettings {
    let usual = PlanSettings::default();
    PlanSettings {
        timeout: settings.timeout,
        attempts: settings.attempts,
        max_listening: sockets,
        rate: settings.rate,
        controls: settings.controls,
        prove_within: if settings.prove { Duration::MAX } else { usual.prove_within },
        deadline: settings.deadline,
        seed: super::unpredictable_seed(),
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

/// A run under way: where rows come from and where they go.
struct Run<'a> {
    asks: Box<dyn Iterator<Item = (u64, Arc<str>, Endpoint)> + 'a>,
    renderer: Box<dyn Renderer>,
    progress: Progress,
    vantage: &'a Vantage,
    listeners: OnceCell<Listeners>,
    advice: bool,
    tally: Tally,
    states: HashMap<(IpAddr, u16, Transport), PortState>,
    /// Rows of names with several addresses.
    plural: HashMap<Arc<str>, Vec<Outcome>>,
    done: u64,
    open: u64,
    total: u64,
    /// Writing failed; there is nobody to write for.
    broken: Option<io::Error>,
    net_stop: crate::net::Stop,
}

impl Run<'_> {
    fn write(&mut self, write: impl FnOnce(&mut dyn Renderer) -> io::Result<()>) {
        if self.broken.is_none()
            && let Err(error) = write(self.renderer.as_mut())
        {
            self.broken = Some(error);
            self.net_stop.ask();
        }
    }

    /// Takes a row that is complete, its check included.
    fn emit(&mut self, mut outcome: Outcome) {
        self.done += 1;
        self.open += u64::from(outcome.state == PortState::Open);
        self.tally.add(&outcome);
        if self.states.len() < REMEMBERED {
            let endpoint = outcome.endpoint;
            self.states.insert((endpoint.ip(), endpoint.port(), endpoint.transport), outcome.state);
        }
        if self.advice {
            let listeners = || self.listeners.get_or_init(Listeners::read).clone();
            let context = Context {
                is_own: &|ip| self.vantage.is_own(ip),
                listeners: &listeners,
                state_of: &|ip, port, transport| self.states.get(&(ip, port, transport)).copied(),
            };
            outcome.advice = advise(&outcome, &context);
        }
        if let Some(rows) = self.plural.get_mut(&outcome.target)
            && rows.len() < REMEMBERED
        {
            rows.push(outcome.clone());
        }
        self.write(|r| r.outcome(outcome));
    }

    fn finish(
        mut self,
        net: &LiveNet,
        unresolved: Vec<crate::model::Unresolved>,
    ) -> Result<ExitStatus, String> {
        self.progress.clear();
        let interrupted = net.stop_asked() && self.broken.is_none();
        let mut conclusions: Vec<NameConclusion> = self
            .plural
            .iter()
            .filter_map(|(target, rows)| {
                let text = conclude_name(&rows.iter().collect::<Vec<_>>())?;
                Some(NameConclusion { target: target.to_string(), text })
            })
            .collect();
        conclusions.sort_by(|a, b| a.target.cmp(&b.target));
        let footer =
            Footer { finished: jiff::Timestamp::now(), unresolved, conclusions, interrupted };
        self.write(|r| r.end(&footer));
        match self.broken {
            // `portscan ... | head`: the reader has what it wanted.
            Some(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            Some(error) => return Err(format!("cannot write the report: {error}")),
            None => {}
        }
        match interrupted {
            true => Ok(ExitStatus::Interrupted),
            false => Ok(self.tally.status()),
        }
    }
}

impl Follow for Run<'_> {
    fn next_ask(&mut self) -> Option<Ask> {
        let (order, target, endpoint) = self.asks.next()?;
        Some(Ask { order, target, endpoint, payloads: Payloads::Generic })
    }

    fn keeps(&self, _: &Ask) -> bool {
        false
    }

    fn probed(&mut self, probed: Probed) {
        self.emit(probed.outcome);
    }

    fn turn(&mut self, _: usize, _: Moment) -> bool {
        self.progress.update(self.done, Some(self.total), self.open);
        self.net_stop.is_asked()
    }
}
