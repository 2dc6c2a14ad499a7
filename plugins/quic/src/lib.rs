//! quic: does a QUIC server answer?
//!
//! **Confirms** a server by a Version Negotiation packet that swaps the two
//! connection ids that we sent. **Sends** one long-header packet of 1200 bytes
//! with a version that is reserved to be unknown. **Never** begins a handshake;
//! the server keeps no state. Some servers drop unknown versions silently.
//!
//! Findings: `quic.versions`.
//!
//! References: RFC 9000 6.1 (version negotiation), 14.1 (1200 bytes), 15
//! (reserved versions), 17.2.1 (packet).

use portscan_plugin::{
    Answer, Conclusion, Endpoint, Metadata, Payload, PayloadError, Plugin, Settings, UdpProbe,
};
use portscan_plugin::{Cut, Reader, Writer};

/// The plugin.
pub struct Quic;

impl Plugin for Quic {
    fn describe() -> Metadata {
        Metadata::new("quic", env!("CARGO_PKG_VERSION"), "QUIC servers (HTTP/3, DNS)")
            .udp(443)
            .udp(853)
            .sends("a packet of a version that no server has", 1, LENGTH as u32)
            .silence_is_normal("some servers drop versions that they do not know")
    }
}

impl UdpProbe for Quic {
    fn payloads(_: &Endpoint, seed: u64, _: &Settings) -> Result<Vec<Payload>, PayloadError> {
        Ok(vec![Payload { data: packet(seed), label: "version negotiation".to_owned() }])
    }

    fn judge(_: &Endpoint, seed: u64, answer: &Answer, _: &Settings) -> Conclusion {
        match versions(&answer.data, seed) {
            Ok(Some(versions)) => Conclusion::confirmed("it answers and names its versions")
                .healthy()
                .finding("quic.versions", versions),
            Ok(None) | Err(Cut { .. }) => {
                Conclusion::mismatch("it answered, but not as QUIC to our packet")
            }
        }
    }
}

/// The least that a server may be asked to answer (RFC 9000 14.1).
const LENGTH: usize = 1200;

/// Of the form 0x?a?a?a?a, which forces negotiation (RFC 9000 15).
const UNKNOWN: u32 = 0x1a2a_3a4a;

fn destination(seed: u64) -> [u8; 8] {
    seed.to_be_bytes()
}

fn source(seed: u64) -> [u8; 8] {
    (!seed).to_be_bytes()
}

fn packet(seed: u64) -> Vec<u8> {
    let head = Writer::new().u8(0xc0).u32_be(UNKNOWN).u8(8).put(destination(seed));
    let mut packet = head.u8(8).put(source(seed)).finish();
    packet.resize(LENGTH, 0);
    packet
}

/// The versions of a negotiation packet that answers ours.
fn versions(bytes: &[u8], seed: u64) -> Result<Option<String>, Cut> {
    /// More than any server has.
    const MOST: usize = 64;
    let mut reader = Reader::new(bytes);
    let negotiates = reader.u8()? & 0x80 != 0 && reader.u32_be()? == 0;
    let ours = reader.prefixed_u8()? == source(seed) && reader.prefixed_u8()? == destination(seed);
    let count = reader.rest().len() / 4;
    let whole = reader.rest().len().is_multiple_of(4) && (1..=MOST).contains(&count);
    if !negotiates || !ours || !whole {
        return Ok(None);
    }
    let names = (0..count).map(|_| reader.u32_be().map(|version| format!("{version:#010x}")));
    Ok(Some(names.collect::<Result<Vec<_>, _>>()?.join(",")))
}

portscan_plugin::export!(Quic: udp_probe);
