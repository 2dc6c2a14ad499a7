//! A network of made-up machines, with a clock of its own.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use portscan::model::{
    Endpoint, Farewell, Handle, IcmpError, IcmpFamily, Moment, Sent, Signal, Transport,
};
use portscan::net::{Arrival, Attempt, Event as Told, Net};

use crate::random::Random;
use crate::world::{Behaviour, Budget, Peer, World};

/// Something that happens later, in order of time.
#[derive(Debug)]
enum Event {
    /// An attempt that was handed over leaves.
    Departs { handle: u64 },
    /// What was known of an attempt that was given up comes back.
    Forgotten { key: u64, handle: u64 },
    /// The kernel sends a SYN (again).
    Syn { handle: u64, repeat: u8 },
    /// A packet reaches the target's side.
    Reaches { handle: u64 },
    /// A signal reaches us.
    Signal { handle: u64, signal: Signal },
}

struct Listening {
    key: u64,
    endpoint: Endpoint,
    retransmits: u8,
}

/// Implements [`Net`] over a [`World`].
pub struct ScriptedNet {
    own: IpAddr,
    peers: HashMap<IpAddr, Rc<Peer>>,
    random: Random,
    /// Packets are handed over and leave later, as with a pool of threads.
    deferred: bool,
    now: Moment,
    events: BinaryHeap<Reverse<(Moment, u64)>>,
    payloads: HashMap<u64, Event>,
    serial: u64,
    listening: HashMap<u64, Listening>,
    /// Tokens of whoever sends ICMP errors, and when they were counted.
    buckets: HashMap<IpAddr, (f64, Moment)>,
    packets: u64,
}

impl ScriptedNet {
    pub fn new(world: World) -> ScriptedNet {
        ScriptedNet {
            random: Random(world.seed ^ 0xFEED),
            deferred: world.seed % 2 == 1,
            own: world.own,
            peers: world.peers.into_iter().map(|peer| (peer.address, Rc::new(peer))).collect(),
            now: Moment::START,
            events: BinaryHeap::new(),
            payloads: HashMap::new(),
            serial: 0,
            listening: HashMap::new(),
            buckets: HashMap::new(),
            packets: 0,
        }
    }

    pub fn elapsed(&self) -> Duration {
        self.now.since_start()
    }

    /// Packets that left the prober.
    pub fn packets(&self) -> u64 {
        self.packets
    }

    fn later(&mut self, after: Duration, event: Event) {
        self.serial += 1;
        self.payloads.insert(self.serial, event);
        self.events.push(Reverse((self.now + after, self.serial)));
    }

    /// One way over the network: lost, once, or twice.
    fn travel(&mut self, peer: &Peer, extra: Duration, event: impl Fn() -> Event) {
        if self.random.chance(peer.loss) {
            return;
        }
        let jitter = peer.jitter.as_nanos() as u64 / 2;
        let times = if self.random.chance(peer.duplicated) { 2 } else { 1 };
        for _ in 0..times {
            let jitter = Duration::from_nanos(self.random.below(jitter + 1));
            self.later(peer.rtt / 2 + jitter + extra, event());
        }
    }

    fn peer_of(&self, handle: u64) -> Option<(Endpoint, Rc<Peer>)> {
        let endpoint = self.listening.get(&handle)?.endpoint;
        Some((endpoint, self.peers.get(&endpoint.ip())?.clone()))
    }

    fn leaves(&mut self, handle: u64) {
        self.packets += 1;
        if let Some((_, peer)) = self.peer_of(handle) {
            self.travel(&peer, Duration::ZERO, || Event::Reaches { handle });
        }
    }

    fn reaches(&mut self, handle: u64) {
        let Some((endpoint, peer)) = self.peer_of(handle) else { return };
        let tcp = endpoint.transport == Transport::Tcp;
        let back = |signal: Signal| move || Event::Signal { handle, signal: signal.clone() };
        let answer = |port: u16| Signal::Answer {
            from: SocketAddr::new(peer.address, port),
            bytes: vec![1],
        };
        if peer.strays && !tcp {
            let from = SocketAddr::new(self.own, 9);
            self.travel(&peer, Duration::ZERO, back(Signal::Answer { from, bytes: vec![] }));
        }
        match peer.behaviour(endpoint) {
            Behaviour::Open { slow } if tcp => {
                self.travel(&peer, slow, back(Signal::Connected { reset: false }))
            }
            Behaviour::Open { slow } => self.travel(&peer, slow, back(answer(endpoint.port()))),
            Behaviour::AnswersElsewhere => {
                self.travel(&peer, Duration::ZERO, back(answer(endpoint.port() ^ 1)))
            }
            Behaviour::Closed if tcp => self.travel(&peer, Duration::ZERO, back(Signal::Refused)),
            Behaviour::Closed => self.icmp(&peer, handle, peer.address, 3),
            Behaviour::RejectedByTarget { code } => self.icmp(&peer, handle, peer.address, code),
            Behaviour::RejectedByRouter { code } => self.icmp(&peer, handle, peer.router, code),
            Behaviour::Dropped | Behaviour::OpenSilent => {}
        }
    }

