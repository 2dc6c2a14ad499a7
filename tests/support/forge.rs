//! IP packets made by hand, with right checksums unless they are to be wrong.

use std::net::{IpAddr, SocketAddr};

use super::packet::{Family, ICMP, TCP, UDP};

/// The Internet checksum (RFC 1071) over the parts, each of even length but the last.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0u32;
    for part in parts {
        for pair in part.chunks(2) {
            sum += u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// The pseudo header that TCP, UDP and ICMPv6 sum with the segment
/// (RFC 9293 section 3.1, RFC 8200 section 8.1).
fn pseudo_header(source: IpAddr, target: IpAddr, protocol: u8, len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(40);
    match (source, target) {
        (IpAddr::V4(source), IpAddr::V4(target)) => {
            bytes.extend(source.octets());
            bytes.extend(target.octets());
            bytes.extend([0, protocol]);
            bytes.extend((len as u16).to_be_bytes());
        }
        (IpAddr::V6(source), IpAddr::V6(target)) => {
            bytes.extend(source.octets());
            bytes.extend(target.octets());
            bytes.extend((len as u32).to_be_bytes());
            bytes.extend([0, 0, 0, protocol]);
        }
        _ => panic!("a packet from {source} to {target} mixes families"),
    }
    bytes
}

/// Whether a hand-made checksum is to be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    Right,
    Wrong,
}

/// An IP packet around a transport segment. Its TTL is 61: three hops away.
fn ip_packet(source: IpAddr, target: IpAddr, protocol: u8, transport: &[u8]) -> Vec<u8> {
    const TTL: u8 = 61;
    let mut bytes = Vec::with_capacity(40 + transport.len());
    match (source, target) {
        (IpAddr::V4(source), IpAddr::V4(target)) => {
            bytes.extend([0x45, 0]);
            bytes.extend((20 + transport.len() as u16).to_be_bytes());
            bytes.extend([0, 0, 0, 0, TTL, protocol, 0, 0]);
            bytes.extend(source.octets());
            bytes.extend(target.octets());
            let sum = checksum(&[&bytes]);
            bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        (IpAddr::V6(source), IpAddr::V6(target)) => {
            bytes.extend([0x60, 0, 0, 0]);
            bytes.extend((transport.len() as u16).to_be_bytes());
            bytes.extend([protocol, TTL]);
            bytes.extend(source.octets());
            bytes.extend(target.octets());
        }
        _ => panic!("a packet from {source} to {target} mixes families"),
    }
    bytes.extend(transport);
    bytes
}

/// Puts the checksum at `at` of a transport segment and wraps it in IP.
fn sealed(
    source: IpAddr,
    target: IpAddr,
    protocol: u8,
    mut transport: Vec<u8>,
    at: usize,
    kind: Checksum,
) -> Vec<u8> {
    let mut sum = if protocol == ICMP {
        checksum(&[&transport])
    } else {
        checksum(&[&pseudo_header(source, target, protocol, transport.len()), &transport])
    };
    // In UDP, zero means "no checksum" (RFC 768).
    if sum == 0 && protocol == UDP {
        sum = 0xffff;
    }
    if kind == Checksum::Wrong {
        sum ^= 0x5a5a;
    }
    transport[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    ip_packet(source, target, protocol, &transport)
}

/// A TCP segment without data.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    pub flags: u8,
    pub sequence: u32,
    pub acknowledgement: u32,
    pub window: u16,
}

/// A TCP packet.
pub fn tcp(source: SocketAddr, target: SocketAddr, segment: Segment, sum: Checksum) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(20);
    bytes.extend(source.port().to_be_bytes());
    bytes.extend(target.port().to_be_bytes());
    bytes.extend(segment.sequence.to_be_bytes());
    bytes.extend(segment.acknowledgement.to_be_bytes());
    bytes.extend([5 << 4, segment.flags]);
    bytes.extend(segment.window.to_be_bytes());
    bytes.extend([0; 4]);
    sealed(source.ip(), target.ip(), TCP, bytes, 16, sum)
}

/// A UDP packet.
pub fn udp(source: SocketAddr, target: SocketAddr, payload: &[u8], sum: Checksum) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + payload.len());
    bytes.extend(source.port().to_be_bytes());
    bytes.extend(target.port().to_be_bytes());
    bytes.extend((8 + payload.len() as u16).to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(payload);
    sealed(source.ip(), target.ip(), UDP, bytes, 6, sum)
}

/// An ICMP or ICMPv6 error from `from` to `to` that quotes `quote`.
///
/// `info` is the second word of the header: the MTU of "fragmentation needed",
/// the pointer of a parameter problem, else 0.
pub fn icmp_error(
    from: IpAddr,
    to: IpAddr,
    kind: u8,
    code: u8,
    info: u32,
    quote: &[u8],
) -> Vec<u8> {
    // A message may quote as much as fits into the smallest MTU that every
    // link must carry (RFC 1812 section 4.3.2.3, RFC 4443 section 2.4).
    let quote = &quote[..quote.len().min(520)];
    let mut bytes = vec![kind, code, 0, 0];
    bytes.extend(info.to_be_bytes());
    bytes.extend(quote);
    sealed(from, to, Family::of(from).icmp(), bytes, 2, Checksum::Right)
}
