//! Where packets die: the same probe with rising time to live.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::sources::sources;
use crate::check::{CheckOptions, Checks};
use crate::exit::ExitStatus;
use crate::model::{Endpoint, Handle, Moment, Reason, Sent, Signal, Transport};
use crate::net::{Attempt, Event, LiveNet, Net, SourceBinding};
use crate::plan::{Ask, Payloads};
use crate::render::{self, trace::HopLine};
use crate::settings::TraceSettings;

/// Tries per hop: routers ration their errors, and packets get lost.
const TRIES: u8 = 3;

/// Time between two tries of a hop.
const GAP: Duration = Duration::from_millis(350);

/// Traces one endpoint per address of the target.
pub(super) fn run(settings: &TraceSettings) -> ExitStatus {
    match try_run(settings) {
        Ok(status) => status,
        Err(message) => {
            render::talk::error(&message);
            ExitStatus::CannotRun
        }
    }
}

fn try_run(settings: &TraceSettings) -> Result<ExitStatus, String> {
    let sources =
        sources(std::slice::from_ref(&settings.target), settings.family, false, &settings.guard)?;
    if let Some(name) = sources.unresolved.first() {
        return Err(format!("{}: unresolved: {}", name.target, name.reason.name()));
    }
    let mut net = LiveNet::new(super::sockets(None), SourceBinding::default())
        .map_err(|e| format!("no network: {e}"))?;
    let checks = Checks::new(CheckOptions::default()).map_err(|e| e.to_string())?;
    let mut out = render::stdout();
    let mut status = ExitStatus::AllOpen;
    for (order, target, endpoint) in crate::plan::interleave(sources.blocks.into_iter()) {
        // Firewalls see what the service's own clients send.
        let payloads = checks.payloads(&endpoint, &target, super::unpredictable_seed());
        let payloads = payloads.filter(|set| !set.payloads.is_empty());
        let payloads = payloads.map_or(Payloads::Generic, |set| Payloads::Plugin(set.payloads));
        let ask = Ask { order, target, endpoint, payloads };
        let path = trace(&mut net, &ask, settings.max_hops, settings.timeout);
        if path.end != End::Open {
            status = ExitStatus::NotAllOpen;
        }
        let title = format!("{} ({endpoint})", render::escape(&ask.target));
        render::trace::write(&mut *out, &title, &path.lines(), &path.conclusion())
            .map_err(|e| format!("cannot write: {e}"))?;
    }
    Ok(status)
}

/// Traces one endpoint and says in a sentence what follows.
pub(super) fn sentence(net: &mut LiveNet, ask: &Ask) -> String {
    /// Hops of all but the oddest paths.
    const HOPS: u8 = 30;
    trace(net, ask, HOPS, Duration::from_millis(1500)).conclusion()
}

/// How a path ends.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    /// The endpoint answered that it is open.
    Open,
    /// The target itself refused.
    Refused,
    /// Somebody refused by ICMP.
    Rejected(IpAddr, Reason),
    /// This machine did not let the packet out.
    Local,
    /// Nothing more came.
    Silent,
}

/// What a trace found.
struct Path {
    hops: BTreeMap<u8, (IpAddr, Duration)>,
    end: End,
    end_hop: Option<(u8, Duration)>,
    target: IpAddr,
}

struct Pending {
    hop: u8,
    sent: Moment,
    handle: Handle,
}

/// Sends the probe with every time to live up to `max_hops`, all at once, and
/// gathers who answers.
fn trace(net: &mut LiveNet, ask: &Ask, max_hops: u8, wait: Duration) -> Path {
    let endpoint = ask.endpoint;
    let mut path =
        Path { hops: BTreeMap::new(), end: End::Silent, end_hop: None, target: endpoint.ip() };
    let mut pending: BTreeMap<u64, Pending> = BTreeMap::new();
    let mut key = 0;
    for round in 0..TRIES {
        let last = path.end_hop.map_or(max_hops, |(hop, _)| hop);
        for hop in (1..=last).filter(|hop| !path.hops.contains_key(hop)) {
            key += 1;
            let payload = ask.payload(round);
            let sent = net.now();
            match net.send_now(&Attempt { key, endpoint, payload, hops: Some(hop) }) {
                Sent::Listening(handle) => drop(pending.insert(key, Pending { hop, sent, handle })),
                Sent::Refused { .. } => path.end = End::Local,
                Sent::Busy { .. } => {}
            }
        }
        let until = net.now() + if round + 1 == TRIES { wait } else { GAP };
        gather(net, endpoint, &mut pending, &mut path, until);
    }
    for (_, left) in pending {
        net.forget_now(left.handle);
    }
    path
}

