//! What the plan is told: what left, what arrived, what was given up.

use std::cmp::Reverse;
use std::time::Duration;

use super::entry::{Phase, Purpose, Weight, weigh};
use super::{Plan, Recorded, Slowed, refusal, schedule, split};
use crate::model::{Farewell, Moment, Observation, Sent, Signal, Transport};

/// How long this machine is borne with when it cannot send.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// Until it is asked again.
    pause: Duration,
    /// How often.
    times: u16,
    /// And how often while nothing of ours is under way.
    idle: u16,
}

/// Sockets and ports come free as ours end.
const MOMENT: Patience = Patience { pause: Duration::from_millis(5), times: 200, idle: 3 };

/// An unanswered SYN stays in the table for two minutes, whatever became of it
/// (nf_conntrack_tcp_timeout_syn_sent).
const EXPIRY: Patience = Patience { pause: Duration::from_millis(500), times: 300, idle: 300 };

/// Peers that are told of before they are fetched.
const MOST_SLOWED: usize = 8;

impl Plan {
    /// Tells what became of a [`Step::Send`](super::Step::Send), and when.
    pub fn sent(&mut self, key: u64, sent: Sent, now: Moment) {
        let (index, generation, nth) = split(key);
        let timeout = self.settings.timeout.unwrap_or(schedule::TIMEOUT);
        self.departing -= 1;
        let Some(entry) = self.live(index, generation) else { return };
        entry.queued = false;
        entry.departing = false;
        match sent {
            _ if matches!(entry.phase, Phase::Closing | Phase::Parked) => {
                self.sent_in_vain(key, sent, now)
            }
            Sent::Listening(handle) => {
                entry.sent_at.push(now);
                entry.listening.push((nth, handle));
                entry.sent = entry.sent.saturating_add(1);
                if entry.sent == 1 {
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
                // A route that is being changed is missing for a moment: what this
                // machine refuses three times, it refuses.
                let doubt = entry.sent == 0 && entry.sent_at.len() < schedule::REFUSALS;
                if doubt && entry.purpose == Purpose::Asked {
                    entry.deadline = now + timeout;
                    entry.hasten = Some(now + schedule::REFUSAL_PAUSE);
                }
                let again = doubt && self.next_due(index).is_some();
                match (again, self.entry(index).sent) {
                    (false, 0) => self.close(index, now),
                    // Earlier attempts left: they still listen until the deadline.
                    _ => self.schedule_next(index, now),
                }
            }
            Sent::Busy { errno } => self.postpone(index, nth, errno, MOMENT, now),
            Sent::TableFull => {
                self.table_full.get_or_insert(false);
                self.postpone(index, nth, libc::ENOBUFS, EXPIRY, now);
            }
        }
    }

    /// It left when its answer was no longer needed. It still counts.
    fn sent_in_vain(&mut self, key: u64, sent: Sent, now: Moment) {
        let (index, ..) = split(key);
        let entry = self.entry(index);
        let closing = entry.phase == Phase::Closing;
        if let Sent::Listening(handle) = sent {
            entry.sent_at.push(now);
            entry.sent = entry.sent.saturating_add(1);
            entry.farewells += u16::from(!closing);
            self.listening += 1;
            return self.forget.push((key, handle));
        }
        entry.farewells -= u16::from(closing);
        if closing && entry.farewells == 0 {
            self.finish(index, now);
        }
    }

    /// A machine that is busy is asked again soon; when nothing of ours is
    /// what keeps it busy, that is the verdict.
    fn postpone(&mut self, index: u32, nth: u8, errno: i32, patience: Patience, now: Moment) {
        let in_use = self.listening + self.departing;
        let idle = in_use == 0;
        if errno == libc::EMFILE && !idle {
            self.settings.max_listening = in_use;
        }
        self.blocked_until = now + patience.pause;
        let entry = self.entry(index);
        entry.busy += 1;
        let hopeless = entry.busy >= patience.times || idle && entry.busy >= patience.idle;
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
    pub(super) fn charge_kernel_syns(
        &mut self,
        transport: Transport,
        index: u32,
        generation: u32,
        now: Moment,
    ) {
        if transport == Transport::Tcp && self.pace.is_limited() {
            for seconds in 1..=3 {
                self.timers.push(Reverse((now + Duration::from_secs(seconds), index, generation)));
            }
        }
    }

    /// Tells that something arrived. `key` as in [`Step::Send`](super::Step::Send); `listening`
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
            // It decides nothing any more, and what left still counts.
            entry.retransmits = entry.retransmits.saturating_add(u16::from(retransmits));
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
                // At once, but after now: what is due now was seen to already.
                entry.hasten = Some(at + Duration::from_micros(1));
                self.schedule_next(index, at);
            }
        }
    }

    pub(super) fn soften(&mut self, index: u32, nth: u8, at: Moment) {
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

    pub(super) fn conclude(&mut self, index: u32, nth: u8, retransmits: u8, at: Moment) {
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
            let slower = peer.learn_loss(packets, lost);
            // More than a few are a network's trouble, told by the first of them.
            if slower && self.slowed.len() < MOST_SLOWED {
                self.slowed.push(Slowed { peer: peer.ip, lost: peer.share_lost() });
            }
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
        entry.doubtful += u16::from(farewell.doubtful);
        entry.farewells -= 1;
        if entry.phase == Phase::Closing && entry.farewells == 0 {
            self.finish(index, now);
        }
    }

    /// Ends the run: every endpoint is judged by what is known of it.
    pub fn stop(&mut self, now: Moment) {
        self.exhausted = true;
        for index in 0..self.entries.len() as u32 {
            let Some(entry) = &mut self.entries[index as usize] else { continue };
            if entry.purpose != Purpose::Asked || entry.phase == Phase::Closing {
                continue;
            }
            // Silence that was not waited for to its end is none.
            entry.cut_short = entry.phase == Phase::Probing && now < entry.deadline;
            self.close(index, now);
        }
    }
}
