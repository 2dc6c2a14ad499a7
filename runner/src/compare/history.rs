use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;

use super::{Change, Key};
use crate::model::{Health, PortState, Reason};
use crate::report::{EndpointRow, Report};

/// Rounds of an endpoint that are kept at most: more than the widest screen shows.
const MOST_ROUNDS: usize = 240;
/// Rounds that are kept even of the endpoints of a large watch.
const FEWEST_ROUNDS: usize = 8;
/// Beats of all endpoints together, 16 bytes each.
const MOST_BEATS: usize = 1 << 20;
/// Changes that are kept.
const MOST_CHANGES: usize = 100;
/// Rounds after which an endpoint that is gone is forgotten: a name may lead to
/// other addresses all day.
const GONE: usize = 60;

/// What one round said of one endpoint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beat {
    /// Its state; none where the endpoint was not there.
    pub state: Option<PortState>,
    /// Nothing at all came back.
    pub silent: bool,
    /// The service is there and cannot serve.
    pub unhealthy: bool,
    /// Milliseconds.
    pub rtt: Option<f32>,
    /// Packets sent.
    pub sent: u16,
    /// Of these, packets that something came back for.
    pub answered: u16,
}

/// The rounds of one endpoint, or of a name without address (its port is 0).
#[derive(Clone, Debug)]
pub struct Track {
    /// Which.
    pub key: Key,
    /// Its last rounds, the newest at the end; never empty.
    pub beats: VecDeque<Beat>,
    /// What there is to say of it beside its state: how it differs from what it should
    /// be, or the reason, and what a check found. From outside: escape before showing.
    pub detail: String,
    /// When it was first seen as it is.
    pub since: Timestamp,
    /// The round in which it changed, if it did since the first.
    pub changed: Option<u64>,
    /// It is not as it should be.
    pub wrong: bool,
}

impl Track {
    /// What it was in the last round.
    pub fn last(&self) -> Option<&Beat> {
        self.beats.back()
    }

    /// Packets that nothing came back for, in per cent of those sent; none where
    /// nothing was sent.
    pub fn loss(&self) -> Option<f64> {
        let sum = |of: fn(&Beat) -> u16| self.beats.iter().map(|b| u64::from(of(b))).sum::<u64>();
        let (sent, answered) = (sum(|b| b.sent), sum(|b| b.answered));
        (sent > 0).then(|| 100.0 * sent.saturating_sub(answered) as f64 / sent as f64)
    }

    /// The median round trip in milliseconds.
    pub fn median(&self) -> Option<f32> {
        let mut all: Vec<f32> = self.beats.iter().filter_map(|beat| beat.rtt).collect();
        all.sort_by(f32::total_cmp);
        all.get(all.len().checked_sub(1)? / 2).copied()
    }
}

/// A change with its time.
#[derive(Clone, Debug)]
pub struct Dated {
    /// When the round was over that saw it.
    pub at: Timestamp,
    /// What.
    pub change: Change,
}

/// The last rounds of a watch, in a memory that does not grow with its time.
#[derive(Clone, Debug, Default)]
pub struct History {
    tracks: Vec<Track>,
    index: HashMap<Key, usize>,
    recent: VecDeque<Dated>,
    rounds: u64,
}

impl History {
    /// All endpoints, in the order of the request.
    pub fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// The last changes, the newest at the end.
    pub fn recent(&self) -> &VecDeque<Dated> {
        &self.recent
    }

    /// Rounds so far.
    pub fn rounds(&self) -> u64 {
        self.rounds
    }

