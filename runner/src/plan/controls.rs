//! Control probes: ports that nobody uses, probed beside silent ones (and
//! where suspiciously many are open) to grade what was seen.

use std::time::Duration;

use super::entry::{Ask, Entry, Payloads, Phase, Purpose};
use super::{PEER, Plan, schedule};
use crate::model::{Control, Moment, Signal, Transport};
use std::cmp::Reverse;

/// Open ports, with none that is not, that call for an explanation.
const SUSPICIOUS_OPENS: usize = 3;

/// Asked TCP ports of a peer below which all of them may well be open.
const FEW_PORTS: u32 = 4;

/// How long a control probe is sent after the retries that it grades.
///
/// Short, so that no token of the ICMP budget is likely to fall due in between.
const CONTROL_LAG: Duration = Duration::from_millis(2);

/// Pause between two control probes of one peer.
const CONTROL_PAUSE: Duration = Duration::from_millis(60);

impl Plan {
    /// A silent endpoint is tried again: have its silence graded.
    pub(super) fn want_control(&mut self, index: u32, now: Moment) {
        let entry = self.entry(index);
        if entry.purpose == Purpose::Control {
            return;
        }
        let (peer, transport) = (entry.peer, entry.ask.endpoint.transport);
        if transport == Transport::Tcp {
            // Silence of this port shows that the peer is not open for everything.
            self.peers[peer as usize].tcp.not_open += 1;
            self.release(peer, now);
        }
        if !self.settings.controls {
            return;
        }
        match transport {
            Transport::Tcp => {
                let tcp = &self.peers[peer as usize].tcp;
                if tcp.refused == 0 && tcp.controls.is_empty() {
                    self.launch_tcp_control(index);
                }
            }
            Transport::Udp => self.debounce_udp_control(index, now),
        }
    }

    fn launch_tcp_control(&mut self, beside: u32) {
        let control = self.insert_control(beside);
        let peer = self.entry(control).peer;
        self.peers[peer as usize].tcp.controls.push(control);
        self.queue_control(control);
    }

    fn queue_control(&mut self, control: u32) {
        let entry = self.entry(control);
        if !entry.queued {
            entry.queued = true;
            let generation = entry.generation;
            self.again.push_back((control, generation));
        }
    }

    /// A control entry on the peer of `beside`, at a port that nobody asked
    /// for and no standard assigns (RFC 6335: dynamic ports).
    fn insert_control(&mut self, beside: u32) -> u32 {
        let entry = self.entry(beside);
        let (endpoint, peer) = (entry.ask.endpoint, entry.peer);
        self.settings.seed =
            self.settings.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let port = 49_152 + ((self.settings.seed >> 40) % 10_000) as u16;
        let ask = Ask {
            order: u64::MAX,
            target: "".into(),
            endpoint: endpoint.with_port(port),
            payloads: Payloads::Generic,
        };
        self.insert(ask, peer, Purpose::Control).0
    }

    fn debounce_udp_control(&mut self, index: u32, now: Moment) {
        let peer = self.entry(index).peer;
        let serial = self.peers[peer as usize].serial;
        let udp = &mut self.peers[peer as usize].udp;
        if udp.control_at.is_none() {
            let at = (now + CONTROL_LAG).max(udp.control_sent + CONTROL_PAUSE);
            udp.control_at = Some(at);
            udp.beside = index;
            self.timers.push(Reverse((at, PEER | peer, serial)));
        }
    }

    /// Sends the control probe that is due, if one is.
    pub(super) fn udp_control_turn(&mut self, peer: u32, now: Moment) {
        let udp = &mut self.peers[peer as usize].udp;
        if udp.control_at.is_some_and(|at| at <= now) {
            udp.control_at = None;
            self.send_udp_control(peer, now);
        }
    }

    pub(super) fn send_udp_control(&mut self, peer: u32, now: Moment) {
        if !self.settings.controls {
            return;
        }
        let control = match self.peers[peer as usize].udp.control_entry {
            Some(control) => control,
            None => {
                let beside = self.peers[peer as usize].udp.beside;
                let near = self.entries[beside as usize].as_ref().is_some_and(|e| e.peer == peer);
                if !near {
                    return;
                }
                let control = self.insert_control(beside);
                self.peers[peer as usize].udp.control_entry = Some(control);
                control
            }
        };
        self.peers[peer as usize].udp.control_sent = now;
        self.peers[peer as usize].udp.controls_sent += 1;
        if self.entry(control).attempts() < u8::MAX {
            self.queue_control(control);
        }
    }

    /// A control port was answered.
    pub(super) fn record_control(&mut self, index: u32, at: Moment) {
        let entry = self.entry(index);
        let (peer, endpoint) = (entry.peer, entry.ask.endpoint);
        let Some(seen) = entry.observations.pop() else { return };
        let said = match &seen.signal {
            Signal::Connected { .. } | Signal::Answer { .. } => Control::Open,
            Signal::Refused => Control::Closed,
            Signal::Icmp(icmp) => {
                let refused = icmp.reason() == Some(crate::model::Reason::PortUnreach)
                    && icmp.from == endpoint.ip();
                match refused {
                    true => Control::Closed,
                    false => Control::Rejected,
                }
            }
            Signal::Errno { .. } | Signal::Local { .. } | Signal::SelfConnect => return,
        };
        if endpoint.transport == Transport::Udp {
            self.peers[peer as usize].udp.control = Some(said);
            return;
        }
        self.close(index, at);
        let tcp = &mut self.peers[peer as usize].tcp;
        if said == Control::Open {
            // One open port may be a coincidence; a second one is not.
            tcp.open_controls += 1;
            if tcp.open_controls < 2 {
                let beside = tcp.parked.first().map(|(index, _)| *index);
                if let Some(beside) = beside {
                    return self.launch_tcp_control(beside);
                }
            }
        }
        self.peers[peer as usize].tcp.control = Some(said);
        self.release(peer, at);
    }

