use std::time::Duration;

use crate::model::Moment;

/// Keeps the overall rate of packets below a limit, as a token bucket.
///
/// The bucket holds 10 ms worth of packets, at least one, so that any second
/// of the run stays within 2 % of the limit. Packets that the kernel sends by
/// itself (SYN retransmissions) are charged as well, and may overdraw it.
#[derive(Clone, Debug)]
pub struct Pace {
    /// Packets a second; infinite for no limit.
    rate: f64,
    tokens: f64,
    updated: Moment,
}

impl Pace {
    /// A pace of `rate` packets a second; `None` sets no limit.
    pub fn new(rate: Option<f64>) -> Pace {
        let rate = rate.filter(|r| *r > 0.0).unwrap_or(f64::INFINITY);
        Pace { rate, tokens: 1.0, updated: Moment::START }
    }

    /// Whether there is a limit at all.
    pub fn is_limited(&self) -> bool {
        self.rate.is_finite()
    }

    /// Whether a packet may leave at `now`.
    pub fn allows(&mut self, now: Moment) -> bool {
        if !self.is_limited() {
            return true;
        }
        let burst = (self.rate * 0.01).max(1.0);
        let earned = now.since(self.updated).as_secs_f64() * self.rate;
        self.tokens = (self.tokens + earned).min(burst);
        self.updated = now;
        self.tokens >= 1.0
    }

    /// Charges one packet that left.
    pub fn charge(&mut self) {
        if self.is_limited() {
            self.tokens -= 1.0;
        }
    }

    /// When the next packet may leave, given that none may now.
    pub fn next(&self, now: Moment) -> Moment {
        let missing = (1.0 - self.tokens).max(0.0) / self.rate;
        now + Duration::from_secs_f64(missing.min(3600.0)) + Duration::from_micros(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets_in(rate: f64, seconds: f64) -> u32 {
        let mut pace = Pace::new(Some(rate));
        let mut now = Moment::START;
        let end = Moment::after_start(Duration::from_secs_f64(seconds));
        let mut sent = 0;
        while now < end {
            match pace.allows(now) {
                true => {
                    pace.charge();
                    sent += 1;
                }
                false => now = pace.next(now),
            }
        }
        sent
    }

    #[test]
    fn the_limit_is_kept_within_two_percent() {
        for rate in [1.0, 7.0, 100.0, 1_000.0, 50_000.0] {
            let sent = f64::from(packets_in(rate, 20.0));
            let expected = rate * 20.0;
            assert!((sent - expected).abs() <= expected * 0.02 + 1.0, "{rate}: {sent}");
        }
    }

    #[test]
    fn packets_of_the_kernel_delay_our_own() {
        let mut pace = Pace::new(Some(10.0));
        assert!(pace.allows(Moment::START));
        for _ in 0..5 {
            pace.charge();
        }
        assert!(!pace.allows(Moment::after_start(Duration::from_millis(400))));
        assert!(pace.allows(Moment::after_start(Duration::from_millis(501))));
    }
}
