//! What happens as time goes by: further attempts, and the end of patience.

use std::cmp::Reverse;
use std::time::Duration;

use super::entry::{Phase, Purpose};
use super::{PEER, Plan, schedule};
use crate::model::{Moment, Transport};

impl Plan {
    pub(super) fn run_timers(&mut self, now: Moment) {
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
    pub(super) fn look_at(&mut self, index: u32, at: Moment, now: Moment) {
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

    pub(super) fn schedule_end(&mut self, index: u32) {
        let entry = self.entry(index);
        let key = (entry.deadline, index, entry.generation);
        self.timers.push(Reverse(key));
    }

    pub(super) fn is_kernel_syn(&mut self, index: u32, at: Moment) -> bool {
        let entry = self.entry(index);
        let on_time = |sent: &Moment| (1..=3).any(|s| *sent + Duration::from_secs(s) == at);
        entry.ask.endpoint.transport == Transport::Tcp && entry.sent_at.iter().any(on_time)
    }

    /// Puts the next attempt into the queue, with the control probe that grades silence.
    pub(super) fn queue_again(&mut self, index: u32, now: Moment) {
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
        // Nothing left yet: that is no silence to be graded.
        let left = entry.sent > 0;
        self.again.push_back((index, generation));
        if left {
            self.want_control(index, now);
        }
    }

    /// When the next attempt of an entry is due, if it may have one.
    pub(super) fn next_due(&mut self, index: u32) -> Option<Moment> {
        let peer = self.entry(index).peer;
        let lost = self.peers[peer as usize].share_lost();
        let limit = self.settings.attempts;
        let entry = self.entry(index);
        let transport = entry.ask.endpoint.transport;
        let most = limit.unwrap_or_else(|| match lost > schedule::LOSSY {
            true => schedule::MAX_ATTEMPTS,
            false => schedule::default_attempts(transport),
        });
        // A soft error or a connection to ourselves earns one more.
        let most = most.saturating_add(u8::from(entry.hasten.is_some()));
        let first = entry.first_sent()?;
        let nth = entry.attempts();
        (nth < most).then(|| entry.hasten.unwrap_or(first + schedule::due(transport, nth)))
    }

    pub(super) fn after_send(&mut self, index: u32, now: Moment) {
        let entry = self.entry(index);
        match (entry.phase, entry.purpose) {
            (Phase::Proving, _) => self.trim(index, now),
            (_, Purpose::Control) => self.schedule_control(index, now),
            _ => self.schedule_next(index, now),
        }
    }

    pub(super) fn schedule_next(&mut self, index: u32, now: Moment) {
        let due = self.next_due(index);
        let entry = self.entry(index);
        let transport = entry.ask.endpoint.transport;
        let early = entry.first_sent().map(|first| first + schedule::early(transport));
        let early = early.filter(|early| *early > now);
        let window = entry
            .in_window
            .then(|| now + schedule::due(Transport::Tcp, 1))
            .filter(|_| entry.attempts() == 1);
        let next = [due, early, window].into_iter().flatten().filter(|at| *at > now).min();
        let at =
            next.unwrap_or(entry.deadline).min(entry.deadline).max(now + Duration::from_micros(1));
        let key = (at, index, entry.generation);
        self.timers.push(Reverse(key));
    }

    /// The deadline has come and nothing conclusive did.
    pub(super) fn settle(&mut self, index: u32, now: Moment) {
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
    pub(super) fn needs_more(&mut self, index: u32) -> bool {
        if self.settings.attempts.is_some() || self.settings.timeout.is_some() {
            return false;
        }
        let peer = self.entry(index).peer;
        let lost = self.peers[peer as usize].share_lost();
        let entry = self.entry(index);
        // The kernel's own SYNs do not count: where a limiter is what drops
        // them, they compete with the other ports' until those are done.
        lost > schedule::LOSSY
            && u32::from(entry.sent) < schedule::needed_packets(lost)
            && entry.attempts() < schedule::MAX_ATTEMPTS
            && entry.soft == 0
    }
}
