//! Decides what to send next, and when.
//!
//! A [`Plan`] is a state machine without I/O: it is given endpoints
//! ([`Plan::admit`]), asked for the next [`Step`], and told what came of it
//! ([`Plan::sent`], [`Plan::record`], [`Plan::farewell`]). Time comes in as an
//! argument, so a simulated hour runs in a millisecond.
//!
//! Not here: opening sockets (`net`), deciding a port's state (`probe`).
//! Start reading at [`Plan::next`].

mod budget;
mod controls;
mod entry;
mod flow;
mod order;
mod pace;
mod peer;
pub mod schedule;
mod slab;
mod timers;

pub use entry::{Ask, Finished, Payloads};
pub use order::{Block, interleave};
pub use pace::Pace;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use crate::model::{Endpoint, Handle, Moment, Observation, Signal, Transport};
use entry::{Entry, Phase, Purpose};
use peer::Peer;

/// How thorough and how fast to be.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long an endpoint may stay silent; none for [`schedule::TIMEOUT`],
    /// with an early verdict where controls allow it.
    pub timeout: Option<Duration>,
    /// Attempts at a silent endpoint; none for the transport's default.
    pub attempts: Option<u8>,
    /// Attempts that may listen at once: the descriptors we may use.
    pub max_listening: usize,
    /// Packets a second; none for no limit.
    pub rate: Option<f64>,
    /// Send control probes where silence or too many opens need grading.
    pub controls: bool,
    /// Longest time to go on proving the closed UDP ports of one peer.
    pub prove_within: Duration,
    /// End the whole run by then.
    pub deadline: Option<Duration>,
    /// Picks the control ports.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            timeout: None,
            attempts: None,
            max_listening: 1024,
            rate: None,
            controls: true,
            prove_within: Duration::from_secs(30),
            deadline: None,
            seed: 0,
        }
    }
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Send attempt `nth` of `key` and tell the plan by [`Plan::sent`], at once
    /// or as soon as it is known.
    Send {
        /// Names the attempt in everything that follows.
        key: u64,
        /// Where to.
        endpoint: Endpoint,
    },
    /// Stop listening and tell the plan by [`Plan::farewell`].
    Forget {
        /// The attempt.
        key: u64,
        /// Its handle.
        handle: Handle,
    },
    /// Nothing to do before this moment, or before something arrives.
    Wait(Option<Moment>),
    /// Everything admitted is finished.
    Done,
}

/// A peer that is asked more slowly, because so many packets are lost that the
/// loss must come with our rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slowed {
    /// Its address.
    pub peer: IpAddr,
    /// Share of packets lost, 0 to 1.
    pub lost: f64,
}

/// Attempts on their way out before no more are asked for: what is decided long
/// before it is done is decided too early.
const MAX_DEPARTING: usize = 256;

/// Endpoints that may wait in queues before no more are admitted.
const MAX_BACKLOG: usize = 4096;

/// Marks a timer or key as a peer's rather than an entry's.
const PEER: u32 = 1 << 31;

/// The machine. See the module's head.
pub struct Plan {
    settings: Settings,
    pace: Pace,
    entries: Vec<Option<Entry>>,
    generations: Vec<u32>,
    free: Vec<u32>,
    peers: Vec<Peer>,
    peer_of: HashMap<IpAddr, u32>,
    free_peers: Vec<u32>,
    /// Tells one peer from the next in the same place.
    serial: u32,
    timers: BinaryHeap<Reverse<(Moment, u32, u32)>>,
    fresh: VecDeque<(u32, u32)>,
    again: VecDeque<(u32, u32)>,
    forget: Vec<(u64, Handle)>,
    finished: VecDeque<Finished>,
    slowed: Vec<Slowed>,
    /// This machine's table of connections was full, and whether that was fetched.
    table_full: Option<bool>,
    /// Asked endpoints not yet finished, and how many of them are provisional.
    active: usize,
    provisional: usize,
    waiting: usize,
    listening: usize,
    /// Attempts that the network was asked to send and has not told of.
    departing: usize,
    blocked_until: Moment,
    exhausted: bool,
}

impl Plan {
    /// An empty plan.
    pub fn new(settings: Settings) -> Plan {
        Plan {
            pace: Pace::new(settings.rate),
            settings,
            entries: Vec::new(),
            generations: Vec::new(),
            free: Vec::new(),
            peers: Vec::new(),
            peer_of: HashMap::new(),
            free_peers: Vec::new(),
            serial: 0,
            timers: BinaryHeap::new(),
            fresh: VecDeque::new(),
            again: VecDeque::new(),
            forget: Vec::new(),
            finished: VecDeque::new(),
            slowed: Vec::new(),
            table_full: None,
            active: 0,
            provisional: 0,
            waiting: 0,
            listening: 0,
            departing: 0,
            blocked_until: Moment::START,
            exhausted: false,
        }
    }

    /// Whether more endpoints may be admitted now.
    pub fn has_room(&self) -> bool {
        self.fresh.len() + self.waiting < MAX_BACKLOG
            && self.active < 4 * self.settings.max_listening.max(256)
    }

    /// Endpoints admitted and not yet finished.
    pub fn active(&self) -> usize {
        self.active
    }

    /// Says that no more endpoints will be admitted.
    pub fn no_more(&mut self) {
        self.exhausted = true;
    }

    /// Takes in one endpoint.
    pub fn admit(&mut self, ask: Ask) {
        let peer = self.peer_for(ask.endpoint.ip());
        let transport = ask.endpoint.transport;
        let (index, generation) = self.insert(ask, peer, Purpose::Asked);
        self.active += 1;
        let peer = &mut self.peers[peer as usize];
        peer.active += 1;
        match transport {
            Transport::Tcp => peer.tcp.admitted += 1,
            Transport::Udp => peer.udp.entries.push((index, generation)),
        }
        self.entry(index).queued = true;
        self.fresh.push_back((index, generation));
    }

