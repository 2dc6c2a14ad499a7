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
mod order;
mod pace;
mod peer;
pub mod schedule;

pub use entry::{Ask, Finished, Payloads};
pub use order::{Block, interleave};
pub use pace::Pace;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use crate::model::{
    Endpoint, Farewell, Handle, Moment, Observation, Sent, Signal, Transport,
};
use entry::{Entry, Phase, Purpose, Weight, weigh};
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
    /// Send attempt `nth` of `key` and tell the plan by [`Plan::sent`].
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
    /// Asked endpoints not yet finished, and how many of them are provisional.
    active: usize,
    provisional: usize,
    waiting: usize,
    listening: usize,
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
            active: 0,
            provisional: 0,
            waiting: 0,
            listening: 0,
            blocked_until: Moment::START,
            exhausted: false,
        }
    }

    /// Whether more endpoints may be admitted now.
    pub fn has_room(&self) -> bool {
        self.fresh.len() + self.waiting < MAX_BACKLOG && self.active < 4 * self.settings.max_listening.max(256)
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
        if now >= self.blocked_until && self.listening >= self.settings.max_listening {
            self.make_way();
            if let Some((key, handle)) = self.forget.pop() {
                return Step::Forget { key, handle };
            }
        }
        if now >= self.blocked_until && self.listening < self.settings.max_listening {
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
        let key = join(index, generation, entry.attempts());
        Some(Step::Send { key, endpoint: entry.ask.endpoint })
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

    /// Tells what became of a [`Step::Send`].
    pub fn sent(&mut self, key: u64, sent: Sent, now: Moment) {
        let (index, generation, nth) = split(key);
        let timeout = self.settings.timeout.unwrap_or(schedule::TIMEOUT);
        let Some(entry) = self.live(index, generation) else { return };
        entry.queued = false;
        match sent {
            Sent::Listening(handle) => {
                entry.sent_at.push(now);
                entry.listening.push((nth, handle));
                entry.sent = entry.sent.saturating_add(1);
                if nth == 0 {
                    entry.deadline = now + timeout;
                }
                let transport = entry.ask.endpoint.transport;
                self.listening += 1;
                self.pace.charge();
                self.charge_kernel_syns(transport, index, generation, now);
                self.after_send(index, now);
            }
            Sent::Refused { errno } => {
                entry.sent_at.push(now);
                entry.observe(refusal(nth, now, errno));
                match entry.sent {
                    0 => self.close(index, now),
                    // Earlier attempts left: they still listen until the deadline.
                    _ => self.schedule_next(index, now),
                }
            }
            Sent::Busy { errno } => self.postpone(index, nth, errno, now),
        }
    }

    /// A machine that is busy is asked again soon; when nothing of ours is
    /// what keeps it busy, that is the verdict.
    fn postpone(&mut self, index: u32, nth: u8, errno: i32, now: Moment) {
        const PATIENCE: u16 = 200;
        let idle = self.listening == 0;
        if errno == libc::EMFILE && self.listening > 0 {
            self.settings.max_listening = self.listening;
        }
        self.blocked_until = now + Duration::from_millis(5);
        let entry = self.entry(index);
        entry.busy += 1;
        let hopeless = entry.busy >= PATIENCE || idle && entry.busy >= 3;
        if hopeless && entry.sent == 0 {
            entry.observe(refusal(nth, now, errno));
            return self.close(index, now);
        }
        let generation = entry.generation;
        entry.queued = true;
        self.again.push_back((index, generation));
    }

    /// The kernel sends a SYN again at 1, 2 and 3 s (tcp_syn_linear_timeouts);
    /// those packets count against the rate like our own.
    fn charge_kernel_syns(&mut self, transport: Transport, index: u32, generation: u32, now: Moment) {
        if transport == Transport::Tcp && self.pace.is_limited() {
            for seconds in 1..=3 {
                self.timers.push(Reverse((now + Duration::from_secs(seconds), index, generation)));
            }
        }
    }

    /// Tells that something arrived. `key` as in [`Step::Send`]; `listening`
    /// whether the attempt's handle still is.
    pub fn record(&mut self, arrival: Recorded) {
        let Recorded { key, at, rtt, retransmits, signal, listening } = arrival;
        let (index, generation, nth) = split(key);
        let Some(entry) = self.live(index, generation) else { return };
        if !listening {
            let before = entry.listening.len();
            entry.listening.retain(|(n, _)| *n != nth);
            let gone = before - entry.listening.len();
            self.listening -= gone;
        }
        let Some(entry) = self.live(index, generation) else { return };
        if entry.phase == Phase::Closing || entry.phase == Phase::Parked {
            return;
        }
        let weight = weigh(&signal, &entry.ask.endpoint);
        let sent = entry.sent_time(nth);
        if matches!(signal, Signal::Connected { .. }) {
            entry.connected = Some(key);
        }
        entry.retransmits = entry.retransmits.saturating_add(u16::from(retransmits));
        let is_icmp = matches!(signal, Signal::Icmp(_));
        let repeated = retransmits > 0;
        entry.observe(Observation { attempt: nth, sent, at, rtt, repeated, signal });
        entry.heard |= matches!(weight, Weight::Conclusive | Weight::Soft);
        if is_icmp && entry.ask.endpoint.transport == Transport::Udp {
            self.note_proof(index, nth, at);
        }
        if self.entry(index).purpose == Purpose::Control {
            return self.record_control(index, at);
        }
        match weight {
            Weight::Conclusive => self.conclude(index, nth, retransmits, at),
            Weight::Soft => self.soften(index, nth, at),
            Weight::Weak => {}
            Weight::Void => {
                let entry = self.entry(index);
                entry.hasten = Some(at);
                self.schedule_next(index, at);
            }
        }
    }

    fn soften(&mut self, index: u32, nth: u8, at: Moment) {
        let entry = self.entry(index);
        entry.soft += 1;
        // Asking again must end before the deadline to be worth it.
        let late = at + Duration::from_millis(900) > entry.deadline;
        if entry.soft >= 2 || late || entry.phase == Phase::Proving {
            return self.conclude(index, nth, 0, at);
        }
        entry.hasten = Some(at + schedule::SOFT_PAUSE);
        self.schedule_next(index, at);
    }

    fn conclude(&mut self, index: u32, nth: u8, retransmits: u8, at: Moment) {
        let entry = self.entry(index);
        let took = at.since(entry.sent_time(nth));
        // A handshake slower than the kernel's patience was repeated, not lost.
        let kernel_lost = match took < Duration::from_millis(1500) * u32::from(retransmits.max(1)) {
            true => u16::from(retransmits),
            false => 0,
        };
        // An ICMP error that comes late may have been withheld, not lost.
        let by_icmp = matches!(entry.observations.last().map(|o| &o.signal), Some(Signal::Icmp(_)));
        if !by_icmp {
            entry.lost = entry.lost_before(nth, at) + kernel_lost;
        }
        let (packets, lost) = (u32::from(nth) + 1 + u32::from(kernel_lost), u32::from(entry.lost));
        let peer = entry.peer;
        let peer = &mut self.peers[peer as usize];
        peer.slowest = peer.slowest.max(took);
        peer.fastest = peer.fastest.min(took);
        if !by_icmp {
            peer.learn_loss(packets, lost);
        }
        peer.grow(1.0);
        if self.hold_back(index, at) {
            return;
        }
        self.close(index, at);
    }

    /// Tells what the kernel knew of an attempt that was given up.
    pub fn farewell(&mut self, key: u64, farewell: Farewell, now: Moment) {
        self.listening -= 1;
        let (index, generation, _) = split(key);
        let Some(entry) = self.live(index, generation) else { return };
        entry.retransmits = entry.retransmits.saturating_add(u16::from(farewell.retransmits));
        entry.invalid_answer |= farewell.invalid_answer;
        entry.farewells -= 1;
        if entry.phase == Phase::Closing && entry.farewells == 0 {
            self.finish(index, now);
        }
    }

    /// Ends the run: every endpoint is judged by what is known of it.
    pub fn stop(&mut self, now: Moment) {
        self.exhausted = true;
        for index in 0..self.entries.len() as u32 {
            let open = self.entries[index as usize]
                .as_ref()
                .is_some_and(|e| e.purpose == Purpose::Asked && e.phase != Phase::Closing);
            if open {
                self.close(index, now);
            }
        }
    }

    // ---- entries

    fn insert(&mut self, ask: Ask, peer: u32, purpose: Purpose) -> (u32, u32) {
        let index = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            self.generations.push(0);
            (self.entries.len() - 1) as u32
        });
        let generation = self.generations[index as usize];
        self.entries[index as usize] = Some(Entry {
            generation,
            purpose,
            phase: Phase::Probing,
            ask,
            peer,
            sent_at: Default::default(),
            listening: Default::default(),
            observations: Vec::new(),
            sent: 0,
            retransmits: 0,
            invalid_answer: false,
            deadline: Moment::START,
            queued: false,
            in_window: false,
            busy: 0,
            soft: 0,
            hasten: None,
            sandwiches: 0,
            heard: false,
            sandwiched: None,
            farewells: 0,
            budget: None,
            connected: None,
            lost: 0,
        });
        (index, generation)
    }

    /// The entry that `index` named when it had this generation.
    fn live(&mut self, index: u32, generation: u32) -> Option<&mut Entry> {
        self.entries.get_mut(index as usize)?.as_mut().filter(|e| e.generation == generation)
    }

    /// An entry that is known to be there.
    fn entry(&mut self, index: u32) -> &mut Entry {
        match &mut self.entries[index as usize] {
            Some(entry) => entry,
            None => unreachable!("entry {index} was looked up before"),
        }
    }

    fn set_phase(&mut self, index: u32, phase: Phase) {
        let entry = self.entry(index);
        let was = std::mem::replace(&mut entry.phase, phase);
        self.provisional += usize::from(phase == Phase::Provisional);
        self.provisional -= usize::from(was == Phase::Provisional);
    }

    fn peer_for(&mut self, ip: IpAddr) -> u32 {
        if let Some(peer) = self.peer_of.get(&ip) {
            return *peer;
        }
        self.serial = self.serial.wrapping_add(1);
        let new = Peer::new(ip, self.serial);
        let index = match self.free_peers.pop() {
            Some(index) => {
                self.peers[index as usize] = new;
                index
            }
            None => {
                self.peers.push(new);
                (self.peers.len() - 1) as u32
            }
        };
        self.peer_of.insert(ip, index);
        index
    }

    /// Gives up all attempts of an entry; the last farewell finishes it.
    fn close(&mut self, index: u32, now: Moment) {
        self.set_phase(index, Phase::Closing);
        let entry = self.entry(index);
        let generation = entry.generation;
        let handles = std::mem::take(&mut entry.listening);
        entry.farewells += handles.len() as u16;
        if entry.farewells == 0 {
            return self.finish(index, now);
        }
        self.forget.extend(handles.iter().map(|(nth, h)| (join(index, generation, *nth), *h)));
    }

    fn finish(&mut self, index: u32, now: Moment) {
        let Some(entry) = self.entries[index as usize].take() else { return };
        self.generations[index as usize] = entry.generation.wrapping_add(1) & GENERATION;
        self.free.push(index);
        let peer_index = entry.peer;
        self.leave_window(peer_index, entry.in_window);
        if entry.purpose == Purpose::Control {
            return;
        }
        self.active -= 1;
        let (control, open) = self.grade(&entry, now);
        self.finished.push_back(entry.into_finished(now, control, open));
        let peer = &mut self.peers[peer_index as usize];
        peer.active -= 1;
        if peer.active == 0 {
            self.drop_peer(peer_index, now);
        } else {
            self.release_if_alone(peer_index, now);
        }
    }

    fn leave_window(&mut self, peer: u32, in_window: bool) {
        let peer = &mut self.peers[peer as usize];
        peer.in_window -= u32::from(in_window);
        while f64::from(peer.in_window) + (peer.waiting.len() as f64).min(1.0) <= peer.window {
            let Some(next) = peer.waiting.pop_front() else { break };
            self.waiting -= 1;
            self.fresh.push_front(next);
            break;
        }
    }

    fn drop_peer(&mut self, index: u32, now: Moment) {
        let peer = &mut self.peers[index as usize];
        let controls: Vec<u32> =
            peer.tcp.controls.drain(..).chain(peer.udp.control_entry.take()).collect();
        peer.serial = 0;
        self.peer_of.remove(&peer.ip);
        for control in controls {
            if self.entries[control as usize].as_ref().is_some_and(|e| e.peer == index) {
                self.close(control, now);
            }
        }
        self.free_peers.push(index);
    }

    // ---- time

    fn run_timers(&mut self, now: Moment) {
        while let Some(Reverse((at, index, generation))) = self.timers.peek().copied() {
            if at > now {
                return;
            }
            self.timers.pop();
            if index & PEER != 0 {
                self.peer_turn(index & !PEER, generation, now);
            } else if self.live(index, generation).is_some() {
                self.look_at(index, at, now);
            }
        }
    }

    /// Looks at an entry whose time has come: the next attempt, or the end.
    fn look_at(&mut self, index: u32, at: Moment, now: Moment) {
        if self.pace.is_limited() && self.is_kernel_syn(index, at) {
            self.pace.charge();
        }
        let entry = self.entry(index);
        match entry.phase {
            Phase::Closing | Phase::Parked => return,
            Phase::Proving => return self.trim(index, now),
            Phase::Probing | Phase::Provisional => {}
        }
        if entry.purpose == Purpose::Control {
            return self.look_at_control(index, now);
        }
        let peer = entry.peer;
        if entry.in_window && entry.waited(now) >= schedule::due(Transport::Tcp, 1) {
            entry.in_window = false;
            self.leave_window(peer, true);
            self.peers[peer as usize].grow(0.25);
        }
        let entry = self.entry(index);
        if entry.sent > 0 && now >= entry.deadline {
            return self.settle(index, now);
        }
        if !entry.queued && self.next_due(index).is_some_and(|due| due <= now) {
            self.queue_again(index, now);
        }
        if self.entry(index).phase == Phase::Probing && self.may_settle_early(index, now) {
            self.set_phase(index, Phase::Provisional);
        }
        match self.entry(index).queued {
            false => self.schedule_next(index, now),
            // It may wait long for its turn; the end comes all the same.
            true => self.schedule_end(index),
        }
    }

    fn schedule_end(&mut self, index: u32) {
        let entry = self.entry(index);
        let key = (entry.deadline, index, entry.generation);
        self.timers.push(Reverse(key));
    }

    fn is_kernel_syn(&mut self, index: u32, at: Moment) -> bool {
        let entry = self.entry(index);
        let on_time = |sent: &Moment| {
            (1..=3).any(|s| *sent + Duration::from_secs(s) == at)
        };
        entry.ask.endpoint.transport == Transport::Tcp && entry.sent_at.iter().any(on_time)
    }

    /// Puts the next attempt into the queue, with the control probe that grades silence.
    fn queue_again(&mut self, index: u32, now: Moment) {
        let scarce = self.listening * 4 > self.settings.max_listening * 3;
        let entry = self.entry(index);
        let generation = entry.generation;
        // The kernel repeats SYNs by itself; descriptors go to endpoints that had none yet.
        if scarce && entry.ask.endpoint.transport == Transport::Tcp && entry.sent > 0 {
            entry.hasten = Some(now + Duration::from_millis(200));
            return;
        }
        entry.hasten = None;
        entry.queued = true;
        self.again.push_back((index, generation));
        self.want_control(index, now);
    }

    /// When the next attempt of an entry is due, if it may have one.
    fn next_due(&mut self, index: u32) -> Option<Moment> {
        let peer = self.entry(index).peer;
        let lost = self.peers[peer as usize].share_lost();
        let limit = self.settings.attempts;
        let entry = self.entry(index);
        let transport = entry.ask.endpoint.transport;
        let most = limit.unwrap_or_else(|| match lost > 0.15 {
            true => schedule::MAX_ATTEMPTS,
            false => schedule::default_attempts(transport),
        });
        // A soft error or a connection to ourselves earns one more.
        let most = most.saturating_add(u8::from(entry.hasten.is_some()));
        let first = entry.first_sent()?;
        let nth = entry.attempts();
        (nth < most).then(|| entry.hasten.unwrap_or(first + schedule::due(transport, nth)))
    }

    fn after_send(&mut self, index: u32, now: Moment) {
        let entry = self.entry(index);
        match (entry.phase, entry.purpose) {
            (Phase::Proving, _) => self.trim(index, now),
            (_, Purpose::Control) => self.schedule_control(index, now),
            _ => self.schedule_next(index, now),
        }
    }

    fn schedule_next(&mut self, index: u32, now: Moment) {
        let due = self.next_due(index);
        let entry = self.entry(index);
        let early = (entry.ask.endpoint.transport == Transport::Udp)
            .then(|| entry.first_sent().map(|first| first + schedule::EARLY))
            .flatten()
            .filter(|early| *early > now);
        let window = entry.in_window.then(|| now + schedule::due(Transport::Tcp, 1)).filter(|_| entry.attempts() == 1);
        let next = [due, early, window].into_iter().flatten().filter(|at| *at > now).min();
        let at = next.unwrap_or(entry.deadline).min(entry.deadline).max(now + Duration::from_micros(1));
        let key = (at, index, entry.generation);
        self.timers.push(Reverse(key));
    }

    /// The deadline has come and nothing conclusive did.
    fn settle(&mut self, index: u32, now: Moment) {
        if self.needs_more(index) {
            let entry = self.entry(index);
            entry.deadline = now + Duration::from_millis(500);
            entry.hasten = Some(now);
            return self.look_at(index, now, now);
        }
        match self.entry(index).ask.endpoint.transport {
            Transport::Tcp => self.close(index, now),
            Transport::Udp => self.settle_udp(index, now),
        }
    }

    /// Whether the loss on the path explains the silence so far.
    fn needs_more(&mut self, index: u32) -> bool {
        if self.settings.attempts.is_some() || self.settings.timeout.is_some() {
            return false;
        }
        let peer = self.entry(index).peer;
        let lost = self.peers[peer as usize].share_lost();
        let entry = self.entry(index);
        // The kernel's own SYNs do not count: where a limiter is what drops
        // them, they compete with the other ports' until those are done.
        lost > 0.15
            && u32::from(entry.sent) < schedule::needed_packets(lost)
            && entry.attempts() < schedule::MAX_ATTEMPTS
            && entry.soft == 0
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
