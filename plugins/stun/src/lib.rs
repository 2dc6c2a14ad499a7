//! stun: does a STUN or TURN server answer, and which address does it see?
//!
//! **Confirms** a server by a Binding response with the transaction id that we
//! sent. **Sends** one 20-byte Binding request with a random id, no attribute.
//! **Never** allocates a relay and sends no credential.
//!
//! Findings: `stun.mapped-address`, the address that the server sees us come
//! from: another one than ours is proof of address translation on the way.
//!
//! References: RFC 8489 5 (header), 14.1, 14.2 (mapped addresses).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use portscan_plugin::{
    Answer, Conclusion, Endpoint, Metadata, Payload, PayloadError, Plugin, Settings, UdpProbe,
};
use portscan_plugin::{Cut, Reader, Writer};

/// The plugin.
pub struct Stun;

impl Plugin for Stun {
    fn describe() -> Metadata {
        Metadata::new("stun", env!("CARGO_PKG_VERSION"), "STUN and TURN servers").udp(3478).sends(
            "a Binding request with a random id",
            1,
            20,
        )
    }
}

impl UdpProbe for Stun {
    fn payloads(_: &Endpoint, seed: u64, _: &Settings) -> Result<Vec<Payload>, PayloadError> {
        Ok(vec![Payload { data: request(seed), label: "binding request".to_owned() }])
    }

    fn judge(_: &Endpoint, seed: u64, answer: &Answer, _: &Settings) -> Conclusion {
        match read(&answer.data, seed) {
            Ok(Some(mapped)) => {
                let mapped = mapped.map(|address| address.to_string());
                Conclusion::confirmed("it answers Binding requests")
                    .healthy()
                    .maybe_finding("stun.mapped-address", mapped)
            }
            Ok(None) | Err(Cut { .. }) => {
                Conclusion::mismatch("it answered, but not as STUN to our request")
            }
        }
    }
}

/// The magic cookie (RFC 8489 5).
const COOKIE: u32 = 0x2112_A442;

fn id(seed: u64) -> [u8; 12] {
    let mut id = *b"........scan";
    id[..8].copy_from_slice(&seed.to_be_bytes());
    id
}

fn request(seed: u64) -> Vec<u8> {
    Writer::new().u16_be(0x0001).u16_be(0).u32_be(COOKIE).put(id(seed)).finish()
}

/// The mapped address of a response to our request; none when it is something else.
fn read(bytes: &[u8], seed: u64) -> Result<Option<Option<SocketAddr>>, Cut> {
    let mut reader = Reader::new(bytes);
    let kind = reader.u16_be()?;
    let length = usize::from(reader.u16_be()?);
    let ours = reader.u32_be()? == COOKIE && reader.array::<12>()? == id(seed);
    // Success and error responses of the Binding method.
    if !ours || !matches!(kind, 0x0101 | 0x0111) {
        return Ok(None);
    }
    let mut attributes = Reader::new(reader.take(length)?);
    let mut mapped = None;
    while !attributes.is_at_end() {
        let attribute = attributes.u16_be()?;
        let size = usize::from(attributes.u16_be()?);
        let value = attributes.take(size)?;
        // Attributes are padded to four bytes; the last one may lack it.
        let padding = (4 - size % 4) % 4;
        let _ = attributes.take(padding.min(attributes.rest().len()))?;
        match attribute {
            0x0020 => mapped = address(value, COOKIE.to_be_bytes(), id(seed)).or(mapped),
            0x0001 => mapped = mapped.or(address(value, [0; 4], [0; 12])),
            _ => {}
        }
    }
    Ok(Some(mapped))
}

/// A (XOR-)MAPPED-ADDRESS.
fn address(value: &[u8], cookie: [u8; 4], id: [u8; 12]) -> Option<SocketAddr> {
    let mut mask = [0u8; 16];
    mask[..4].copy_from_slice(&cookie);
    mask[4..].copy_from_slice(&id);
    let mut reader = Reader::new(value);
    let (_, family) = (reader.u8().ok()?, reader.u8().ok()?);
    let port = reader.u16_be().ok()? ^ u16::from_be_bytes([cookie[0], cookie[1]]);
    let ip = match family {
        1 => {
            let mut octets: [u8; 4] = reader.array().ok()?;
            octets.iter_mut().zip(mask).for_each(|(octet, mask)| *octet ^= mask);
            IpAddr::V4(Ipv4Addr::from(octets))
        }
        2 => {
            let mut octets: [u8; 16] = reader.array().ok()?;
            octets.iter_mut().zip(mask).for_each(|(octet, mask)| *octet ^= mask);
            IpAddr::V6(Ipv6Addr::from(octets))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

portscan_plugin::export!(Stun: udp_probe);
