//! Proving closed UDP ports within the ICMP budget of the peer.
//!
//! A closed UDP port is proved by an ICMP error, and whoever sends those has a
//! budget: a stock Linux target sends six at once and then one a second to one
//! prober (net/ipv4/icmp.c `icmpv4_xrlim_allow`). Asking more often costs
//! nothing but packets: a refused error does not use up the budget. So silent
//! ports are asked in turn, about six times in the interval in which proofs
//! arrive, and the interval is learned from the proofs.
//!
//! A port is silent for another reason than the budget when an error arrives
//! for a control probe that was sent right after its own datagram: there was
//! budget left. Such a *sandwich* must be seen twice, more often on a lossy path.

use std::cmp::Reverse;
use std::time::Duration;

use super::entry::{Phase, Purpose};
use super::{PEER, Plan, schedule};
use crate::model::{Moment, Transport};

/// How long before an answered datagram ours may have been sent to have met
/// the same budget: so short that hardly any budget earns an error meanwhile.
const SANDWICH: Duration = Duration::from_millis(5);

/// Spread of round trips from which on packets overtake each other so often
/// that the order of sending says little.
const JITTER: Duration = Duration::from_millis(30);

/// Ports asked in one turn once the regular proofs stopped coming.
const BATCH: usize = 8;

/// What was decided about the silent UDP ports of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Go on until they are proved.
    Prove,
    /// It would take too long: ports left, time it would take.
    Leave(u32, Duration),
}

impl Plan {
    /// An ICMP error came for a UDP datagram: the budget is not spent, and was
    /// not when that datagram arrived there.
    pub(super) fn note_proof(&mut self, index: u32, nth: u8, at: Moment) {
        let entry = self.entry(index);
        let (peer, sent, purpose) = (entry.peer, entry.sent_time(nth), entry.purpose);
        let udp = &mut self.peers[peer as usize].udp;
        udp.proofs += 1;
        if !udp.proving.is_empty() {
            let sample = at.since(udp.last_proof.max(udp.proving_since));
            if sample >= Duration::from_millis(10) {
                let learned = (udp.interval * 3 + sample) / 4;
                udp.interval = learned.clamp(Duration::from_millis(20), Duration::from_secs(5));
            }
            self.schedule_turn(peer, at);
        }
        let udp = &mut self.peers[peer as usize].udp;
        udp.last_proof = at;
        if purpose == Purpose::Control {
            self.sandwich(peer, sent, at);
        }
    }

    /// Every silent port asked shortly before `sent` was asked within budget.
    fn sandwich(&mut self, peer: u32, sent: Moment, at: Moment) {
        let needed = self.needed_sandwiches(peer);
        let mut entries = std::mem::take(&mut self.peers[peer as usize].udp.entries);
        entries.retain(|(index, generation)| {
            let Some(entry) = self.live(*index, *generation) else { return false };
            if entry.phase == Phase::Closing {
                return true;
            }
            let met =
                entry.sent_at.iter().rev().take(3).any(|s| {
                    *s <= sent && sent.since(*s) <= SANDWICH && Some(*s) > entry.sandwiched
                });
            if met {
                entry.sandwiched = Some(sent);
                entry.sandwiches = entry.sandwiches.saturating_add(1);
                if entry.sandwiches >= needed {
                    // Look at it again: it may be settled now.
                    let key = (at, *index, *generation);
                    self.timers.push(Reverse(key));
                }
            }
            true
        });
        self.peers[peer as usize].udp.entries = entries;
    }

    fn needed_sandwiches(&self, peer: u32) -> u8 {
        /// Where packets overtake each other, each sandwich is a coin's toss.
        const TOSSES: u8 = 8;
        let known = &self.peers[peer as usize];
        if known.slowest.saturating_sub(known.fastest) > JITTER {
            return TOSSES;
        }
        let lost = known.share_lost();
        match lost > 0.1 {
            true => (0.01f64.ln() / lost.min(0.8).ln()).ceil().clamp(2.0, 12.0) as u8,
            false => 2,
        }
    }

    /// Whether a silent port may be judged before its time. A UDP port: it was
    /// asked often enough over a second, each time with many round trips to answer
    /// in, and within a budget that was seen not to be spent. A TCP port: so many
    /// others of the peer refused at once, and not one packet of theirs was lost,
    /// that neither the path nor the machine explains the silence.
    pub(super) fn may_settle_early(&mut self, index: u32, now: Moment) -> bool {
        if self.settings.timeout.is_some() || self.settings.attempts.is_some() {
            return false;
        }
        const SHORT: Duration = Duration::from_millis(100);
        let peer = self.entry(index).peer;
        let needed = self.needed_sandwiches(peer);
        let known = &self.peers[peer as usize];
        let near = known.slowest <= SHORT && known.share_lost() <= 0.02;
        let lively = known.tcp.refused >= schedule::LIVELY && known.lost == 0;
        let entry = self.entry(index);
        if entry.ask.endpoint.transport == Transport::Tcp {
            let waited = entry.waited(now) >= schedule::EARLY_TCP;
            return near && lively && waited && !entry.heard && entry.soft == 0;
        }
        near && !entry.heard
            && entry.sent >= schedule::EARLY_ATTEMPTS
            && entry.sandwiches >= needed
            && entry.waited(now) >= schedule::EARLY
    }

