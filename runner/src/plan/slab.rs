//! Entries and peers: where they live, how they come and go.

use std::net::IpAddr;

use super::entry::{Ask, Entry, Phase, Purpose};
use super::peer::Peer;
use super::{GENERATION, Plan, join};
use crate::model::Moment;

impl Plan {
    pub(super) fn insert(&mut self, ask: Ask, peer: u32, purpose: Purpose) -> (u32, u32) {
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
            departing: false,
            in_window: false,
            busy: 0,
            soft: 0,
            hasten: None,
            sandwiches: 0,
            heard: false,
            sandwiched: None,
            farewells: 0,
            budget: None,
            cut_short: false,
            doubtful: 0,
            connected: None,
            lost: 0,
        });
        (index, generation)
    }

    /// The entry that `index` named when it had this generation.
    pub(super) fn live(&mut self, index: u32, generation: u32) -> Option<&mut Entry> {
        self.entries.get_mut(index as usize)?.as_mut().filter(|e| e.generation == generation)
    }

    /// An entry that is known to be there.
    pub(super) fn entry(&mut self, index: u32) -> &mut Entry {
        match &mut self.entries[index as usize] {
            Some(entry) => entry,
            None => unreachable!("entry {index} was looked up before"),
        }
    }

    pub(super) fn set_phase(&mut self, index: u32, phase: Phase) {
        let entry = self.entry(index);
        let was = std::mem::replace(&mut entry.phase, phase);
        self.provisional += usize::from(phase == Phase::Provisional);
        self.provisional -= usize::from(was == Phase::Provisional);
    }

    pub(super) fn peer_for(&mut self, ip: IpAddr) -> u32 {
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
    pub(super) fn close(&mut self, index: u32, now: Moment) {
        self.set_phase(index, Phase::Closing);
        let entry = self.entry(index);
        let generation = entry.generation;
        let handles = std::mem::take(&mut entry.listening);
        // What is on its way out is given up as soon as it is out.
        entry.farewells += handles.len() as u16 + u16::from(entry.departing);
        if entry.farewells == 0 {
            return self.finish(index, now);
        }
        self.forget.extend(handles.iter().map(|(nth, h)| (join(index, generation, *nth), *h)));
    }

    pub(super) fn finish(&mut self, index: u32, now: Moment) {
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

    pub(super) fn leave_window(&mut self, peer: u32, in_window: bool) {
        let peer = &mut self.peers[peer as usize];
        peer.in_window -= u32::from(in_window);
        // One for the place that is free now, and one for what the window has grown
        // by: with one alone it would never be filled. Who finds no room waits again.
        let room = if peer.has_room() { peer.waiting.len().min(2) } else { 0 };
        for next in peer.waiting.drain(..room).rev() {
            self.waiting -= 1;
            self.fresh.push_front(next);
        }
    }

    pub(super) fn drop_peer(&mut self, index: u32, now: Moment) {
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
}
