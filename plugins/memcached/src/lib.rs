//! memcached: does a memcached server answer over UDP?
//!
//! **Confirms** a server by a frame with the request id that we sent and a
//! VERSION line. **Sends** `version` in one UDP frame, 17 bytes. **Never** asks
//! for `stats` or a key, which would amplify. UDP is off by default since
//! 1.5.6, so silence is normal; that it answers at all is a flaw: the port has
//! been used for amplification attacks.
//!
//! Findings: `memcached.version`.
//!
//! References: memcached's doc/protocol.txt, "UDP protocol".

use portscan_plugin::{
    Answer, Conclusion, Endpoint, Metadata, Payload, PayloadError, Plugin, Settings, UdpProbe,
};
use portscan_plugin::{Reader, Writer};

/// The plugin.
pub struct Memcached;

impl Plugin for Memcached {
    fn describe() -> Metadata {
        Metadata::new("memcached", env!("CARGO_PKG_VERSION"), "memcached servers over UDP")
            .udp(11211)
            .sends("the command `version` in a UDP frame", 1, 17)
            .silence_is_normal("memcached has UDP switched off by default")
    }
}

impl UdpProbe for Memcached {
    fn payloads(_: &Endpoint, seed: u64, _: &Settings) -> Result<Vec<Payload>, PayloadError> {
        Ok(vec![Payload { data: request(seed), label: "version".to_owned() }])
    }

    fn judge(_: &Endpoint, seed: u64, answer: &Answer, _: &Settings) -> Conclusion {
        match version(&answer.data, seed) {
            Some(version) => {
                Conclusion::confirmed("it answers over UDP, which strangers can abuse")
                    .degraded()
                    .finding("memcached.version", version)
            }
            None => Conclusion::mismatch("it answered, but not as memcached to our request"),
        }
    }
}

fn request(seed: u64) -> Vec<u8> {
    let frame = Writer::new().u16_be(seed as u16).u16_be(0).u16_be(1).u16_be(0);
    frame.put(b"version\r\n").finish()
}

fn version(bytes: &[u8], seed: u64) -> Option<String> {
    let mut reader = Reader::new(bytes);
    if reader.u16_be().ok()? != seed as u16 {
        return None;
    }
    // Sequence number, count of datagrams, reserved.
    reader.take(6).ok()?;
    let line = reader.rest().strip_prefix(b"VERSION ")?.strip_suffix(b"\r\n")?;
    let plain = !line.is_empty() && line.len() <= 64 && line.iter().all(u8::is_ascii_graphic);
    plain.then(|| String::from_utf8_lossy(line).into_owned())
}

portscan_plugin::export!(Memcached: udp_probe);
