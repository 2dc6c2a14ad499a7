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
/// to answer for closed ports all the while and its round trip is short.
pub const EARLY: Duration = Duration::from_millis(1000);

/// The same for TCP: three attempts and two of the kernel's SYNs have left, each
/// with a third of a second to be answered in.
pub const EARLY_TCP: Duration = Duration::from_millis(1400);

/// Ports of a peer that must have been refused for that, none with a lost packet.
pub const LIVELY: u32 = 64;

/// When silence may be judged early.
pub const fn early(transport: Transport) -> Duration {
    match transport {
        Transport::Tcp => EARLY_TCP,
        Transport::Udp => EARLY,
    }
}

/// Attempts that must be silent by then. At 10 % of lost round trips five in a
/// row are lost once in 100,000 times.
pub const EARLY_ATTEMPTS: u16 = 5;

/// Attempts at a silent endpoint.
pub const fn default_attempts(transport: Transport) -> u8 {
    match transport {
        // Each socket's SYN is sent again by the kernel at 1, 2 and 3 s.
        Transport::Tcp => 3,
        Transport::Udp => 7,
    }
}

/// Most attempts at one endpoint, however lossy the path and long the proof.
pub const MAX_ATTEMPTS: u8 = 120;

/// When attempt `nth` (from 0) is due, counted from the first.
///
/// The gaps grow, so that a short outage does not swallow all attempts. UDP
/// gets no help from the kernel and is asked more often; its fifth attempt
/// comes just after the first second, when a stock ICMP budget has earned one
/// more error.
pub fn due(transport: Transport, nth: u8) -> Duration {
    const TCP: &[u64] = &[0, 300, 650, 1050, 1600, 2300];
    const UDP: &[u64] = &[0, 200, 450, 700, 1050, 1500, 2200];
    let offsets = match transport {
        Transport::Tcp => TCP,
        Transport::Udp => UDP,
    };
    let last = offsets.len() - 1;
    let beyond = u64::from(nth).saturating_sub(last as u64) * 400;
    Duration::from_millis(offsets[usize::from(nth).min(last)] + beyond)
}

/// Share of lost packets from which on the usual attempts are not enough.
///
/// At 5 % each way a tenth is lost, and ten SYNs in a row once in 10^10 times.
pub const LOSSY: f64 = 0.25;

/// Pause before an ICMP error that may be transient is asked again (RFC 1122
/// 3.2.2.1: routes change).
pub const SOFT_PAUSE: Duration = Duration::from_millis(500);

/// How often this machine must refuse to send before that is the verdict.
pub const REFUSALS: usize = 3;

/// Pause before it is asked again.
pub const REFUSAL_PAUSE: Duration = Duration::from_millis(60);

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
        for transport in [Transport::Tcp, Transport::Udp] {
            let gaps: Vec<_> = (0..5).map(|n| due(transport, n + 1) - due(transport, n)).collect();
            assert!(gaps.is_sorted(), "{gaps:?}");
        }
    }

    #[test]
    fn loss_asks_for_more_packets() {
        assert_eq!(needed_packets(0.0), 2);
        assert_eq!(needed_packets(0.1), 3);
        assert_eq!(needed_packets(0.51), 8);
    }
}
