//! snmp: does an SNMP agent answer?
//!
//! **Confirms** an agent by a version 3 message with the message id that we
//! sent. **Sends** one engine discovery, 64 bytes: a GetRequest without user and
//! engine id, which every version 3 agent answers with a report. **Never** sends
//! a community or a user name, and reads no object. An agent that speaks only
//! versions 1 and 2c is silent without its community.
//!
//! Findings: `snmp.engine-id`, `snmp.enterprise` (the vendor's number), `snmp.boots`.
//!
//! References: RFC 3412 6 (message), RFC 3414 4 (discovery), RFC 3411 5 (engine id).

use portscan_plugin::{
    Answer, Conclusion, Endpoint, Metadata, Payload, PayloadError, Plugin, Settings, UdpProbe,
};
use portscan_plugin::{Cut, Reader, Writer};

/// The plugin.
pub struct Snmp;

impl Plugin for Snmp {
    fn describe() -> Metadata {
        Metadata::new("snmp", env!("CARGO_PKG_VERSION"), "SNMP agents (version 3 discovery)")
            .udp(161)
            .sends("an engine discovery without credentials", 1, 64)
            .silence_is_normal("agents of versions 1 and 2c answer only to their community")
    }
}

impl UdpProbe for Snmp {
    fn payloads(_: &Endpoint, seed: u64, _: &Settings) -> Result<Vec<Payload>, PayloadError> {
        Ok(vec![Payload { data: discovery(seed), label: "engine discovery".to_owned() }])
    }

    fn judge(_: &Endpoint, seed: u64, answer: &Answer, _: &Settings) -> Conclusion {
        match read(&answer.data, seed) {
            Ok(Some(agent)) => {
                let engine: String = agent.engine.iter().map(|b| format!("{b:02x}")).collect();
                Conclusion::confirmed("it answers engine discovery")
                    .healthy()
                    .finding("snmp.engine-id", engine)
                    .maybe_finding("snmp.enterprise", enterprise(agent.engine).map(i64::from))
                    .finding("snmp.boots", i64::from(agent.boots))
            }
            Ok(None) | Err(Cut { .. }) => {
                Conclusion::mismatch("it answered, but not as SNMP version 3 to our message")
            }
        }
    }
}

/// Message ids are positive (RFC 3412 6.2).
fn id(seed: u64) -> u32 {
    seed as u32 & 0x7fff_ffff
}

fn discovery(seed: u64) -> Vec<u8> {
    Writer::new()
        .put([0x30, 0x3e, 0x02, 0x01, 0x03])
        // Global data: id, largest message 65507, reportable, security model USM.
        .put([0x30, 0x11, 0x02, 0x04])
        .u32_be(id(seed))
        .put([0x02, 0x03, 0x00, 0xff, 0xe3, 0x04, 0x01, 0x04, 0x02, 0x01, 0x03])
        // Security parameters: everything empty.
        .put([0x04, 0x10, 0x30, 0x0e, 0x04, 0x00, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00])
        .put([0x04, 0x00, 0x04, 0x00, 0x04, 0x00])
        // A GetRequest without objects.
        .put([0x30, 0x14, 0x04, 0x00, 0x04, 0x00, 0xa0, 0x0e, 0x02, 0x04])
        .u32_be(id(seed))
        .put([0x02, 0x01, 0x00, 0x02, 0x01, 0x00, 0x30, 0x00])
        .finish()
}

struct Agent<'a> {
    engine: &'a [u8],
    boots: u32,
}

/// One BER element with this tag (X.690 8.1): lengths of up to two bytes.
fn element<'a>(reader: &mut Reader<'a>, tag: u8) -> Result<Option<&'a [u8]>, Cut> {
    if reader.u8()? != tag {
        return Ok(None);
    }
    let length = match reader.u8()? {
        short @ 0..=0x7f => usize::from(short),
        0x81 => usize::from(reader.u8()?),
        0x82 => usize::from(reader.u16_be()?),
        _ => return Ok(None),
    };
    reader.take(length).map(Some)
}

fn number(bytes: &[u8]) -> Option<u32> {
    (1..=4).contains(&bytes.len()).then(|| bytes.iter().fold(0, |n, b| n << 8 | u32::from(*b)))
}

fn read(bytes: &[u8], seed: u64) -> Result<Option<Agent<'_>>, Cut> {
    let mut whole = Reader::new(bytes);
    let Some(message) = element(&mut whole, 0x30)? else { return Ok(None) };
    let mut message = Reader::new(message);
    if element(&mut message, 0x02)? != Some(&[3]) {
        return Ok(None);
    }
    let Some(global) = element(&mut message, 0x30)? else { return Ok(None) };
    let answered = element(&mut Reader::new(global), 0x02)?.and_then(number);
    let Some(security) = element(&mut message, 0x04)? else { return Ok(None) };
    let Some(security) = element(&mut Reader::new(security), 0x30)? else { return Ok(None) };
    let mut security = Reader::new(security);
    let engine = element(&mut security, 0x04)?;
    let boots = element(&mut security, 0x02)?.and_then(number);
    match (answered == Some(id(seed)), engine, boots) {
        // RFC 3411 5: an engine id has 5 to 32 bytes.
        (true, Some(engine), Some(boots)) if (5..=32).contains(&engine.len()) => {
            Ok(Some(Agent { engine, boots }))
        }
        _ => Ok(None),
    }
}

/// The vendor's enterprise number: the first four bytes, without the first bit.
fn enterprise(engine: &[u8]) -> Option<u32> {
    Reader::new(engine).u32_be().ok().map(|number| number & 0x7fff_ffff)
}

portscan_plugin::export!(Snmp: udp_probe);