    /// Takes in a round that was over `at`: its report, what changed with it, and
    /// why an endpoint is not as it should be (empty where its state says it).
    pub fn add(
        &mut self,
        report: &Report,
        changes: &[Change],
        wrong: impl Fn(&Key, Option<&EndpointRow<'_>>) -> Option<String>,
        at: Timestamp,
    ) {
        self.rounds += 1;
        let names = report.tail.unresolved.iter().map(|name| {
            let detail = format!("unresolved: {}", name.reason.name());
            (Key::of_name(&name.target), None, absent(), detail)
        });
        let rows =
            report.endpoints.iter().map(|row| (Key::of(row), Some(row), beat(row), detail(row)));
        let kept = (MOST_BEATS / (report.endpoints.len() + 1)).clamp(FEWEST_ROUNDS, MOST_ROUNDS);
        let mut seen = vec![false; self.tracks.len()];
        for (key, row, beat, detail) in rows.chain(names) {
            let why = wrong(&key, row);
            let is_wrong = why.is_some();
            let detail = why.filter(|why| !why.is_empty()).unwrap_or(detail);
            let place = self.place(&key, at);
            if let Some(seen) = seen.get_mut(place) {
                *seen = true;
            }
            self.tracks[place].take(beat, detail, is_wrong, (at, self.rounds), kept);
        }
        for (place, _) in seen.iter().enumerate().filter(|(_, seen)| !**seen) {
            let detail = "gone".to_owned();
            self.tracks[place].take(absent(), detail, true, (at, self.rounds), kept);
        }
        self.forget();
        self.recent.extend(changes.iter().map(|change| Dated { at, change: change.clone() }));
        self.recent.drain(..self.recent.len().saturating_sub(MOST_CHANGES));
    }

    fn place(&mut self, key: &Key, at: Timestamp) -> usize {
        if let Some(place) = self.index.get(key) {
            return *place;
        }
        self.index.insert(key.clone(), self.tracks.len());
        self.tracks.push(Track {
            key: key.clone(),
            beats: VecDeque::new(),
            detail: String::new(),
            since: at,
            changed: None,
            wrong: false,
        });
        self.tracks.len() - 1
    }

    fn forget(&mut self) {
        let is_gone = |track: &Track| {
            track.key.port != 0 && track.beats.iter().rev().take(GONE).all(|b| b.state.is_none())
                || track.detail == "gone" && track.key.port == 0
        };
        let before = self.tracks.len();
        self.tracks.retain(|track| !is_gone(track));
        if self.tracks.len() != before {
            self.index =
                self.tracks.iter().enumerate().map(|(at, t)| (t.key.clone(), at)).collect();
        }
    }
}

impl Track {
    fn take(
        &mut self,
        beat: Beat,
        detail: String,
        wrong: bool,
        (at, round): (Timestamp, u64),
        kept: usize,
    ) {
        let same = self.last().map(|last| last.state == beat.state);
        if same != Some(true) {
            self.since = at;
            // What is new in a later round has changed; what the first one found has not.
            self.changed = (round > 1).then_some(round);
        }
        self.beats.push_back(beat);
        self.beats.drain(..self.beats.len().saturating_sub(kept));
        (self.detail, self.wrong) = (detail, wrong);
    }
}

fn absent() -> Beat {
    Beat { state: None, silent: false, unhealthy: false, rtt: None, sent: 0, answered: 0 }
}

fn beat(row: &EndpointRow<'_>) -> Beat {
    Beat {
        state: Some(row.state),
        silent: row.reason == Reason::NoResponse,
        unhealthy: row.check.as_ref().is_some_and(|check| check.health == Health::Unhealthy),
        rtt: row.rtt_ms.map(|ms| ms as f32),
        sent: row.evidence.attempts,
        answered: row.evidence.answered,
    }
}

fn detail(row: &EndpointRow<'_>) -> String {
    let from = row.evidence.from.as_deref().filter(|from| *from != row.address);
    let reason = match from {
        Some(from) => format!("{} from {from}", row.reason),
        None => row.reason.to_string(),
    };
    match &row.check {
        None => reason,
        Some(check) => {
            let health = check.health.name();
            format!("{reason}; {} {health}: {}", check.plugin, check.summary)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::changes;
    use super::super::sample::{report, row};
    use super::*;

    fn round(history: &mut History, rows: &[EndpointRow<'static>], second: i64) {
        let report = report(rows);
        let at = Timestamp::from_second(second).unwrap();
        history.add(&report, &[], |_, _| None, at);
    }

    #[test]
    fn the_time_in_a_state_begins_with_the_round_that_saw_it_first() {
        let mut history = History::default();
        let (open, closed) = (row(80, "open", "syn-ack", None), row(80, "closed", "reset", None));
        round(&mut history, std::slice::from_ref(&open), 10);
        round(&mut history, std::slice::from_ref(&open), 20);
        assert_eq!(history.tracks()[0].since.as_second(), 10);
        assert_eq!(history.tracks()[0].changed, None);
        round(&mut history, &[closed], 30);
        assert_eq!(history.tracks()[0].since.as_second(), 30);
        assert_eq!(history.tracks()[0].changed, Some(3));
        assert_eq!(history.tracks()[0].loss(), Some(0.0));
        assert_eq!(history.tracks()[0].median(), Some(1.5));
    }

    #[test]
    fn memory_does_not_grow_with_rounds_changes_or_addresses_of_a_name() {
        let mut history = History::default();
        let one = report(&[row(80, "open", "syn-ack", None)]);
        let none = report(&[]);
        for second in 0..1_000 {
            let changed = changes(&none, &one);
            history.add(&one, &changed, |_, _| None, Timestamp::from_second(second).unwrap());
        }
        assert_eq!(history.tracks()[0].beats.len(), MOST_ROUNDS);
        assert_eq!(history.recent().len(), MOST_CHANGES);
        for port in 1..500 {
            round(&mut history, &[row(port, "open", "syn-ack", None)], 2_000);
        }
        assert!(history.tracks().len() <= GONE + 1, "{}", history.tracks().len());
    }

    #[test]
    fn lost_packets_count_and_silence_is_all_loss() {
        let mut history = History::default();
        let mut lossy = row(80, "open", "syn-ack", None);
        lossy.evidence.attempts = 3;
        let mut silent = row(81, "filtered", "no-response", None);
        (silent.evidence.attempts, silent.evidence.answered, silent.rtt_ms) = (7, 0, None);
        round(&mut history, &[row(80, "open", "syn-ack", None), silent], 1);
        round(&mut history, &[lossy], 2);
        let tracks = history.tracks();
        assert_eq!(tracks[0].loss(), Some(50.0));
        assert_eq!((tracks[1].loss(), tracks[1].median()), (Some(100.0), None));
        assert!(tracks[1].last().unwrap().state.is_none(), "it is gone");
    }
}
