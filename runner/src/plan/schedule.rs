//! When to try again, and when silence has been measured long enough.

use std::time::Duration;

use crate::model::Transport;

/// How long an endpoint may stay silent before it is judged.
///
/// Covers a failed neighbour discovery (3.05 s, here or at the last router)
/// and the kernel's SYNs at 1, 2 and 3 s. At 2.2 s, 4 % of the accuracy lab's
/// states come out wrong; at 3.3 s none.
pub const TIMEOUT: Duration = Duration::from_millis(3300);

/// From when on a silent UDP port may be judged early, when its peer was seen
/// to answer for closed ports all the while.
pub const EARLY: Duration = Duration::from_millis(1000);

/// Attempts at a silent endpoint.
pub const fn default_attempts(transport: Transport) -> u8 {
    match transport {
        // Each socket's SYN is sent again by the kernel at 1, 2 and 3 s.
        Transport::Tcp => 3,
        Transport::Udp => 5,
    }
}

/// Most attempts at one endpoint, however lossy the path and long the proof.
pub const MAX_ATTEMPTS: u8 = 120;

/// When attempt `nth` (from 0) is due, counted from the first.
///
/// The gaps grow, so that a short outage does not swallow all attempts.
///
/// The fourth comes just after the first second: a stock ICMP budget has then
/// earned one more error.
pub fn due(nth: u8) -> Duration {
    const OFFSETS: [u64; 6] = [0, 300, 650, 1050, 1600, 2300];
    match OFFSETS.get(usize::from(nth)) {
        Some(ms) => Duration::from_millis(*ms),
        None => Duration::from_millis(2300 + 400 * (u64::from(nth) - 5)),
    }
}

/// Pause before an ICMP error that may be transient is asked again (RFC 1122
/// 3.2.2.1: routes change).
pub const SOFT_PAUSE: Duration = Duration::from_millis(500);

/// Packets that must stay unanswered, at a share `lost` of lost ones, before
/// silence is no longer put down to loss: the chance that an endpoint that
/// answers was unlucky every time is then below 1 in 200.
pub fn needed_packets(lost: f64) -> u32 {
    let lost = lost.clamp(0.05, 0.9);
    ((0.005f64).ln() / lost.ln()).ceil() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_between_attempts_grow() {
        let gaps: Vec<_> = (0..5).map(|n| due(n + 1) - due(n)).collect();
        assert!(gaps[..4].is_sorted(), "{gaps:?}");
    }

    #[test]
    fn loss_asks_for_more_packets() {
        assert_eq!(needed_packets(0.0), 2);
        assert_eq!(needed_packets(0.1), 3);
        assert_eq!(needed_packets(0.51), 8);
    }
}
