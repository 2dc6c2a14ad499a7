//! dtls: does a DTLS server answer?
//!
//! **Confirms** a server by a DTLS record of the first epoch that holds a
//! HelloVerifyRequest, a ServerHello or an alert. **Sends** one ClientHello
//! without a cookie. **Never** completes a handshake, so that a server that
//! asks for a cookie keeps no state.
//!
//! Findings: `dtls.answer` (`hello-verify-request`, `server-hello`, `alert`), `dtls.alert`.
//!
//! References: RFC 6347 4.1 (record), 4.2.1 (cookie), 4.2.2 (handshake), RFC 8446 4.2.

use portscan_plugin::{
    Answer, Conclusion, Endpoint, Metadata, Payload, PayloadError, Plugin, Settings, UdpProbe,
};
use portscan_plugin::{Cut, Reader, Writer};

/// The plugin.
pub struct Dtls;

impl Plugin for Dtls {
    fn describe() -> Metadata {
        Metadata::new("dtls", env!("CARGO_PKG_VERSION"), "DTLS servers")
            .udp(4433)
            .udp(5684)
            .sends("a ClientHello without a cookie", 1, 160)
            .amplification(portscan_plugin::Amplification::Large)
    }
}

impl UdpProbe for Dtls {
    fn payloads(_: &Endpoint, seed: u64, _: &Settings) -> Result<Vec<Payload>, PayloadError> {
        Ok(vec![Payload { data: hello(seed), label: "client hello".to_owned() }])
    }

    fn judge(_: &Endpoint, seed: u64, answer: &Answer, _: &Settings) -> Conclusion {
        let _ = seed;
        match read(&answer.data) {
            Ok(Some((kind, alert))) => Conclusion::confirmed("it answers DTLS handshakes")
                .healthy()
                .finding("dtls.answer", kind)
                .maybe_finding("dtls.alert", alert.map(i64::from)),
            Ok(None) | Err(Cut { .. }) => Conclusion::mismatch("it answered, but not as DTLS"),
        }
    }
}

fn hello(seed: u64) -> Vec<u8> {
    let random =
        [seed, !seed, seed.rotate_left(17), seed.rotate_left(41)].map(u64::to_be_bytes).concat();
    let extensions = Writer::new()
        // supported_groups: secp256r1, x25519.
        .u16_be(10)
        .u16_be(6)
        .u16_be(4)
        .u16_be(0x0017)
        .u16_be(0x001d)
        // ec_point_formats: uncompressed.
        .u16_be(11)
        .u16_be(2)
        .u8(1)
        .u8(0)
        // signature_algorithms: ECDSA and RSA with SHA-256, RSA-PSS.
        .u16_be(13)
        .u16_be(8)
        .u16_be(6)
        .u16_be(0x0403)
        .u16_be(0x0401)
        .u16_be(0x0804)
        .finish();
    let body = Writer::new()
        .u16_be(0xfefd)
        .put(random)
        // No session and no cookie.
        .u8(0)
        .u8(0)
        // ECDHE and RSA with AES-GCM and AES-CBC (RFC 5289, RFC 5246).
        .u16_be(12)
        .u16_be(0xc02b)
        .u16_be(0xc02f)
        .u16_be(0xc009)
        .u16_be(0xc013)
        .u16_be(0x009c)
        .u16_be(0x002f)
        .u8(1)
        .u8(0)
        .u16_be(extensions.len() as u16)
        .put(extensions)
        .finish();
    let [_, a, b, c] = (body.len() as u32).to_be_bytes();
    let handshake = Writer::new()
        .u8(1)
        .put([a, b, c])
        // Message 0, from its beginning, in one piece.
        .u16_be(0)
        .put([0, 0, 0, a, b, c])
        .put(body)
        .finish();
    Writer::new()
        .u8(22)
        .u16_be(0xfeff)
        // Epoch and sequence number.
        .put([0; 8])
        .u16_be(handshake.len() as u16)
        .put(handshake)
        .finish()
}

/// What the first record of an answer is, and the alert it carries.
fn read(bytes: &[u8]) -> Result<Option<(&'static str, Option<u8>)>, Cut> {
    let mut reader = Reader::new(bytes);
    let kind = reader.u8()?;
    let version = reader.u16_be()?;
    let epoch = reader.u16_be()?;
    reader.take(6)?;
    let mut record = Reader::new(reader.prefixed_u16_be()?);
    if !matches!(version, 0xfeff | 0xfefd) || epoch != 0 {
        return Ok(None);
    }
    match kind {
        21 => {
            let (level, description) = (record.u8()?, record.u8()?);
            let whole = record.is_at_end() && matches!(level, 1 | 2);
            Ok(whole.then_some(("alert", Some(description))))
        }
        22 => {
            let message = record.u8()?;
            let length: [u8; 3] = record.array()?;
            record.take(8)?;
            let fits = u32::from_be_bytes([0, length[0], length[1], length[2]]) as usize
                >= record.rest().len();
            Ok(match message {
                3 if fits => Some(("hello-verify-request", None)),
                2 if fits => Some(("server-hello", None)),
                _ => None,
            })
        }
        _ => Ok(None),
    }
}

portscan_plugin::export!(Dtls: udp_probe);
