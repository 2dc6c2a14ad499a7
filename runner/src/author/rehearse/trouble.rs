//! What a peer does to its answers, and what must come of it.

use portscan_plugin::transcript::{Delivery, Ending, flip, garbage};

/// What must come of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// What the transcript expects.
    Same,
    /// Anything but a fault.
    NoFault,
    /// No fault, and nothing is recognised.
    NotConfirmed,
}

/// Places tried in what a peer says; all of them up to this many.
const MOST_PLACES: usize = 1024;

/// Bits flipped in it.
const MOST_FLIPS: u64 = 64;

/// What a delivery is called in a report.
pub(super) fn name(delivery: &Delivery) -> String {
    match delivery {
        Delivery::Whole => "as written".into(),
        Delivery::ByteByByte => "a byte at a time".into(),
        Delivery::Joined => "answers in one piece".into(),
        Delivery::SplitAt(n) => format!("split after {n} bytes"),
        Delivery::CutAfter(n, Ending::Closes) => format!("closed after {n} bytes"),
        Delivery::CutAfter(n, Ending::Resets) => format!("reset after {n} bytes"),
        Delivery::CutAfter(n, Ending::FallsSilent) => format!("silent after {n} bytes"),
        Delivery::Flipped(seed) => format!("a bit flipped, --seed {seed}"),
        Delivery::Garbage(seed) => format!("garbage, --seed {seed}"),
        Delivery::Silent => "silence".into(),
        Delivery::Closes => "closed at once".into(),
    }
}

/// What must come of it.
pub(super) fn rule(delivery: &Delivery) -> Rule {
    match delivery {
        Delivery::Whole | Delivery::ByteByByte | Delivery::Joined | Delivery::SplitAt(_) => {
            Rule::Same
        }
        // Enough may have come, and a bit may not matter.
        Delivery::CutAfter(..) | Delivery::Flipped(_) => Rule::NoFault,
        Delivery::Silent | Delivery::Closes | Delivery::Garbage(_) => Rule::NotConfirmed,
    }
}

/// All trouble for a stream whose peer says `said` bytes in all.
pub(super) fn for_stream(said: usize, seed: u64) -> Vec<Delivery> {
    let mut all = vec![
        Delivery::ByteByByte,
        Delivery::Joined,
        Delivery::Silent,
        Delivery::Closes,
        Delivery::Garbage(seed),
    ];
    all.extend(places(said).map(Delivery::SplitAt));
    for ending in [Ending::Closes, Ending::Resets, Ending::FallsSilent] {
        all.extend(places(said).map(|place| Delivery::CutAfter(place, ending)));
    }
    all.extend(flips(said, seed));
    all
}

/// All trouble for datagrams.
pub(super) fn for_datagrams(said: usize, seed: u64) -> Vec<Delivery> {
    let mut all = vec![Delivery::Silent, Delivery::Garbage(seed)];
    all.extend(places(said).map(|place| Delivery::CutAfter(place, Ending::FallsSilent)));
    all.extend(flips(said, seed));
    all
}

/// A datagram after the trouble; none when none is sent.
pub(super) fn changed(mut bytes: Vec<u8>, delivery: &Delivery) -> Option<Vec<u8>> {
    match delivery {
        Delivery::Silent | Delivery::Closes => return None,
        Delivery::CutAfter(place, _) => bytes.truncate(*place),
        Delivery::Flipped(seed) => flip(&mut bytes, *seed),
        Delivery::Garbage(seed) => bytes = garbage(*seed, bytes.len().max(64)),
        Delivery::Whole | Delivery::ByteByByte | Delivery::Joined | Delivery::SplitAt(_) => {}
    }
    Some(bytes)
}

fn flips(said: usize, seed: u64) -> impl Iterator<Item = Delivery> {
    (0..MOST_FLIPS.min(said as u64 * 8)).map(move |n| Delivery::Flipped(seed.wrapping_add(n)))
}

/// Places inside `said` bytes, evenly spread, neither end included.
fn places(said: usize) -> impl Iterator<Item = usize> {
    let count = said.saturating_sub(1).min(MOST_PLACES);
    (1..=count).map(move |n| (n * said / (count + 1)).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_of_a_short_answer_is_tried_and_neither_end() {
        assert_eq!(places(1).count(), 0);
        assert_eq!(places(4).collect::<Vec<_>>(), [1, 2, 3]);
        assert!(places(100_000).all(|place| (1..100_000).contains(&place)));
        assert_eq!(places(100_000).count(), MOST_PLACES);
    }
}
