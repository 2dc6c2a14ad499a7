//! netbios-ns: does a NetBIOS name service answer?
//!
//! **Confirms** a host by a node status response with the id that we sent.
//! **Sends** one node status request for the wildcard name, 50 bytes. **Never**
//! registers or releases a name.
//!
//! Findings: `netbios.names` (how many), `netbios.name` (the first).
//!
//! References: RFC 1002 4.2.17 (request), 4.2.18 (response), RFC 1001 14.1 (encoding).

use portscan_plugin::{
    Answer, Conclusion, Endpoint, Metadata, Payload, PayloadError, Plugin, Settings, UdpProbe,
};
use portscan_plugin::{Cut, Reader, Writer};

/// The plugin.
pub struct NetbiosNs;

impl Plugin for NetbiosNs {
    fn describe() -> Metadata {
        Metadata::new("netbios-ns", env!("CARGO_PKG_VERSION"), "NetBIOS name services")
            .udp(137)
            .sends("a node status request for the wildcard name", 1, 50)
            .amplification(portscan_plugin::Amplification::Small)
    }
}

impl UdpProbe for NetbiosNs {
    fn payloads(_: &Endpoint, seed: u64, _: &Settings) -> Result<Vec<Payload>, PayloadError> {
        Ok(vec![Payload { data: request(seed), label: "node status request".to_owned() }])
    }

    fn judge(_: &Endpoint, seed: u64, answer: &Answer, _: &Settings) -> Conclusion {
        match read(&answer.data, seed) {
            Ok(Some((names, first))) => Conclusion::confirmed("it answers node status requests")
                .healthy()
                .finding("netbios.names", i64::from(names))
                .maybe_finding("netbios.name", first),
            Ok(None) | Err(Cut { .. }) => Conclusion::mismatch(
                "it answered, but not as a NetBIOS name service to our request",
            ),
        }
    }
}

/// The wildcard `*` and fifteen zero bytes, a letter for each half byte (RFC 1001 14.1).
const WILDCARD: &[u8; 34] = b"\x20CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\0";

/// Record type NBSTAT (RFC 1002 4.2.1.3).
const NBSTAT: u16 = 0x0021;

fn request(seed: u64) -> Vec<u8> {
    let head = Writer::new().u16_be(seed as u16).u16_be(0).u16_be(1).u16_be(0).u16_be(0).u16_be(0);
    head.put(WILDCARD).u16_be(NBSTAT).u16_be(1).finish()
}

/// Number of names and the first of them; none when it is no answer to us.
fn read(bytes: &[u8], seed: u64) -> Result<Option<(u8, Option<String>)>, Cut> {
    let mut reader = Reader::new(bytes);
    let id = reader.u16_be()?;
    let is_response = reader.u16_be()? & 0x8000 != 0;
    let counts: [u8; 8] = reader.array()?;
    let one_answer = counts[2..4] == [0, 1];
    let name = reader.take(WILDCARD.len())?;
    let kind = reader.u16_be()?;
    if id != seed as u16 || !is_response || !one_answer || name != WILDCARD || kind != NBSTAT {
        return Ok(None);
    }
    // Class, time to live, length.
    reader.take(2 + 4 + 2)?;
    let names = reader.u8()?;
    let first = reader.take(15).ok().map(|name| {
        let text: String =
            name.iter().map(|b| char::from(*b)).filter(|c| c.is_ascii_graphic()).collect();
        text
    });
    Ok(Some((names, first.filter(|_| names > 0))))
}

portscan_plugin::export!(NetbiosNs: udp_probe);
