//! Where packets die: the same probe with rising time to live.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::json;

use super::audit::Asked;
use super::interrupt;
use super::sources::sources;
use crate::check::{CheckOptions, Checks};
use crate::exit::ExitStatus;
use crate::model::{Endpoint, Handle, Moment, Reason, Sent, Signal, Transport};
use crate::net::{Attempt, Event, LiveNet, Net, SourceBinding};
use crate::plan::{Ask, Pace, Payloads};
use crate::render::{self, Renderer, trace::HopLine};
use crate::report::{Footer, Header, address_text};
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
    let target = std::slice::from_ref(&settings.target);
    let checks = Checks::new(CheckOptions::default()).map_err(|e| e.to_string())?;
    let mut audited = None;
    if let Some(log) = &settings.audit {
        let header = Header { started: jiff::Timestamp::now(), vantage: super::observe() };
        let asked = Asked { command: "trace", targets: target, reason: &settings.reason, via: &[] };
        audited = Some(super::audit::open(log, &asked, &checks, &header)?);
    }
    let sources = sources(target, settings.family, false, &settings.guard)?;
    let unresolved = sources.unresolved.first().map(|name| {
        let text = render::escape(&name.target).into_owned();
        format!("{text}: unresolved: {}", name.reason.name())
    });
    let mut net = LiveNet::new(super::sockets(None), SourceBinding::default())
        .map_err(|e| format!("no network: {e}"))?;
    let mut pace = Pace::new(settings.guard.highest_rate());
    let mut out = render::stdout();
    let mut status = ExitStatus::AllOpen;
    for (order, target, endpoint) in crate::plan::interleave(sources.blocks.into_iter()) {
        // Firewalls see what the service's own clients send.
        let payloads = checks.payloads(&endpoint, &target, super::unpredictable_seed());
        let payloads = payloads.filter(|set| !set.payloads.is_empty());
        let payloads = payloads.map_or(Payloads::Generic, |set| Payloads::Plugin(set.payloads));
        let ask = Ask { order, target, endpoint, payloads };
        let path = trace(&mut net, &ask, settings.max_hops, settings.timeout, &mut pace);
        if path.end != End::Open {
            status = ExitStatus::NotAllOpen;
        }
        if let Some(audited) = &mut audited {
            audited.found(path.entry(&ask))?;
        }
        let title = format!("{} ({endpoint})", render::escape(&ask.target));
        render::trace::write(&mut *out, &title, &path.lines(), &path.conclusion())
            .map_err(|e| format!("cannot write: {e}"))?;
    }
    if let Some(mut audited) = audited {
        let finished = jiff::Timestamp::now();
        let unresolved = sources.unresolved;
        let footer = Footer { finished, unresolved, conclusions: Vec::new(), interrupted: false };
        audited.end(&footer).map_err(|error| error.to_string())?;
    }
    unresolved.map_or(Ok(status), Err)
}

/// Traces one endpoint, with at most so many packets a second, and says in a sentence
/// what follows.
pub(super) fn sentence(net: &mut LiveNet, ask: &Ask, rate: Option<f64>) -> String {
    /// Hops of all but the oddest paths.
    const HOPS: u8 = 30;
    trace(net, ask, HOPS, Duration::from_millis(1500), &mut Pace::new(rate)).conclusion()
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
    /// Packets that left, the kernel's own repetitions included.
    sent: u32,
}

struct Pending {
    hop: u8,
    sent: Moment,
    handle: Handle,
}

/// What is under way.
struct Tracing<'a> {
    net: &'a mut LiveNet,
    pace: &'a mut Pace,
    pending: BTreeMap<u64, Pending>,
    path: Path,
    /// How long a hop is waited for.
    wait: Duration,
}