    /// A TCP control's timer: try again, or call it silent.
    pub(super) fn look_at_control(&mut self, index: u32, now: Moment) {
        let entry = self.entry(index);
        let peer = entry.peer;
        if entry.ask.endpoint.transport == Transport::Udp {
            return self.trim(index, now);
        }
        if entry.sent > 0 && now >= entry.deadline {
            self.peers[peer as usize].tcp.control.get_or_insert(Control::Silent);
            self.close(index, now);
            return self.release(peer, now);
        }
        if !entry.queued && self.next_due(index).is_some_and(|due| due <= now) {
            self.queue_control(index);
        } else {
            self.schedule_control(index, now);
        }
    }

    pub(super) fn schedule_control(&mut self, index: u32, now: Moment) {
        match self.entry(index).ask.endpoint.transport {
            Transport::Tcp => self.schedule_next(index, now),
            Transport::Udp => self.trim(index, now),
        }
    }

    /// Holds an open port back while its peer might be open for everything.
    pub(super) fn hold_back(&mut self, index: u32, now: Moment) -> bool {
        let entry = self.entry(index);
        let (peer, generation) = (entry.peer, entry.generation);
        let open =
            matches!(entry.observations.last().map(|o| &o.signal), Some(Signal::Connected { .. }));
        let refused = matches!(entry.observations.last().map(|o| &o.signal), Some(Signal::Refused));
        if entry.ask.endpoint.transport == Transport::Udp {
            return false;
        }
        let tcp = &mut self.peers[peer as usize].tcp;
        if !open {
            tcp.refused += u32::from(refused);
            tcp.not_open += 1;
            self.release(peer, now);
            return false;
        }
        let explained = tcp.not_open > 0 || tcp.control.is_some() || tcp.admitted < FEW_PORTS;
        if explained || !self.settings.controls {
            return false;
        }
        tcp.parked.push((index, generation));
        let call = tcp.parked.len() >= SUSPICIOUS_OPENS && tcp.controls.is_empty();
        self.set_phase(index, Phase::Parked);
        if call {
            self.launch_tcp_control(index);
        }
        true
    }

    /// Lets the held-back ports of a peer go.
    pub(super) fn release(&mut self, peer: u32, now: Moment) {
        for (index, generation) in std::mem::take(&mut self.peers[peer as usize].tcp.parked) {
            if self.live(index, generation).is_some() {
                self.close(index, now);
            }
        }
    }

    /// Lets held-back ports go when nothing else of their peer is under way.
    pub(super) fn release_if_alone(&mut self, peer: u32, now: Moment) {
        let known = &self.peers[peer as usize];
        let alone = known.tcp.parked.len() as u32 == known.active;
        if alone && !known.tcp.parked.is_empty() && known.tcp.controls.is_empty() {
            self.release(peer, now);
        }
    }

    /// What the control probes say of this endpoint, and whether its peer is
    /// open for everything.
    pub(super) fn grade(&self, entry: &Entry, now: Moment) -> (Option<Control>, bool) {
        let peer = &self.peers[entry.peer as usize];
        let tcp = entry.ask.endpoint.transport == Transport::Tcp;
        if entry.connected.is_some() {
            let open = tcp && peer.tcp.control == Some(Control::Open);
            return (open.then_some(Control::Open), open);
        }
        if entry.heard || entry.sent == 0 {
            return (None, false);
        }
        let control = match tcp {
            true => peer.tcp_control().or_else(|| self.outstanding(&peer.tcp.controls, now)),
            false if entry.sandwiches > 0 => Some(Control::Closed),
            false => peer.udp.control.or_else(|| {
                (peer.udp.controls_sent >= 2).then_some(match peer.udp.proofs {
                    0 => Control::Silent,
                    _ => Control::Closed,
                })
            }),
        };
        (control, false)
    }

    /// A control that has had a second to be answered is silent enough to say so.
    fn outstanding(&self, controls: &[u32], now: Moment) -> Option<Control> {
        let waited = |index: &u32| {
            self.entries[*index as usize].as_ref().is_some_and(|e| {
                e.purpose == Purpose::Control && e.waited(now) >= Duration::from_secs(1)
            })
        };
        controls.iter().any(waited).then_some(Control::Silent)
    }

    /// Gives up attempts of an entry that is asked again and again: those whose
    /// time is over, and the oldest of too many.
    pub(super) fn trim(&mut self, index: u32, now: Moment) {
        const LIFE: Duration = schedule::TIMEOUT;
        /// Attempts of one endpoint that listen at once.
        const MOST: usize = 8;
        let entry = self.entry(index);
        let over = entry
            .listening
            .iter()
            .filter(|(nth, _)| now.since(entry.sent_time(*nth)) >= LIFE)
            .count();
        let surplus = entry.listening.len().saturating_sub(MOST);
        self.forget_oldest(index, over.max(surplus));
        let entry = self.entry(index);
        if let Some((nth, _)) = entry.listening.first().copied() {
            let at = (entry.sent_time(nth) + LIFE).max(now + Duration::from_millis(1));
            let key = (at, index, entry.generation);
            self.timers.push(Reverse(key));
        }
    }

    /// Gives up the `count` oldest attempts of an entry.
    pub(super) fn forget_oldest(&mut self, index: u32, count: usize) {
        let entry = self.entry(index);
        let generation = entry.generation;
        let old: Vec<_> = entry.listening.drain(..count).collect();
        entry.farewells += old.len() as u16;
        for (nth, handle) in old {
            self.forget.push((super::join(index, generation, nth), handle));
        }
    }
}
