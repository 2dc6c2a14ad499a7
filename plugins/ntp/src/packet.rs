//! The NTP packet. RFC 5905 section 7.3.

use std::net::Ipv4Addr;

use portscan_plugin::{Cut, Reader, Writer};

/// Bytes of a packet without extensions.
pub const LENGTH: usize = 48;

/// Seconds from the NTP era's beginning in 1900 to 1970.
const UNIX_EPOCH: i128 = 2_208_988_800;

/// A client's question with this transmit timestamp.
pub fn question(transmit: u64) -> Vec<u8> {
    const VERSION_4_CLIENT: u8 = 4 << 3 | 3;
    Writer::new().u8(VERSION_4_CLIENT).put([0; 39]).u64_be(transmit).finish()
}

/// A server's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// 3 means that the clock is not set.
    leap: u8,
    /// Protocol version.
    pub version: u8,
    /// 0 kiss-o'-death, 1 has a reference clock, 2 to 15 has it from others, 16 not set.
    pub stratum: u8,
    root_delay: u32,
    root_dispersion: u32,
    reference_id: [u8; 4],
    /// When our question came in, by the server's clock.
    pub receive: u64,
    /// When the answer went out, by the server's clock.
    pub transmit: u64,
}

impl Packet {
    /// Reads the answer to the question with the timestamp `asked`. Extensions
    /// and a MAC may follow the packet. The error says what it is not.
    pub fn read(bytes: &[u8], asked: u64) -> Result<Packet, &'static str> {
        let (packet, mode, origin) = read(bytes).map_err(|_| "it is shorter than 48 bytes")?;
        if mode != 4 {
            return Err("it is not a server's packet");
        }
        if !(1..=4).contains(&packet.version) {
            return Err("its version does not exist");
        }
        if origin != asked {
            return Err("it does not repeat our timestamp");
        }
        Ok(packet)
    }

    /// Whether the server calls its own clock set.
    pub fn is_synchronised(&self) -> bool {
        self.leap != 3 && (1..16).contains(&self.stratum)
    }

    /// Where the time comes from: a code (stratum 0 and 1), an address, or a hash.
    pub fn reference(&self) -> String {
        match self.stratum {
            0 | 1 => self
                .reference_id
                .iter()
                .take_while(|byte| **byte != 0)
                .map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '?' })
                .collect(),
            // Of an IPv6 server it is a hash that looks like an IPv4 address.
            _ => Ipv4Addr::from(self.reference_id).to_string(),
        }
    }

    /// Greatest error of the server's clock: half the delay to the reference
    /// clock, and the dispersion. In milliseconds, rounded up.
    pub fn root_distance_ms(&self) -> i64 {
        let short = u64::from(self.root_delay) / 2 + u64::from(self.root_dispersion);
        i64::try_from((short * 1000).div_ceil(1 << 16)).unwrap_or(i64::MAX)
    }
}

fn read(bytes: &[u8]) -> Result<(Packet, u8, u64), Cut> {
    let mut reader = Reader::new(bytes);
    let first = reader.u8()?;
    let stratum = reader.u8()?;
    let _poll_and_precision = reader.take(2)?;
    let root_delay = reader.u32_be()?;
    let root_dispersion = reader.u32_be()?;
    let reference_id = reader.array()?;
    let _reference_time = reader.u64_be()?;
    let origin = reader.u64_be()?;
    let packet = Packet {
        leap: first >> 6,
        version: first >> 3 & 7,
        stratum,
        root_delay,
        root_dispersion,
        reference_id,
        receive: reader.u64_be()?,
        transmit: reader.u64_be()?,
    };
    Ok((packet, first & 7, origin))
}

/// A timestamp as nanoseconds since 1970, in the era that is nearest to `near`:
/// the 32 bits of seconds come round in 2036 (RFC 5905 section 6).
pub fn unix_nanos(timestamp: u64, near: i64) -> i64 {
    const SECOND: i128 = 1_000_000_000;
    const ERA: i128 = SECOND << 32;
    let (seconds, fraction) = (i128::from(timestamp >> 32), i128::from(timestamp & 0xffff_ffff));
    let first_era = (seconds - UNIX_EPOCH) * SECOND + ((fraction * SECOND) >> 32);
    let eras = (i128::from(near) - first_era + ERA / 2).div_euclid(ERA);
    i64::try_from(first_era + eras * ERA).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_is_48_bytes_with_our_stamp_at_the_end() {
        let question = question(0x0102_0304_0506_0708);
        assert_eq!((question.len(), question[0]), (LENGTH, 0x23));
        assert!(question[1..40].iter().all(|byte| *byte == 0));
        assert_eq!(question[40..], [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn a_timestamp_of_the_next_era_is_read_as_such() {
        // RFC 5905 figure 4: 2036-02-07 06:28:16 is era 1, second 0.
        let rollover = (4_294_967_296 - 2_208_988_800) * 1_000_000_000;
        assert_eq!(unix_nanos(0, rollover + 5), rollover);
        assert_eq!(unix_nanos(u64::MAX, rollover + 5), rollover - 1);
        assert_eq!(unix_nanos(2_208_988_800 << 32 | 1 << 31, 0), 500_000_000);
    }

    #[test]
    fn the_distance_counts_half_the_delay_and_the_dispersion() {
        let mut bytes = question(7);
        bytes[0] = 0x24;
        bytes[1] = 2;
        bytes[4..12].copy_from_slice(&[0, 1, 0, 0, 0, 0, 0x80, 0]);
        bytes[24..32].copy_from_slice(&7_u64.to_be_bytes());
        assert_eq!(Packet::read(&bytes, 7).map(|packet| packet.root_distance_ms()), Ok(1000));
    }
}
