//! Several rounds, to see what comes and goes.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::round::{Endpoints, endpoint_seed, payloads_for};
use super::scan::{Follow, Place, Probed, scan};
use crate::check::Checks;
use crate::model::{Moment, Outcome, PortState, Rounds};
use crate::net::{LiveNet, Stop};
use crate::plan::{Ask, Plan};

/// Samples kept of one endpoint.
const MOST_SAMPLES: usize = 100_000;

/// What one round saw of an endpoint.
#[derive(Clone, Copy, Debug)]
struct Sample {
    state: PortState,
    rtt: Option<Duration>,
    sent: u32,
    answered: u32,
}

/// What all rounds saw of an endpoint.
#[derive(Clone, Debug, Default)]
pub(super) struct Series(Vec<Sample>);

impl Series {
    /// Takes a round's row.
    pub fn add(&mut self, outcome: &Outcome) {
        if self.0.len() < MOST_SAMPLES {
            self.0.push(Sample {
                state: outcome.state,
                rtt: outcome.rtt,
                sent: u32::from(outcome.evidence.attempts),
                answered: u32::from(outcome.evidence.answered),
            });
        }
    }

    /// What the rounds show together.
    pub fn summary(&self) -> Rounds {
        let mut counts: HashMap<PortState, u32> = HashMap::new();
        self.0.iter().for_each(|s| *counts.entry(s.state).or_default() += 1);
        let mut states: Vec<_> = counts.into_iter().collect();
        states.sort_by_key(|(state, count)| (std::cmp::Reverse(*count), *state));
        let sum = |of: fn(&Sample) -> u32| self.0.iter().map(of).sum();
        Rounds {
            states,
            rtt: self.rtt(),
            packets: (sum(|s| s.sent), sum(|s| s.answered)),
            longest_failure: self.longest_failure(),
            regular: self.is_regular(),
        }
    }

    fn rtt(&self) -> Option<[Duration; 4]> {
        let times: Vec<Duration> = self.0.iter().filter_map(|s| s.rtt).collect();
        let steps: Vec<Duration> = times.windows(2).map(|w| w[0].abs_diff(w[1])).collect();
        let jitter = steps.iter().sum::<Duration>() / steps.len().max(1) as u32;
        let mut sorted = times;
        sorted.sort();
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        Some([min, sorted[sorted.len() / 2], max, jitter])
    }

    fn failed(&self) -> impl Iterator<Item = bool> {
        // A series that is never open fails by differing from what it mostly is.
        let usual = self.0.iter().any(|s| s.state == PortState::Open);
        self.0.iter().map(move |s| usual && s.state != PortState::Open)
    }

    fn longest_failure(&self) -> u32 {
        let (mut longest, mut run) = (0, 0);
        for failed in self.failed() {
            run = if failed { run + 1 } else { 0 };
            longest = longest.max(run);
        }
        longest
    }

    /// At least four failures, all the same number of rounds apart.
    fn is_regular(&self) -> bool {
        let at: Vec<usize> =
            self.failed().enumerate().filter(|(_, f)| *f).map(|(n, _)| n).collect();
        let gaps: Vec<usize> = at.windows(2).map(|w| w[1] - w[0]).collect();
        gaps.len() >= 3 && gaps.iter().all(|gap| *gap == gaps[0] && *gap > 1)
    }
}

/// Probes one more time, without checks and without a row.
struct Silent<'a> {
    endpoints: Endpoints<'a>,
    /// What UDP is sent: the same as in the round that is shown.
    checks: &'a Checks,
    seed: u64,
    series: &'a mut HashMap<u64, Series>,
    stop: Stop,
}

impl Follow for Silent<'_> {
    fn next_ask(&mut self) -> Option<Ask> {
        let (order, target, endpoint) = self.endpoints.next()?;
        let seed = endpoint_seed(self.seed, order);
        let payloads = payloads_for(self.checks, &endpoint, &target, seed);
        Some(Ask { order, target, endpoint, payloads })
    }

    fn keeps(&self, _: &Ask) -> bool {
        false
    }

    fn probed(&mut self, probed: Probed) {
        self.series.entry(probed.outcome.order).or_default().add(&probed.outcome);
    }

    fn turn(&mut self, _: usize, _: Moment) -> bool {
        self.stop.is_asked()
    }
}

/// Makes a round without output, then waits until `every` has passed since it began.
pub(super) fn round(
    plan: &mut Plan,
    net: &mut LiveNet,
    place: &Place<'_>,
    endpoints: Endpoints<'_>,
    (checks, seed): (&Checks, u64),
    series: &mut HashMap<u64, Series>,
    every: Duration,
) {
    let began = Instant::now();
    let stop = net.stop();
    scan(plan, net, place, &mut Silent { endpoints, checks, seed, series, stop: stop.clone() });
    while !stop.is_asked() && began.elapsed() < every {
        std::thread::sleep((every - began.elapsed().min(every)).min(Duration::from_millis(50)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(states: &str) -> Series {
        let sample = |c| Sample {
            state: if c == 'o' { PortState::Open } else { PortState::Filtered },
            rtt: (c == 'o').then_some(Duration::from_millis(2)),
            sent: 1,
            answered: u32::from(c == 'o'),
        };
        Series(states.chars().map(sample).collect())
    }

    #[test]
    fn shares_runs_and_loss_are_counted() {
        let rounds = series("ooffofoooo").summary();
        assert_eq!(rounds.states, [(PortState::Open, 7), (PortState::Filtered, 3)]);
        assert_eq!((rounds.longest_failure, rounds.packets, rounds.regular), (2, (10, 7), false));
    }

    #[test]
    fn failures_at_even_distances_are_told() {
        assert!(series("oofoofoofoof").summary().regular);
        assert!(!series("ffffffff").summary().regular);
    }
}
