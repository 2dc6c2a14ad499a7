//! ipmi: does a management controller answer?
//!
//! **Confirms** a controller by an ASF presence pong with the tag that we sent.
//! **Sends** one ASF presence ping, 12 bytes. **Never** opens a session and asks
//! for no account.
//!
//! Findings: `ipmi.supported`.
//!
//! References: ASF 2.0 3.2.4.2, 3.2.4.3; IPMI 2.0 13.1.

use portscan_plugin::Reader;
use portscan_plugin::{
    Answer, Conclusion, Endpoint, Metadata, Payload, PayloadError, Plugin, Settings, UdpProbe,
};

/// The plugin.
pub struct Ipmi;

impl Plugin for Ipmi {
    fn describe() -> Metadata {
        Metadata::new("ipmi", env!("CARGO_PKG_VERSION"), "management controllers (RMCP, IPMI)")
            .udp(623)
            .sends("an ASF presence ping", 1, 12)
    }
}

impl UdpProbe for Ipmi {
    fn payloads(_: &Endpoint, seed: u64, _: &Settings) -> Result<Vec<Payload>, PayloadError> {
        Ok(vec![Payload { data: ping(seed).to_vec(), label: "presence ping".to_owned() }])
    }

    fn judge(_: &Endpoint, seed: u64, answer: &Answer, _: &Settings) -> Conclusion {
        match supports_ipmi(&answer.data, seed) {
            Some(supported) => Conclusion::confirmed("a management controller answers")
                .healthy()
                .finding("ipmi.supported", supported),
            None => Conclusion::mismatch("it answered, but not with a presence pong to our ping"),
        }
    }
}

/// ASF's enterprise number (ASF 2.0 3.2.4.1).
const ASF: u32 = 4542;

/// Tags 0 and 255 have meanings of their own.
fn tag(seed: u64) -> u8 {
    (seed % 254) as u8 + 1
}

fn ping(seed: u64) -> [u8; 12] {
    let [a, b, c, d] = ASF.to_be_bytes();
    // RMCP: version 1.0, no acknowledgement, class ASF. Presence ping, no data.
    [0x06, 0x00, 0xff, 0x06, a, b, c, d, 0x80, tag(seed), 0x00, 0x00]
}

/// Whether the entity of a pong to our ping speaks IPMI.
fn supports_ipmi(bytes: &[u8], seed: u64) -> Option<bool> {
    let mut reader = Reader::new(bytes);
    let rmcp: [u8; 4] = reader.array().ok()?;
    let ours = rmcp[0] == 0x06
        && rmcp[3] == 0x06
        && reader.u32_be().ok()? == ASF
        && reader.u8().ok()? == 0x40
        && reader.u8().ok()? == tag(seed);
    let [_reserved, length] = reader.array().ok()?;
    if !ours || usize::from(length) > reader.rest().len() || length < 16 {
        return None;
    }
    // Enterprise number and OEM field, then the supported entities.
    reader.take(8).ok()?;
    Some(reader.u8().ok()? & 0x80 != 0)
}

portscan_plugin::export!(Ipmi: udp_probe);