    /// Nothing else is going on: what is provisional becomes final.
    pub(super) fn finish_provisional(&mut self, now: Moment) {
        for index in 0..self.entries.len() as u32 {
            if self.entries[index as usize].as_ref().is_some_and(|e| e.phase == Phase::Provisional)
            {
                self.close(index, now);
            }
        }
    }

    /// A UDP port stayed silent to its deadline.
    pub(super) fn settle_udp(&mut self, index: u32, now: Moment) {
        let peer = self.entry(index).peer;
        let needed = self.needed_sandwiches(peer);
        let entry = self.entry(index);
        // There was time for one more than an early verdict needs.
        let graded = entry.sandwiches > needed || entry.heard;
        if graded || self.peers[peer as usize].udp.proofs == 0 {
            return self.close(index, now);
        }
        match self.decide(peer) {
            Decision::Leave(left, time) => {
                self.entry(index).budget = Some((left, time));
                self.close(index, now);
            }
            Decision::Prove => {
                self.set_phase(index, Phase::Proving);
                let generation = self.entry(index).generation;
                let udp = &mut self.peers[peer as usize].udp;
                if udp.proving.is_empty() {
                    udp.proving_since = now;
                }
                udp.proving.push_back((index, generation));
                if udp.turn_at.is_none() {
                    self.schedule_turn(peer, now);
                }
            }
        }
    }

    /// Decides once, by how long proving all silent ports of the peer takes.
    fn decide(&mut self, peer: u32) -> Decision {
        if let Some(decision) = self.peers[peer as usize].udp.decision {
            return decision;
        }
        let entries = self.peers[peer as usize].udp.entries.clone();
        let silent = |(index, generation): &(u32, u32)| {
            self.entries[*index as usize].as_ref().is_some_and(|e| {
                e.generation == *generation && e.phase != Phase::Closing && !e.heard
            })
        };
        let left = entries.iter().filter(|e| silent(e)).count() as u32;
        let time = self.peers[peer as usize].udp.interval * left;
        let decision = match time <= self.settings.prove_within {
            true => Decision::Prove,
            false => Decision::Leave(left, time),
        };
        self.peers[peer as usize].udp.decision = Some(decision);
        decision
    }

    fn schedule_turn(&mut self, peer: u32, at: Moment) {
        let known = &mut self.peers[peer as usize];
        known.udp.turn_at = Some(at);
        self.timers.push(Reverse((at, PEER | peer, known.serial)));
    }

    /// A peer's timer: its control probe, or the next turn of proving.
    pub(super) fn peer_turn(&mut self, peer: u32, serial: u32, now: Moment) {
        if self.peers.get(peer as usize).is_none_or(|p| p.serial != serial) {
            return;
        }
        self.udp_control_turn(peer, now);
        if self.peers[peer as usize].udp.turn_at.is_some_and(|at| at <= now) {
            self.peers[peer as usize].udp.turn_at = None;
            self.prove(peer, now);
        }
    }

    fn prove(&mut self, peer: u32, now: Moment) {
        let needed = self.needed_sandwiches(peer);
        let mut queue = std::mem::take(&mut self.peers[peer as usize].udp.proving);
        let left = queue.len() as u32;
        let interval = self.peers[peer as usize].udp.interval;
        queue.retain(|(index, generation)| {
            let Some(entry) = self.live(*index, *generation) else { return false };
            if entry.phase != Phase::Proving {
                return false;
            }
            let graded = entry.sandwiches >= needed;
            let tired = entry.attempts() >= schedule::MAX_ATTEMPTS;
            if tired && !graded {
                entry.budget = Some((left, interval * left));
            }
            if graded || tired {
                self.close(*index, now);
            }
            !(graded || tired)
        });
        if queue.is_empty() {
            return;
        }
        let udp = &self.peers[peer as usize].udp;
        let quiet = now.since(udp.last_proof.max(udp.proving_since));
        if quiet > (interval * 4).max(Duration::from_secs(4)) {
            return self.give_up(queue.into(), interval, now);
        }
        // No proof although one was due: some of these are silent for another reason.
        let suspicious = quiet > interval * 3 / 2;
        let batch = if suspicious { BATCH } else { 1 };
        for _ in 0..batch.min(queue.len()) {
            let Some(next) = queue.pop_front() else { break };
            queue.push_back(next);
            let entry = self.entry(next.0);
            if !entry.queued {
                entry.queued = true;
                self.again.push_back(next);
            }
        }
        if suspicious {
            self.peers[peer as usize].udp.beside = queue[0].0;
            self.send_udp_control(peer, now);
        }
        self.peers[peer as usize].udp.proving = queue;
        let least = if suspicious { 120 } else { 20 };
        let gap = (interval / 6).clamp(Duration::from_millis(least), Duration::from_millis(400));
        self.schedule_turn(peer, now + gap);
    }

    /// No proofs come any more: leave the rest unproved and say so.
    ///
    /// Where none came at all since they are due, the budget is not what
    /// withholds them: the rest is simply silent.
    fn give_up(&mut self, queue: Vec<(u32, u32)>, interval: Duration, now: Moment) {
        let left = queue.len() as u32;
        let peer = self.entry(queue[0].0).peer;
        let udp = &self.peers[peer as usize].udp;
        let came = udp.last_proof > udp.proving_since;
        for (index, _) in queue {
            self.entry(index).budget = came.then_some((left, interval * left));
            self.close(index, now);
        }
    }
}
