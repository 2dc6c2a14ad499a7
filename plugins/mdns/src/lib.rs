//! mdns: does a multicast DNS responder answer a unicast question?
//!
//! **Confirms** a responder by a DNS response that carries our id (or none, as
//! RFC 6762 18.1 has it for multicast) and an answer. **Sends** one question for
//! the service types on offer, with the unicast bit. **Never** announces anything
//! and sends no multicast. Responders ignore strangers from other links, so
//! silence is normal.
//!
//! Findings: `mdns.answers`.
//!
//! References: RFC 6762 5.4 (unicast questions), 11 (source address), RFC 6763 9.

use portscan_plugin::{
    Answer, Conclusion, Endpoint, Metadata, Payload, PayloadError, Plugin, Settings, UdpProbe,
};
use portscan_plugin::{Cut, Reader, Writer};

/// The plugin.
pub struct Mdns;

impl Plugin for Mdns {
    fn describe() -> Metadata {
        Metadata::new("mdns", env!("CARGO_PKG_VERSION"), "multicast DNS responders")
            .udp(5353)
            .sends("a question for the service types on offer", 1, 46)
            .silence_is_normal("multicast DNS answers only neighbours on its own link")
    }
}

impl UdpProbe for Mdns {
    fn payloads(_: &Endpoint, seed: u64, _: &Settings) -> Result<Vec<Payload>, PayloadError> {
        Ok(vec![Payload { data: question(seed), label: "service types".to_owned() }])
    }

    fn judge(_: &Endpoint, seed: u64, answer: &Answer, _: &Settings) -> Conclusion {
        match read(&answer.data, seed) {
            Ok(Some(answers)) => Conclusion::confirmed("it answers multicast DNS questions")
                .healthy()
                .finding("mdns.answers", i64::from(answers)),
            Ok(None) | Err(Cut { .. }) => {
                Conclusion::mismatch("it answered, but not as multicast DNS to our question")
            }
        }
    }
}

const NAME: &[u8] = b"\x09_services\x07_dns-sd\x04_udp\x05local\0";

fn question(seed: u64) -> Vec<u8> {
    let head = Writer::new().u16_be(seed as u16).u16_be(0).u16_be(1).u16_be(0).u16_be(0).u16_be(0);
    // PTR, class IN with the unicast-response bit (RFC 6762 5.4).
    head.put(NAME).u16_be(12).u16_be(0x8001).finish()
}

fn read(bytes: &[u8], seed: u64) -> Result<Option<u16>, Cut> {
    let mut reader = Reader::new(bytes);
    let id = reader.u16_be()?;
    let flags = reader.u16_be()?;
    let questions = reader.u16_be()?;
    let answers = reader.u16_be()?;
    reader.take(4)?;
    // Without a question of ours in it, only the id or the name shows whose it is.
    let ours = id == seed as u16 || id == 0 && questions == 0;
    let name = reader.take(NAME.len())? == NAME;
    Ok((ours && name && flags & 0x8000 != 0 && questions <= 1).then_some(answers))
}

portscan_plugin::export!(Mdns: udp_probe);
