//! How a peer hands out what it says, trouble included.

use super::Ending;

/// How a peer hands out what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Each `from-peer` in one piece.
    Whole,
    /// One byte with each call of `receive`.
    ByteByByte,
    /// Answers that follow each other come in one piece.
    Joined,
    /// No piece reaches beyond this many bytes of all that the peer says.
    SplitAt(usize),
    /// In one piece, but only this many bytes in all; then this ending.
    CutAfter(usize, Ending),
    /// One bit of each answer is flipped, by this seed.
    Flipped(u64),
    /// Garbage from this seed in place of every answer: ten megabytes of it over
    /// TCP, a datagram for each call over UDP.
    Garbage(u64),
    /// It never says anything.
    Silent,
    /// It closes at once.
    Closes,
}

/// Bytes of garbage in a stream.
pub(super) const FLOOD: usize = 10_000_000;

/// Flips one bit of `bytes`, which one by `seed`.
pub fn flip(bytes: &mut [u8], seed: u64) {
    let bits = bytes.len() as u64 * 8;
    if bits > 0 {
        let bit = scrambled(seed) % bits;
        bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
    }
}

/// Bytes that mean nothing, the same for a seed.
pub fn garbage(seed: u64, length: usize) -> Vec<u8> {
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
    fn a_flip_changes_one_bit_the_same_one_for_a_seed() {
        let before = garbage(7, 20);
        let mut bytes = before.clone();
        flip(&mut bytes, 3);
        let differ: u32 = bytes.iter().zip(&before).map(|(a, b)| (a ^ b).count_ones()).sum();
        assert_eq!((differ, before.len()), (1, 20));
        flip(&mut bytes, 3);
        assert_eq!(bytes, before);
    }
}