fn gather(
    net: &mut LiveNet,
    endpoint: Endpoint,
    pending: &mut BTreeMap<u64, Pending>,
    path: &mut Path,
    until: Moment,
) {
    let mut events = Vec::new();
    while net.now() < until && !pending.is_empty() && !path.is_complete() {
        net.wait(Some(until), &mut events);
        for event in events.drain(..) {
            let Event::Arrived(arrival) = event else { continue };
            let Some(sent) = pending.get(&arrival.key) else { continue };
            path.learn(endpoint, sent.hop, &arrival.signal, arrival.at.since(sent.sent));
            if !arrival.listening {
                pending.remove(&arrival.key);
            }
        }
    }
}

impl Path {
    /// Every hop up to the end has answered.
    fn is_complete(&self) -> bool {
        self.end_hop.is_some_and(|(end, _)| (1..end).all(|hop| self.hops.contains_key(&hop)))
    }

    fn learn(&mut self, endpoint: Endpoint, hop: u8, signal: &Signal, rtt: Duration) {
        let end = match signal {
            Signal::Icmp(icmp) => match icmp.reason() {
                Some(Reason::TimeExceeded) => {
                    self.hops.entry(hop).or_insert((icmp.from, rtt));
                    return;
                }
                Some(Reason::PortUnreach)
                    if icmp.from == endpoint.ip() && endpoint.transport == Transport::Udp =>
                {
                    End::Refused
                }
                Some(reason) => End::Rejected(icmp.from, reason),
                None => return,
            },
            Signal::Connected { .. } | Signal::Answer { .. } => End::Open,
            Signal::Refused => End::Refused,
            Signal::Errno { .. } | Signal::SelfConnect => return,
            Signal::Local { .. } => End::Local,
        };
        // The end is as far as the smallest time to live that got there.
        if self.end_hop.is_none_or(|(nearest, _)| hop < nearest) {
            self.end_hop = Some((hop, rtt));
            self.end = end;
        }
    }

    fn lines(&self) -> Vec<HopLine> {
        let end = self.end_hop.map(|(hop, _)| hop);
        let last = end.or(self.hops.keys().max().map(|hop| hop + 1)).unwrap_or(1);
        (1..=last)
            .map(|hop| match (self.hops.get(&hop), end == Some(hop)) {
                (_, true) => HopLine {
                    hop,
                    from: match &self.end {
                        End::Rejected(from, _) => Some(*from),
                        _ => Some(self.target),
                    },
                    rtt: self.end_hop.map(|(_, rtt)| rtt),
                    said: match &self.end {
                        End::Open => "open".into(),
                        End::Refused => "refused by the target".into(),
                        End::Rejected(_, reason) => reason.name().into(),
                        End::Local | End::Silent => String::new(),
                    },
                },
                (Some((from, rtt)), _) => {
                    HopLine { hop, from: Some(*from), rtt: Some(*rtt), said: String::new() }
                }
                (None, _) => HopLine { hop, from: None, rtt: None, said: String::new() },
            })
            .collect()
    }

    fn conclusion(&self) -> String {
        let last = self.hops.iter().next_back();
        match (&self.end, last) {
            (End::Open, _) => "the endpoint is reached and open".into(),
            (End::Refused, _) => "the target is reached and refuses: nothing listens there".into(),
            (End::Rejected(from, reason), _) => {
                let hop = self.end_hop.map_or(0, |(hop, _)| hop);
                format!("packets are rejected by {from} (hop {hop}): {reason}")
            }
            (End::Local, _) => "this machine did not let the packets out".into(),
            (End::Silent, Some((hop, (from, _)))) => match self.repeats() {
                Some((a, b)) => format!("packets circle between {a} and {b}: a routing loop"),
                None => format!("packets die after {from} (hop {hop})"),
            },
            (End::Silent, None) => {
                "no hop answered: packets die on the first link, or every router is silent".into()
            }
        }
    }

    /// Two routers that come again and again.
    fn repeats(&self) -> Option<(IpAddr, IpAddr)> {
        let hops: Vec<IpAddr> = self.hops.values().map(|(from, _)| *from).collect();
        let at = (0..hops.len().saturating_sub(3))
            .find(|n| hops[*n] == hops[n + 2] && hops[n + 1] == hops[n + 3])?;
        Some((hops[at], hops[at + 1]))
    }
}
