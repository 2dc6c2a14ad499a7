//! One round of the main job under way: where endpoints come from, and where
//! their rows go.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::repeat::Series;
use super::scan::{Follow, Probed};
use super::twins::Twins;
use crate::advice::{Context, Peer, advise, conclude_name};
use crate::check::{Answer, Checks, Job};
use crate::exit::{ExitStatus, Tally};
use crate::model::{
    CheckResult, Endpoint, Moment, Note, Outcome, PortState, Reason, Silence, Transport, Unresolved,
};
use crate::net::Stop;
use crate::plan::{Ask, Payloads, Slowed};
use crate::probe::silent_service;
use crate::render::{Progress, Renderer};
use crate::report::{Footer, NameConclusion};
use crate::vantage::{Listeners, Vantage};

/// Open endpoints that are remembered for advice about others, and rows of one
/// name. A larger run is flat in memory and does without.
pub(super) const REMEMBERED: usize = 20_000;

/// Endpoints that are traced in one run: each takes seconds.
const MOST_TRACES: usize = 64;

/// A reader of JSON lines waits no longer than this for a row that is there.
const FLUSH: Duration = Duration::from_millis(100);

/// Endpoints in the user's order, with their place in it.
pub(super) type Endpoints<'a> = Box<dyn Iterator<Item = (u64, Arc<str>, Endpoint)> + 'a>;

/// A round under way.
pub(super) struct Round<'a> {
    pub endpoints: Endpoints<'a>,
    pub checks: Checks,
    pub renderer: Box<dyn Renderer>,
    pub progress: Progress,
    pub vantage: &'a Vantage,
    pub advice: bool,
    pub tally: Tally,
    /// Endpoints in all.
    pub total: u64,
    /// From which the seeds of endpoints are made.
    pub seed: u64,
    pub stop: Stop,
    /// What earlier rounds saw, by place in the request.
    pub series: HashMap<u64, Series>,
    /// Rows whose way is still to be traced; none when nobody asked.
    pub untraced: Option<Vec<(Outcome, Ask)>>,
    listeners: OnceCell<Listeners>,
    opens: HashSet<(IpAddr, u16, Transport)>,
    /// Where a port of a name with several addresses was found open first, in IPv4
    /// and in IPv6.
    open_addresses: HashMap<(Arc<str>, u16, Transport, bool), IpAddr>,
    peers: HashMap<(IpAddr, Transport), Peer>,
    /// Rows of names with several addresses.
    plural: HashMap<Arc<str>, Vec<Outcome>>,
    /// Rows that wait for their check.
    pending: HashMap<u64, Outcome>,
    /// Rows whose advice may rest on the same port of the other transport.
    twins: Twins,
    done: u64,
    open: u64,
    /// When rows were last pushed out to whoever reads along.
    flushed: Moment,
    /// Writing failed; there is nobody to write for.
    broken: Option<io::Error>,
}

/// What a round is made of.
pub(super) struct Parts<'a> {
    pub endpoints: Endpoints<'a>,
    pub checks: Checks,
    pub renderer: Box<dyn Renderer>,
    pub progress: Progress,
    pub vantage: &'a Vantage,
    pub advice: bool,
    pub tally: Tally,
    pub total: u64,
    pub seed: u64,
    pub stop: Stop,
    pub plural: Vec<Arc<str>>,
    /// Ports that are asked in both transports.
    pub twins: HashSet<u16>,
    pub series: HashMap<u64, Series>,
    pub trace: bool,
}

