use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::row::milliseconds;
use crate::model::{PortState, Rounds};

/// What several rounds of probing one endpoint showed, in a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoundsRow {
    /// How often each state was seen, the most frequent first.
    pub states: Vec<StateShareRow>,
    /// Round trips of the rounds that had one.
    pub rtt_ms: Option<RttRow>,
    /// Packets sent over all rounds.
    pub sent: u32,
    /// Of these, packets that something came back for.
    pub answered: u32,
    /// Most rounds in a row without an answer from the service.
    pub longest_failure: u32,
    /// Failures come at even distances, as a rate limit makes them.
    pub regular: bool,
}

/// How often one state was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateShareRow {
    /// The state.
    pub state: PortState,
    /// Rounds that ended with it.
    pub rounds: u32,
}

/// Round trips over several rounds, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RttRow {
    /// The smallest.
    pub min: f64,
    /// The median.
    pub median: f64,
    /// The largest.
    pub max: f64,
    /// The mean difference between one and the next.
    pub jitter: f64,
}

impl From<&Rounds> for RoundsRow {
    fn from(rounds: &Rounds) -> RoundsRow {
        RoundsRow {
            states: rounds
                .states
                .iter()
                .map(|(state, rounds)| StateShareRow { state: *state, rounds: *rounds })
                .collect(),
            rtt_ms: rounds.rtt.map(RttRow::from),
            sent: rounds.packets.0,
            answered: rounds.packets.1,
            longest_failure: rounds.longest_failure,
            regular: rounds.regular,
        }
    }
}

impl From<[Duration; 4]> for RttRow {
    fn from(times: [Duration; 4]) -> RttRow {
        let [min, median, max, jitter] = times.map(milliseconds);
        RttRow { min, median, max, jitter }
    }
}