    /// An ICMP error, if its sender has the budget for it.
    fn icmp(&mut self, peer: &Peer, handle: u64, from: IpAddr, code: u8) {
        if !self.take_token(from, peer.budget) {
            return;
        }
        let v6 = from.is_ipv6();
        // The ICMPv6 codes of the same meaning.
        let code = match (v6, code) {
            (false, code) => code,
            (true, 0) => 0,
            (true, 1) => 3,
            (true, 3) => 4,
            (true, _) => 1,
        };
        let (family, kind) = if v6 { (IcmpFamily::V6, 1) } else { (IcmpFamily::V4, 3) };
        let error = IcmpError { family, kind, code, from, errno: libc::EHOSTUNREACH };
        self.travel(peer, Duration::ZERO, || Event::Signal { handle, signal: Signal::Icmp(error) });
    }

    fn take_token(&mut self, from: IpAddr, budget: Budget) -> bool {
        let (tokens, since) = self.buckets.get(&from).copied().unwrap_or((budget.burst, self.now));
        let earned = self.now.since(since).as_secs_f64() / budget.interval.as_secs_f64();
        let tokens = (tokens + earned).min(budget.burst);
        let granted = tokens >= 1.0;
        self.buckets.insert(from, (tokens - f64::from(u8::from(granted)), self.now));
        granted
    }

    /// A while in which a thread that does the work gets round to it.
    fn soon(&mut self) -> Duration {
        Duration::from_micros(self.random.below(2_000))
    }

    fn departs(&mut self, handle: u64) {
        let Some(listening) = self.listening.get(&handle) else { return };
        match listening.endpoint.transport {
            Transport::Tcp => self.later(Duration::ZERO, Event::Syn { handle, repeat: 0 }),
            Transport::Udp => self.leaves(handle),
        }
    }

    fn forgets(&mut self, handle: u64) -> Farewell {
        let retransmits = self.listening.remove(&handle).map_or(0, |l| l.retransmits);
        Farewell { retransmits, invalid_answer: false, doubtful: false }
    }

    fn happen(&mut self, event: Event, told: &mut Vec<Told>) {
        match event {
            Event::Departs { handle } => {
                let Some(listening) = self.listening.get(&handle) else { return };
                let (key, sent) = (listening.key, Sent::Listening(Handle(handle)));
                told.push(Told::Departed { key, sent, at: self.now });
                self.departs(handle);
            }
            Event::Forgotten { key, handle } => {
                told.push(Told::Forgotten { key, farewell: self.forgets(handle) });
            }
            Event::Syn { handle, repeat } => {
                let Some(listening) = self.listening.get_mut(&handle) else { return };
                listening.retransmits = repeat;
                if repeat < 5 {
                    self.later(Duration::from_secs(1), Event::Syn { handle, repeat: repeat + 1 });
                }
                self.leaves(handle);
            }
            Event::Reaches { handle } => self.reaches(handle),
            Event::Signal { handle, signal } => {
                let Some(listening) = self.listening.get(&handle) else { return };
                let still = listening.endpoint.transport == Transport::Udp;
                told.push(Told::Arrived(Arrival {
                    key: listening.key,
                    at: self.now,
                    rtt: None,
                    retransmits: listening.retransmits,
                    signal,
                    stream: None,
                    listening: still,
                }));
                if !still {
                    self.listening.remove(&handle);
                }
            }
        }
    }
}

impl Net for ScriptedNet {
    fn now(&self) -> Moment {
        self.now
    }

    fn send(&mut self, attempt: Attempt<'_>) -> Option<Sent> {
        self.serial += 1;
        let handle = self.serial;
        let Attempt { key, endpoint, .. } = attempt;
        self.listening.insert(handle, Listening { key, endpoint, retransmits: 0 });
        if self.deferred {
            let soon = self.soon();
            self.later(soon, Event::Departs { handle });
            return None;
        }
        self.departs(handle);
        Some(Sent::Listening(Handle(handle)))
    }

    fn forget(&mut self, key: u64, handle: Handle) -> Option<Farewell> {
        if self.deferred {
            let soon = self.soon();
            self.later(soon, Event::Forgotten { key, handle: handle.0 });
            return None;
        }
        Some(self.forgets(handle.0))
    }

    fn wait(&mut self, until: Option<Moment>, told: &mut Vec<Told>) {
        loop {
            let next = self.events.peek().map(|Reverse((at, _))| *at);
            let due = match (next, until) {
                (Some(next), Some(until)) => next <= until,
                (Some(_), None) => true,
                (None, _) => false,
            };
            assert!(until.is_some() || due, "the plan waits for something that never comes");
            if !due {
                self.now = until.unwrap_or(self.now).max(self.now);
                return;
            }
            let Some(Reverse((at, serial))) = self.events.pop() else { return };
            self.now = self.now.max(at);
            if let Some(event) = self.payloads.remove(&serial) {
                self.happen(event, told);
            }
            if !told.is_empty() {
                return;
            }
        }
    }
}