impl<'a> Round<'a> {
    pub fn new(parts: Parts<'a>) -> Round<'a> {
        Round {
            endpoints: parts.endpoints,
            checks: parts.checks,
            renderer: parts.renderer,
            progress: parts.progress,
            vantage: parts.vantage,
            advice: parts.advice,
            tally: parts.tally,
            total: parts.total,
            seed: parts.seed,
            stop: parts.stop,
            series: parts.series,
            untraced: parts.trace.then(Vec::new),
            listeners: OnceCell::new(),
            opens: HashSet::new(),
            open_addresses: HashMap::new(),
            peers: HashMap::new(),
            plural: parts.plural.into_iter().map(|name| (name, Vec::new())).collect(),
            pending: HashMap::new(),
            twins: Twins::new(parts.twins),
            done: 0,
            open: 0,
            flushed: Moment::START,
            broken: None,
        }
    }

    pub fn write(&mut self, write: impl FnOnce(&mut dyn Renderer) -> io::Result<()>) {
        if self.broken.is_none()
            && let Err(error) = write(self.renderer.as_mut())
        {
            self.broken = Some(error);
            self.stop.ask();
        }
    }

    fn seed_of(&self, order: u64) -> u64 {
        endpoint_seed(self.seed, order)
    }

    /// Takes a row that is complete, its check included.
    pub fn emit(&mut self, outcome: Outcome) {
        if let Some(outcome) = self.twins.hold(outcome) {
            self.end(outcome);
        }
    }

    /// Advises and writes a row.
    fn end(&mut self, mut outcome: Outcome) {
        if !self.series.is_empty()
            && let Some(mut series) = self.series.remove(&outcome.order)
        {
            series.add(&outcome);
            outcome.notes.push(Note::Rounds(series.summary()));
        }
        self.done += 1;
        self.open += u64::from(outcome.state == PortState::Open);
        self.tally.add(&outcome);
        if self.advice {
            let listeners = || self.listeners.get_or_init(Listeners::read);
            let context = Context {
                is_own: &|ip| self.vantage.is_own(ip),
                listeners: &listeners,
                is_open: &|ip, port, transport| self.opens.contains(&(ip, port, transport)),
                open_address: &|name, port, transport, ipv4| {
                    self.open_addresses.get(&(name.into(), port, transport, ipv4)).copied()
                },
                peer: &|ip, transport| {
                    self.peers.get(&(ip, transport)).copied().unwrap_or_default()
                },
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

    /// What is known of an endpoint's address so far, where advice may ask for it.
    fn peer(&mut self, endpoint: &Endpoint) -> Option<&mut Peer> {
        let key = (endpoint.ip(), endpoint.transport);
        let is_kept = self.peers.len() < REMEMBERED || self.peers.contains_key(&key);
        (self.advice && is_kept).then(|| self.peers.entry(key).or_default())
    }

    /// Keeps what advice about other endpoints asks for: before the row waits for its
    /// check, which may take longer than the others.
    fn remember(&mut self, outcome: &Outcome) {
        if !self.advice || !matches!(outcome.state, PortState::Open | PortState::Closed) {
            return;
        }
        let endpoint = outcome.endpoint;
        let (ip, port, transport) = (endpoint.ip(), endpoint.port(), endpoint.transport);
        if let Some(peer) = self.peer(&endpoint) {
            peer.add(outcome);
        }
        if outcome.state == PortState::Open && self.opens.len() < REMEMBERED {
            self.opens.insert((ip, port, transport));
            if self.plural.contains_key(&outcome.target) {
                let key = (outcome.target.clone(), port, transport, ip.is_ipv4());
                self.open_addresses.entry(key).or_insert(ip);
            }
        }
    }

    fn checked(&mut self, order: u64, result: CheckResult) {
        if let Some(mut outcome) = self.pending.remove(&order) {
            outcome.check = Some(Box::new(result));
            self.emit(outcome);
        }
    }

    fn take_checked(&mut self) {
        while let Ok((order, result)) = self.checks.finished().try_recv() {
            self.checked(order, result);
        }
    }

    /// Waits for the checks that are still under way.
    pub fn wait_for_checks(&mut self) {
        /// How often an interruption is looked for meanwhile.
        const TURN: Duration = Duration::from_millis(50);
        /// Of so many, results are taken together: to be woken by each of them costs
        /// more than taking it.
        const MANY: usize = 32;
        const TOGETHER: Duration = Duration::from_millis(1);
        if !self.pending.is_empty() {
            super::interrupt::listen();
        }
        while !self.pending.is_empty() && !self.stop.is_asked() {
            if let Ok((order, result)) = self.checks.finished().recv_timeout(TURN) {
                self.checked(order, result);
            }
            self.take_checked();
            self.write(|r| r.flush());
            self.progress.update(self.done, Some(self.total), self.open);
            if self.pending.len() >= MANY {
                std::thread::sleep(TOGETHER);
            }
        }
        // Interrupted: what was measured is shown without its check.
        let rest: Vec<Outcome> = self.pending.drain().map(|(_, outcome)| outcome).collect();
        rest.into_iter().for_each(|outcome| self.emit(outcome));
        self.twins.rest().into_iter().for_each(|outcome| self.end(outcome));
    }

    /// Writes the end and says how it ended.
    pub fn finish(mut self, unresolved: Vec<Unresolved>) -> Result<ExitStatus, String> {
        self.progress.clear();
        let interrupted = self.stop.is_asked() && self.broken.is_none();
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
        for note in self.checks.take_notes() {
            crate::render::talk::note(&note);
        }
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

    /// What silence means for the service that usually lives there.
    fn note_silence(&self, outcome: &mut Outcome) {
        if outcome.reason != Reason::NoResponse || outcome.endpoint.transport == Transport::Tcp {
            return;
        }
        let service = match self.checks.service(&outcome.endpoint, &outcome.target) {
            Some(plugin) => match &plugin.silence {
                Silence::Normal(_) => Some(plugin.name.as_str()),
                Silence::Unexpected => None,
            },
            None => silent_service(&outcome.endpoint),
        };
        if let Some(service) = service {
            outcome.notes.push(Note::SilentByDesign { service: service.into() });
        }
    }
}

/// The seed of one endpoint: unpredictable, and the same for its payloads and its
/// judge. Its highest bit is clear, so that a transcript can hold it as a number.
pub(super) fn endpoint_seed(run: u64, order: u64) -> u64 {
    // SplitMix64's step: neighbours in the request get unrelated seeds.
    let mut z = run.wrapping_add(order.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z ^ (z >> 31)) >> 1
}

/// What to send to an endpoint: its plugin's payloads, where it has a plugin.
pub(super) fn payloads_for(
    checks: &Checks,
    endpoint: &Endpoint,
    target: &Arc<str>,
    seed: u64,
) -> Payloads {
    let payloads = match endpoint.transport {
        Transport::Tcp => None,
        Transport::Udp => checks.payloads(endpoint, target, seed),
    };
    match payloads {
        Some(set) if !set.payloads.is_empty() => Payloads::Plugin(set.payloads),
        _ => Payloads::Generic,
    }
}

impl Follow for Round<'_> {
    fn next_ask(&mut self) -> Option<Ask> {
        let (order, target, endpoint) = self.endpoints.next()?;
        if let Some(peer) = self.peer(&endpoint) {
            peer.asked += 1;
        }
        let payloads = payloads_for(&self.checks, &endpoint, &target, self.seed_of(order));
        Some(Ask { order, target, endpoint, payloads })
    }

    fn keeps(&self, ask: &Ask) -> bool {
        self.checks.wants(&ask.endpoint, &ask.target)
    }

    fn probed(&mut self, probed: Probed) {
        let Probed { mut outcome, ask, stream, answer } = probed;
        self.remember(&outcome);
        let waiting = self.twins.probed(&outcome);
        waiting.into_iter().for_each(|outcome| self.end(outcome));
        if outcome.state == PortState::Open && self.keeps(&ask) && !self.stop.is_asked() {
            let answer = answer.map(|(index, port, bytes)| Answer { index, port, bytes });
            self.checks.submit(Job {
                order: ask.order,
                endpoint: ask.endpoint,
                target: ask.target.clone(),
                seed: self.seed_of(ask.order),
                stream,
                answer,
                player: None,
            });
            self.pending.insert(ask.order, outcome);
            return;
        }
        self.note_silence(&mut outcome);
        outcome.check = self.checks.take_fault(&ask.endpoint, &ask.target).map(Box::new);
        match &mut self.untraced {
            Some(untraced)
                if outcome.state == PortState::Filtered && untraced.len() < MOST_TRACES =>
            {
                untraced.push((outcome, ask));
            }
            _ => self.emit(outcome),
        }
    }

    fn waits(&mut self) {
        super::interrupt::listen();
    }

    fn table_full(&mut self) {
        self.progress.note(
            "this machine's table of connections is full of what was sent: going on as entries \
             expire, which takes minutes (sysctl net.netfilter.nf_conntrack_max, or --rate)",
        );
    }

    fn has_room(&self) -> bool {
        self.checks.has_room()
    }

    fn slowed(&mut self, slowed: Slowed) {
        let lost = (slowed.lost * 100.0).round();
        let peer = slowed.peer;
        self.progress.note(&format!("{peer} loses {lost} % of the packets: asking it more slowly"));
    }

    fn turn(&mut self, _: usize, now: Moment) -> bool {
        self.take_checked();
        if now.since(self.flushed) >= FLUSH {
            self.flushed = now;
            self.write(|r| r.flush());
        }
        self.progress.update(self.done, Some(self.total), self.open);
        self.stop.is_asked()
    }
}
