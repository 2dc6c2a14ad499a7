//! ntp: does a time server answer, and is its clock set?
//!
//! **Confirms** NTP by a server answer (mode 4) whose origin timestamp is the
//! random one that we sent: nobody who did not see our packet can make it up.
//!
//! **Sends** one client packet of 48 bytes, as probe and again as check (there
//! sent once more after a second): first byte `23` (no warning, version 4,
//! client), all else zero but the transmit timestamp, which is random and not
//! our clock. RFC 8915 and the data minimisation draft ask for that, and it
//! makes the answer unforgeable.
//!
//! **Never** sends mode 6 or 7 (control messages, amplifiers), and sets no clock.
//!
//! **Verdicts**
//! - confirmed and healthy: stratum 1 to 15, and the clock is set;
//! - confirmed and degraded: a kiss-o'-death (RATE, DENY or RSTR), it is there
//!   and wants no questions from us; or its clock and ours differ by more than a
//!   second;
//! - confirmed and unhealthy: it says that its clock is not set (leap indicator 3,
//!   or stratum 16, which most servers write as 0);
//! - mismatch: bytes came back that do not answer our packet.
//!
//! Findings: `ntp.stratum`, `ntp.version`, `ntp.reference`, `ntp.kiss-code`,
//! `ntp.root-distance-ms`, and from the check `ntp.offset-ms` (their clock minus
//! ours, wrong by at most half of `ntp.delay-ms`).
//!
//! Silence is a fault of the network, or the server's wish: `restrict ignore`
//! and chrony without `allow` answer nobody.
//!
//! References: RFC 5905 (7.3 packet, 7.4 kiss codes, 8 offset and delay),
//! RFC 8633 (good practice).

mod check;
mod packet;

use portscan_plugin::{
    Answer, Check, CheckError, Conclusion, Connection, Endpoint, Health, Metadata, Payload,
    PayloadError, Plugin, Settings, UdpProbe,
};

use packet::Packet;

/// The plugin.
pub struct Ntp;

impl Plugin for Ntp {
    fn describe() -> Metadata {
        Metadata::new(
            "ntp",
            env!("CARGO_PKG_VERSION"),
            "NTP servers: do they answer, is their clock set",
        )
        .udp(123)
        .sends("a client packet with a random transmit timestamp", 2, packet::LENGTH as u32)
        .silence_is_normal("NTP servers may be told to answer nobody but their clients")
    }
}

impl UdpProbe for Ntp {
    fn payloads(_: &Endpoint, seed: u64, _: &Settings) -> Result<Vec<Payload>, PayloadError> {
        Ok(vec![Payload { data: packet::question(stamp(seed)), label: "client packet".to_owned() }])
    }

    fn judge(_: &Endpoint, seed: u64, answer: &Answer, _: &Settings) -> Conclusion {
        match Packet::read(&answer.data, stamp(seed)) {
            Ok(packet) => conclude(&packet),
            Err(why) => mismatch(why),
        }
    }
}

impl Check for Ntp {
    fn run(
        connection: &mut Connection,
        _: &Endpoint,
        _: &Settings,
    ) -> Result<Conclusion, CheckError> {
        check::run(connection)
    }
}

/// The transmit timestamp of the probe. Zero means "unknown" to a server.
fn stamp(seed: u64) -> u64 {
    seed.max(1)
}

fn mismatch(why: &str) -> Conclusion {
    Conclusion::mismatch(format!("it answered, but not as NTP: {why}"))
}

/// Kiss codes by which a server refuses questions (RFC 5905 7.4). The others
/// (INIT, STEP, ...) say why its clock is not set.
const REFUSALS: [&str; 3] = ["DENY", "RSTR", "RATE"];

/// What an answer says about the server.
fn conclude(packet: &Packet) -> Conclusion {
    let reference = packet.reference();
    let refuses = packet.stratum == 0 && REFUSALS.contains(&reference.as_str());
    let (health, summary) = if refuses {
        (Health::Degraded, format!("it is there, and wants no questions from us ({reference})"))
    } else if packet.is_synchronised() {
        (Health::Healthy, format!("it tells the time, stratum {}", packet.stratum))
    } else {
        (Health::Unhealthy, "it answers that its clock is not set".to_owned())
    };
    let conclusion = Conclusion::confirmed(summary)
        .with_health(health)
        .finding("ntp.stratum", packet.stratum)
        .finding("ntp.version", packet.version);
    match packet.stratum {
        0 if reference.is_empty() => conclusion,
        0 => conclusion.finding("ntp.kiss-code", reference),
        _ => conclusion
            .finding("ntp.reference", reference)
            .finding("ntp.root-distance-ms", packet.root_distance_ms()),
    }
}

portscan_plugin::export!(Ntp: udp_probe + check);
