//! The one loop: plan, network, judge.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::model::{Moment, Note, Outcome, PortState, Reason};
use crate::net::{Attempt, Connected, Event, Net};
use crate::plan::{Ask, Finished, Plan, Recorded, Slowed, Step};
use crate::probe::{Measured, Question, judge, summarize};

/// Packets sent before arrivals are looked at again.
///
/// Few, so that answers are timed when they come and refused sockets are used
/// again at once; many enough that waiting costs little.
const SENDS_PER_TURN: usize = 32;

/// How soon to look again for room, which the network does not tell of.
const HELD: Duration = Duration::from_millis(1);

/// What this machine knows of itself, as the judge needs it.
pub struct Place<'a> {
    /// Whether an address is one of ours.
    pub is_own: &'a dyn Fn(IpAddr) -> bool,
    /// Whether an address is a gateway of ours.
    pub is_first_hop: &'a dyn Fn(IpAddr) -> bool,
}

/// A measured endpoint with what the check stage needs to go on.
pub struct Probed {
    /// The row.
    pub outcome: Outcome,
    /// What was asked.
    pub ask: Ask,
    /// The open connection, for a check.
    pub stream: Option<Connected>,
    /// The decisive datagram: payload index, sender's port, bytes.
    pub answer: Option<(u32, u16, Vec<u8>)>,
}

/// Receives what the loop produces and tells it when to stop.
pub trait Follow {
    /// The next endpoint to probe, or none when there are no more.
    fn next_ask(&mut self) -> Option<Ask>;
    /// Whether the connection of an open endpoint is wanted.
    fn keeps(&self, ask: &Ask) -> bool;
    /// Takes a measured endpoint.
    fn probed(&mut self, probed: Probed);
    /// A peer is asked more slowly from now on.
    fn slowed(&mut self, _: Slowed) {}
    /// This machine's table of connections is full: the run goes on as entries expire.
    fn table_full(&mut self) {}
    /// The run begins to wait for answers; called once.
    fn waits(&mut self) {}
    /// Whether another endpoint may be asked for now.
    fn has_room(&self) -> bool {
        true
    }
    /// Called once a turn. True ends the run with what is known.
    fn turn(&mut self, active: usize, now: Moment) -> bool;
}

/// Probes everything that `follow` asks for.
pub fn scan<N: Net>(plan: &mut Plan, net: &mut N, place: &Place<'_>, follow: &mut impl Follow) {
    let mut events = Vec::new();
    let mut streams: HashMap<u64, Connected> = HashMap::new();
    let mut exhausted = false;
    let mut has_waited = false;
    loop {
        while !exhausted && plan.has_room() && follow.has_room() {
            match follow.next_ask() {
                Some(ask) => plan.admit(ask),
                None => {
                    exhausted = true;
                    plan.no_more();
                }
            }
        }
        let until = match take_steps(plan, net) {
            Turn::Wait(until) if exhausted || follow.has_room() => until,
            Turn::Wait(until) => {
                let look = net.now() + HELD;
                Some(until.map_or(look, |until| until.min(look)))
            }
            Turn::Done => break,
        };
        while let Some(finished) = plan.pop_finished() {
            let stream = finished.connected.and_then(|key| streams.remove(&key));
            follow.probed(judged(finished, place, stream));
        }
        // The first look waits for nothing: a near answer may be there already.
        let until = if has_waited { until } else { Some(net.now()) };
        net.wait(until, &mut events);
        for event in events.drain(..) {
            happened(event, plan, &mut streams, net.now());
        }
        while let Some(slowed) = plan.pop_slowed() {
            follow.slowed(slowed);
        }
        let is_over = exhausted && plan.active() == 0;
        if !std::mem::replace(&mut has_waited, true) && !is_over {
            follow.waits();
        }
        if plan.take_table_full() {
            follow.table_full();
        }
        if follow.turn(plan.active(), net.now()) {
            plan.stop(net.now());
            exhausted = true;
        }
    }
    while let Some(finished) = plan.pop_finished() {
        let stream = finished.connected.and_then(|key| streams.remove(&key));
        follow.probed(judged(finished, place, stream));
    }
}

/// Tells the plan what came out of the network.
fn happened(event: Event, plan: &mut Plan, streams: &mut HashMap<u64, Connected>, now: Moment) {
    match event {
        Event::Departed { key, sent, at } => plan.sent(key, sent, at),
        Event::Forgotten { key, farewell } => plan.farewell(key, farewell, now),
        Event::Arrived(arrival) => {
            if let Some(stream) = arrival.stream {
                streams.insert(arrival.key, stream);
            }
            plan.record(Recorded {
                key: arrival.key,
                at: arrival.at,
                rtt: arrival.rtt,
                retransmits: arrival.retransmits,
                signal: arrival.signal,
                listening: arrival.listening,
            });
        }
    }
}

enum Turn {
    Wait(Option<Moment>),
    Done,
}

/// Carries out what the plan wants now.
fn take_steps<N: Net>(plan: &mut Plan, net: &mut N) -> Turn {
    let mut sends = 0;
    loop {
        let now = net.now();
        match plan.next(now) {
            Step::Send { key, endpoint } => {
                let payload = plan.payload(key);
                if let Some(sent) = net.send(Attempt { key, endpoint, payload, hops: None }) {
                    plan.sent(key, sent, now);
                }
                sends += 1;
                if sends >= SENDS_PER_TURN {
                    return Turn::Wait(Some(now));
                }
            }
            Step::Forget { key, handle } => {
                if let Some(farewell) = net.forget(key, handle) {
                    plan.farewell(key, farewell, now);
                }
            }
            Step::Wait(until) => return Turn::Wait(until),
            Step::Done => return Turn::Done,
        }
    }
}

/// Judges a finished endpoint and writes its row.
fn judged(finished: Finished, place: &Place<'_>, stream: Option<Connected>) -> Probed {
    let question = Question {
        first_sent: finished.first_sent,
        endpoint: finished.ask.endpoint,
        observations: &finished.observations,
        sent: finished.sent,
        cut_short: finished.cut_short,
        doubtful: finished.doubtful,
        is_own: place.is_own,
    };
    let judgement = judge(&question);
    let measured = Measured {
        packets: finished.packets,
        lost: finished.lost,
        over: finished.over,
        invalid_answer: finished.invalid_answer,
        control: finished.control,
        payload: finished.ask.payload_kind(),
    };
    let (evidence, rtt, mut notes) =
        summarize(&question, &judgement, &measured, place.is_first_hop);
    if finished.open_for_everything && judgement.state == PortState::Open {
        notes.push(Note::OpenForEverything);
    }
    if let (Some((left, prove)), Reason::NoResponse) = (finished.budget, judgement.reason) {
        notes.push(Note::IcmpBudgetSpent { left, prove: Duration::from_secs(prove.as_secs()) });
    }
    let answer = judgement.decisive.and_then(|index| answer(&finished, index));
    let outcome = Outcome {
        order: finished.ask.order,
        target: finished.ask.target.clone(),
        endpoint: finished.ask.endpoint,
        state: judgement.state,
        reason: judgement.reason,
        evidence,
        rtt,
        notes,
        check: None,
        advice: Vec::new(),
    };
    Probed { outcome, ask: finished.ask, stream, answer }
}

fn answer(finished: &Finished, index: usize) -> Option<(u32, u16, Vec<u8>)> {
    let observation = finished.observations.get(index)?;
    match &observation.signal {
        crate::model::Signal::Answer { from, bytes } => {
            Some((finished.ask.payload_index(observation.attempt), from.port(), bytes.clone()))
        }
        _ => None,
    }
}
