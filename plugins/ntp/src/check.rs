//! One more exchange, with a clock in hand: how far apart are the two clocks?

use std::time::Duration;

use portscan_plugin::{CheckError, Conclusion, Connection, Health, IoError};

use crate::packet::{self, Packet};
use crate::{conclude, mismatch};

/// Time for an answer before the packet is sent once more. Servers answer at
/// once; a second is beyond any round trip on Earth.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Datagrams that are read in search of ours; more is a peer that floods.
const MOST_DATAGRAMS: usize = 8;

/// Most difference of clocks that is no flaw, in nanoseconds. A second is far
/// above what NTP leaves, and far below what breaks Kerberos or TLS.
const TOLERANCE: i64 = 1_000_000_000;

/// Asks, and asks once more after [`AGAIN_AFTER`].
pub fn run(connection: &mut Connection) -> Result<Conclusion, CheckError> {
    let mut odd = None;
    let mut silence = IoError::TimedOut;
    for _ in 0..2 {
        match ask(connection, &mut odd) {
            Ok(conclusion) => return Ok(conclusion),
            Err(IoError::TimedOut) => {}
            Err(error) => {
                silence = error;
                break;
            }
        }
    }
    match odd {
        Some(why) => Ok(mismatch(why)),
        None => Err(silence.into()),
    }
}

fn ask(connection: &mut Connection, odd: &mut Option<&'static str>) -> Result<Conclusion, IoError> {
    let stamp = u64::from_be_bytes(connection.random()).max(1);
    // The monotonic clock measures the way there and back, the other one says
    // where on the calendar it lies: a step of it in between does no harm.
    let (left, left_at) = (connection.unix_now_nanos(), connection.elapsed());
    connection.send(packet::question(stamp))?;
    for _ in 0..MOST_DATAGRAMS {
        let waited = connection.elapsed() - left_at;
        let datagram = connection.receive(512, AGAIN_AFTER.saturating_sub(waited))?;
        let way = connection.elapsed() - left_at;
        match Packet::read(&datagram, stamp) {
            Ok(packet) => return Ok(with_clock(&packet, left, way)),
            Err(why) => *odd = Some(why),
        }
    }
    Err(IoError::TimedOut)
}

/// Adds offset and delay, as RFC 5905 section 8 computes them.
fn with_clock(packet: &Packet, left: i64, way: Duration) -> Conclusion {
    let conclusion = conclude(packet);
    if !packet.is_synchronised() {
        return conclusion;
    }
    let back = left.saturating_add(i64::try_from(way.as_nanos()).unwrap_or(i64::MAX));
    let received = packet::unix_nanos(packet.receive, left);
    let sent = packet::unix_nanos(packet.transmit, left);
    let offset = midpoint(received.saturating_sub(left), sent.saturating_sub(back));
    let delay = back.saturating_sub(left).saturating_sub(sent.saturating_sub(received));
    let mut conclusion = conclusion
        .finding("ntp.offset-ms", milliseconds(offset))
        .finding("ntp.delay-ms", milliseconds(delay.max(0)));
    if offset.saturating_abs() > TOLERANCE && conclusion.health == Health::Healthy {
        let (seconds, direction) = (offset.saturating_abs() / 1_000_000_000, way_off(offset));
        conclusion.health = Health::Degraded;
        conclusion.summary =
            format!("{}, {seconds} s {direction} this machine's clock", conclusion.summary);
    }
    conclusion
}

fn way_off(offset: i64) -> &'static str {
    if offset > 0 { "ahead of" } else { "behind" }
}

fn midpoint(a: i64, b: i64) -> i64 {
    i64::try_from((i128::from(a) + i128::from(b)) / 2).unwrap_or(i64::MAX)
}

/// With three decimals, because offsets on a local network are microseconds.
fn milliseconds(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let micros = nanos.unsigned_abs() / 1000;
    format!("{sign}{}.{:03}", micros / 1000, micros % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_written_in_milliseconds_with_their_sign() {
        assert_eq!(milliseconds(-1_234_567), "-1.234");
        assert_eq!(milliseconds(42_000), "0.042");
        assert_eq!(milliseconds(i64::MIN), "-9223372036854.775");
    }
}