/// Sends the probe with every time to live up to `max_hops`, all at once or as the
/// pace allows, and gathers who answers.
fn trace(net: &mut LiveNet, ask: &Ask, max_hops: u8, wait: Duration, pace: &mut Pace) -> Path {
    let endpoint = ask.endpoint;
    let target = endpoint.ip();
    let path = Path { hops: BTreeMap::new(), end: End::Silent, end_hop: None, target, sent: 0 };
    let mut tracing = Tracing { net, pace, pending: BTreeMap::new(), path, wait };
    let mut key = 0;
    for round in 0..TRIES {
        for hop in 1..=max_hops {
            tracing.await_turn(endpoint);
            if interrupt::is_asked()
                || tracing.path.hops.contains_key(&hop)
                || tracing.path.end_hop.is_some_and(|(end, _)| hop > end)
            {
                continue;
            }
            key += 1;
            let payload = ask.payload(round);
            let sent = tracing.net.now();
            match tracing.net.send_now(&Attempt { key, endpoint, payload, hops: Some(hop) }) {
                Sent::Listening(handle) => {
                    tracing.charge(1);
                    tracing.pending.insert(key, Pending { hop, sent, handle });
                }
                Sent::Refused { .. } => tracing.path.end = End::Local,
                Sent::Busy { .. } | Sent::TableFull => {}
            }
        }
        let until = tracing.net.now() + if round + 1 == TRIES { wait } else { GAP };
        tracing.gather(endpoint, until);
    }
    tracing.forget(|_| true);
    tracing.path
}

impl Tracing<'_> {
    /// Waits until a packet may leave. Whoever was waited for long enough by then is
    /// given up: the kernel would go on and repeat SYNs beyond the pace.
    fn await_turn(&mut self, endpoint: Endpoint) {
        loop {
            let now = self.net.now();
            if self.pace.allows(now) || interrupt::is_asked() {
                return;
            }
            let next = self.pace.next(now);
            self.gather(endpoint, next);
            let wait = self.wait;
            self.forget(|pending| now.since(pending.sent) >= wait);
            // Nobody is listened for any more.
            let mut late = Vec::new();
            while self.net.now() < next && !interrupt::is_asked() {
                self.net.wait(Some(next), &mut late);
            }
        }
    }

    fn charge(&mut self, packets: u32) {
        self.path.sent += packets;
        (0..packets).for_each(|_| self.pace.charge());
    }

    fn forget(&mut self, is_over: impl Fn(&Pending) -> bool) {
        let over: Vec<u64> =
            self.pending.iter().filter(|(_, p)| is_over(p)).map(|(key, _)| *key).collect();
        for key in over {
            if let Some(pending) = self.pending.remove(&key) {
                let farewell = self.net.forget_now(pending.handle);
                self.charge(farewell.retransmits.into());
            }
        }
    }

    fn gather(&mut self, endpoint: Endpoint, until: Moment) {
        let mut events = Vec::new();
        let is_over =
            |t: &Self| t.pending.is_empty() || t.path.is_complete() || interrupt::is_asked();
        while self.net.now() < until && !is_over(self) {
            self.net.wait(Some(until), &mut events);
            for event in events.drain(..) {
                let Event::Arrived(arrival) = event else { continue };
                let Some(sent) = self.pending.get(&arrival.key) else { continue };
                let rtt = arrival.at.since(sent.sent);
                self.path.learn(endpoint, sent.hop, &arrival.signal, rtt);
                if !arrival.listening {
                    self.pending.remove(&arrival.key);
                    self.charge(arrival.retransmits.into());
                }
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

    /// What the audit log keeps of it.
    fn entry(&self, ask: &Ask) -> serde_json::Value {
        let hops: Vec<_> = self
            .hops
            .iter()
            .map(|(hop, (from, _))| json!({"hop": hop, "from": from.to_string()}))
            .collect();
        json!({
            "target": &*ask.target,
            "address": address_text(ask.endpoint.socket),
            "port": ask.endpoint.port(),
            "transport": ask.endpoint.transport,
            "packets_sent": self.sent,
            "payload": match (&ask.payloads, ask.endpoint.transport) {
                (_, Transport::Tcp) => None,
                (Payloads::Plugin(_), Transport::Udp) => Some("plugin"),
                (_, Transport::Udp) => Some("generic"),
            },
            "hops": hops,
            "conclusion": self.conclusion(),
        })
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