    /// The bytes of the attempt that [`Step::Send`] names.
    pub fn payload(&self, key: u64) -> &[u8] {
        let (index, _, nth) = split(key);
        self.entries[index as usize].as_ref().map_or(b"", |entry| entry.ask.payload(nth))
    }

    /// Takes out the next finished endpoint.
    pub fn pop_finished(&mut self) -> Option<Finished> {
        self.finished.pop_front()
    }

    /// Takes out a peer that is asked more slowly from now on.
    pub fn pop_slowed(&mut self) -> Option<Slowed> {
        self.slowed.pop()
    }

    /// Whether to say, once in a run, that this machine's table of connections is full.
    pub fn take_table_full(&mut self) -> bool {
        self.table_full.as_mut().is_some_and(|told| !std::mem::replace(told, true))
    }

    /// Says what to do next.
    ///
    /// In this order: give up attempts that are no longer needed; look at the
    /// endpoints whose time has come; send again where an answer is due; send
    /// to new endpoints. A packet leaves only when the pace, the peer's window
    /// and the descriptors allow it.
    pub fn next(&mut self, now: Moment) -> Step {
        if let Some((key, handle)) = self.forget.pop() {
            return Step::Forget { key, handle };
        }
        if self.settings.deadline.is_some_and(|deadline| now.since_start() >= deadline) {
            self.stop(now);
        }
        self.run_timers(now);
        if let Some((key, handle)) = self.forget.pop() {
            return Step::Forget { key, handle };
        }
        if self.exhausted && self.active > 0 && self.active == self.provisional {
            self.finish_provisional(now);
            return self.next(now);
        }
        if self.active == 0 && self.exhausted {
            return Step::Done;
        }
        if now >= self.blocked_until && !self.has_descriptors() {
            self.make_way();
            if let Some((key, handle)) = self.forget.pop() {
                return Step::Forget { key, handle };
            }
        }
        if now >= self.blocked_until && self.has_descriptors() {
            if !self.pace.allows(now) {
                return self.wait_for(Some(self.pace.next(now)));
            }
            if let Some(step) = self.next_send() {
                return step;
            }
            return self.wait_for(None);
        }
        let blocked = (self.blocked_until > now).then_some(self.blocked_until);
        self.wait_for(blocked)
    }

    fn wait_for(&self, other: Option<Moment>) -> Step {
        let timer = self.timers.peek().map(|Reverse((at, ..))| *at);
        let queued = !(self.fresh.is_empty() && self.again.is_empty());
        let other = other.filter(|_| queued);
        Step::Wait(match (timer, other) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        })
    }

    fn next_send(&mut self) -> Option<Step> {
        while let Some((index, generation)) = self.again.pop_front() {
            if let Some(step) = self.step_for(index, generation) {
                return Some(step);
            }
        }
        while let Some((index, generation)) = self.fresh.pop_front() {
            let Some(entry) = self.live(index, generation) else { continue };
            let peer = entry.peer;
            let peer = &mut self.peers[peer as usize];
            if !peer.has_room() {
                peer.waiting.push_back((index, generation));
                self.waiting += 1;
                continue;
            }
            peer.in_window += 1;
            self.entry(index).in_window = true;
            if let Some(step) = self.step_for(index, generation) {
                return Some(step);
            }
        }
        None
    }

    fn step_for(&mut self, index: u32, generation: u32) -> Option<Step> {
        let entry = self.live(index, generation)?;
        if matches!(entry.phase, Phase::Closing | Phase::Parked) {
            return None;
        }
        entry.departing = true;
        let key = join(index, generation, entry.attempts());
        let endpoint = entry.ask.endpoint;
        self.departing += 1;
        Some(Step::Send { key, endpoint })
    }

    fn has_descriptors(&self) -> bool {
        self.departing < MAX_DEPARTING
            && self.listening + self.departing < self.settings.max_listening
    }

    /// All descriptors are in use: an endpoint that is due again gives up its
    /// own oldest attempt, so that the others keep theirs.
    fn make_way(&mut self) {
        while let Some((index, generation)) = self.again.front().copied() {
            let Some(entry) = self.live(index, generation) else {
                self.again.pop_front();
                continue;
            };
            if entry.listening.is_empty() {
                return;
            }
            return self.forget_oldest(index, 1);
        }
    }
}

/// An arrival as the plan needs it: the network's, without its connection.
#[derive(Debug)]
pub struct Recorded {
    /// The attempt's key.
    pub key: u64,
    /// When it was noticed.
    pub at: Moment,
    /// The kernel's measure of the round trip.
    pub rtt: Option<Duration>,
    /// SYNs the kernel had to repeat.
    pub retransmits: u8,
    /// What arrived.
    pub signal: Signal,
    /// Whether the handle still listens.
    pub listening: bool,
}

/// This machine's refusal as an observation.
fn refusal(attempt: u8, now: Moment, errno: i32) -> Observation {
    let signal = Signal::Local { errno };
    Observation { attempt, sent: now, at: now, rtt: None, repeated: false, signal }
}

const GENERATION: u32 = (1 << 24) - 1;

/// A key names slab index, generation and attempt.
fn join(index: u32, generation: u32, nth: u8) -> u64 {
    u64::from(index) << 32 | u64::from(generation & GENERATION) << 8 | u64::from(nth)
}

fn split(key: u64) -> (u32, u32, u8) {
    ((key >> 32) as u32, (key >> 8) as u32 & GENERATION, key as u8)
}
