//! What a peer does to its answers.

/// Ways to deliver what a transcript's peer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// As written.
    Whole,
    /// A byte at a time.
    ByteByByte,
    /// Each answer in two pieces, the first of this many bytes.
    SplitAt(usize),
    /// All answers together are cut after this many bytes; then it closes.
    CutAfter(usize),
    /// One bit is flipped, by this seed.
    Flipped(u64),
    /// It never answers.
    Silent,
    /// It closes at once.
    Closes,
    /// It sends garbage from this seed, ten megabytes of it over TCP.
    Garbage(u64),
}

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

/// Ten megabytes.
pub(super) const FLOOD: usize = 10_000_000;

/// Places tried in one answer; all of them in a short one.
const MOST_PLACES: usize = 16;

impl Delivery {
    /// What it is called in a report.
    pub fn name(&self) -> String {
        match self {
            Delivery::Whole => "as written".into(),
            Delivery::ByteByByte => "a byte at a time".into(),
            Delivery::SplitAt(n) => format!("split after {n} bytes"),
            Delivery::CutAfter(n) => format!("cut after {n} bytes"),
            Delivery::Flipped(seed) => format!("a bit flipped, --seed {seed}"),
            Delivery::Silent => "silence".into(),
            Delivery::Closes => "closed at once".into(),
            Delivery::Garbage(seed) => format!("garbage, --seed {seed}"),
        }
    }

    /// What must come of it.
    pub fn rule(&self) -> Rule {
        match self {
            Delivery::Whole | Delivery::ByteByByte | Delivery::SplitAt(_) => Rule::Same,
            // Enough may have come, and a bit may not matter.
            Delivery::CutAfter(_) | Delivery::Flipped(_) => Rule::NoFault,
            Delivery::Silent | Delivery::Closes | Delivery::Garbage(_) => Rule::NotConfirmed,
        }
    }
}

/// All trouble for a stream whose peer says `said` bytes in all.
pub(super) fn for_stream(said: usize, seed: u64) -> Vec<Delivery> {
    let mut all = vec![Delivery::ByteByByte, Delivery::Silent, Delivery::Closes];
    all.push(Delivery::Garbage(seed));
    all.extend(places(said).map(Delivery::SplitAt));
    all.extend(places(said).map(Delivery::CutAfter));
    all.extend(flips(said, seed));
    all
}

/// All trouble for datagrams.
pub(super) fn for_datagrams(said: usize, seed: u64) -> Vec<Delivery> {
    let mut all = vec![Delivery::Silent, Delivery::Garbage(seed)];
    all.extend(places(said).map(Delivery::CutAfter));
    all.extend(flips(said, seed));
    all
}

fn flips(said: usize, seed: u64) -> impl Iterator<Item = Delivery> {
    (0..MOST_PLACES.min(said * 8) as u64).map(move |n| Delivery::Flipped(seed.wrapping_add(n)))
}

/// Places inside `said` bytes, evenly spread, neither end included.
fn places(said: usize) -> impl Iterator<Item = usize> {
    let count = said.saturating_sub(1).min(MOST_PLACES);
    (1..=count).map(move |n| (n * said / (count + 1)).max(1))
}

/// Flips one bit of `bytes`, which one by `seed`.
pub(super) fn flip(bytes: &mut [u8], seed: u64) {
    let bits = bytes.len() as u64 * 8;
    if bits > 0 {
        let bit = scrambled(seed) % bits;
        bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
    }
}

/// Bytes that mean nothing, the same for a seed.
pub(super) fn garbage(seed: u64, length: usize) -> Vec<u8> {
    let mut state = scrambled(seed);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state = scrambled(state);
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// SplitMix64's step.
fn scrambled(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_lie_inside_and_a_flip_changes_one_bit() {
        assert_eq!(places(1).count(), 0);
        assert_eq!(places(3).collect::<Vec<_>>(), [1, 2]);
        assert!(places(1000).all(|place| (1..1000).contains(&place)));
        let mut bytes = garbage(7, 20);
        let before = bytes.clone();
        flip(&mut bytes, 3);
        let differ: u32 = bytes.iter().zip(&before).map(|(a, b)| (a ^ b).count_ones()).sum();
        assert_eq!((differ, before.len()), (1, 20));
    }
}
