//! tftp: does a TFTP server answer?
//!
//! **Confirms** a server by an ERROR or DATA packet to a read request. **Sends**
//! one read request for a file with a random name that no server has. **Never**
//! writes, and acknowledges nothing. The answer comes from a new port of the
//! server, which a firewall must let through as well.
//!
//! Findings: `tftp.error` (the code), `tftp.message`.
//!
//! References: RFC 1350 4 (transfer ids), 5 (packets).

use portscan_plugin::Reader;
use portscan_plugin::{
    Answer, Conclusion, Endpoint, Metadata, Payload, PayloadError, Plugin, Settings, UdpProbe,
};

/// The plugin.
pub struct Tftp;

impl Plugin for Tftp {
    fn describe() -> Metadata {
        Metadata::new("tftp", env!("CARGO_PKG_VERSION"), "TFTP servers")
            .udp(69)
            .sends("a read request for a file that does not exist", 1, 34)
            .leaves(portscan_plugin::SideEffect::LogLine)
            .replies_from_any_port()
    }
}

impl UdpProbe for Tftp {
    fn payloads(_: &Endpoint, seed: u64, _: &Settings) -> Result<Vec<Payload>, PayloadError> {
        Ok(vec![Payload { data: request(seed), label: "read request".to_owned() }])
    }

    fn judge(_: &Endpoint, seed: u64, answer: &Answer, _: &Settings) -> Conclusion {
        let _ = seed;
        match read(&answer.data) {
            Some(Packet::Error(code, message)) => {
                Conclusion::confirmed(format!("it answers read requests (error {code})"))
                    .healthy()
                    .finding("tftp.error", i64::from(code))
                    .finding("tftp.message", message)
            }
            Some(Packet::Data) => Conclusion::confirmed("it serves a file of any name").degraded(),
            None => Conclusion::mismatch("it answered, but not as TFTP"),
        }
    }
}

fn request(seed: u64) -> Vec<u8> {
    format!("\0\x01portscan-{seed:016x}\0octet\0").into_bytes()
}

enum Packet {
    Error(u16, String),
    Data,
}

fn read(bytes: &[u8]) -> Option<Packet> {
    /// Error codes that RFC 1350 and RFC 2347 assign.
    const LAST_CODE: u16 = 8;
    let mut reader = Reader::new(bytes);
    match reader.u16_be().ok()? {
        // The first block, of at most 512 bytes.
        3 => (reader.u16_be().ok()? == 1 && reader.rest().len() <= 512).then_some(Packet::Data),
        5 => {
            let code = reader.u16_be().ok().filter(|code| *code <= LAST_CODE)?;
            let message = reader.until(0).ok()?;
            let plain = message.iter().all(|b| !b.is_ascii_control());
            (plain && reader.is_at_end())
                .then(|| Packet::Error(code, String::from_utf8_lossy(message).into_owned()))
        }
        _ => None,
    }
}

portscan_plugin::export!(Tftp: udp_probe);
