//! IP packets as bytes: read them, and make them by hand with right checksums.
//!
//! Only what the worlds need: IPv4 without options, IPv6 without extension
//! headers, TCP, UDP and the error messages of ICMP (RFC 792) and ICMPv6
//! (RFC 4443). Link headers are not here: the wire is a TUN device and the
//! witness a cooked packet socket, so both see packets that start at IP.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// IPv4 and ICMP, or IPv6 and ICMPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    /// Every scenario is built in both.
    pub const BOTH: [Family; 2] = [Family::V4, Family::V6];

    /// The family of an address.
    pub fn of(ip: IpAddr) -> Family {
        if ip.is_ipv4() { Family::V4 } else { Family::V6 }
    }

    /// Bytes of an IP header without options.
    pub fn header_len(self) -> usize {
        match self {
            Family::V4 => 20,
            Family::V6 => 40,
        }
    }

    /// The protocol number of the family's ICMP.
    pub fn icmp(self) -> u8 {
        match self {
            Family::V4 => ICMP,
            Family::V6 => ICMPV6,
        }
    }

    /// The word that `nft` and `ip` use for the family.
    pub fn keyword(self) -> &'static str {
        match self {
            Family::V4 => "ip",
            Family::V6 => "ip6",
        }
    }
}

/// Protocol numbers (IANA).
pub const ICMP: u8 = 1;
/// TCP's protocol number.
pub const TCP: u8 = 6;
/// UDP's protocol number.
pub const UDP: u8 = 17;
/// ICMPv6's protocol number.
pub const ICMPV6: u8 = 58;

/// TCP flag bits (RFC 9293, section 3.1).
pub const FIN: u8 = 0x01;
/// Synchronise.
pub const SYN: u8 = 0x02;
/// Reset.
pub const RST: u8 = 0x04;
/// Acknowledge.
pub const ACK: u8 = 0x10;

/// A packet as it was read, with the places of its parts.
#[derive(Clone, PartialEq, Eq)]
pub struct Packet {
    pub bytes: Vec<u8>,
    pub family: Family,
    pub source: IpAddr,
    pub target: IpAddr,
    pub protocol: u8,
    pub ttl: u8,
    transport_at: usize,
}

impl Packet {
    /// Reads a packet that starts at its IP header. None for anything that is
    /// not IP, is cut inside the IP header, or is a later fragment.
    pub fn read(bytes: &[u8]) -> Option<Packet> {
        match bytes.first()? >> 4 {
            4 => Packet::read_v4(bytes),
            6 => Packet::read_v6(bytes),
            _ => None,
        }
    }

    fn read_v4(bytes: &[u8]) -> Option<Packet> {
        let header = bytes.get(..20)?;
        let transport_at = usize::from(header[0] & 15) * 4;
        let fragment = u16::from_be_bytes([header[6], header[7]]) & 0x1fff;
        if transport_at < 20 || fragment != 0 {
            return None;
        }
        let address = |at: usize| -> IpAddr {
            Ipv4Addr::new(header[at], header[at + 1], header[at + 2], header[at + 3]).into()
        };
        Some(Packet {
            family: Family::V4,
            source: address(12),
            target: address(16),
            protocol: header[9],
            ttl: header[8],
            transport_at,
            bytes: bytes.to_vec(),
        })
    }

    fn read_v6(bytes: &[u8]) -> Option<Packet> {
        let header = bytes.get(..40)?;
        let address = |at: usize| -> Option<IpAddr> {
            let octets: [u8; 16] = header.get(at..at + 16)?.try_into().ok()?;
            Some(Ipv6Addr::from(octets).into())
        };
        Some(Packet {
            family: Family::V6,
            source: address(8)?,
            target: address(24)?,
            protocol: header[6],
            ttl: header[7],
            transport_at: 40,
            bytes: bytes.to_vec(),
        })
    }

    /// Everything after the IP header.
    pub fn transport(&self) -> &[u8] {
        self.bytes.get(self.transport_at..).unwrap_or_default()
    }

    /// Source and target port, for TCP and UDP.
    pub fn ports(&self) -> Option<(u16, u16)> {
        let head = self.transport().get(..4)?;
        matches!(self.protocol, TCP | UDP).then(|| {
            (u16::from_be_bytes([head[0], head[1]]), u16::from_be_bytes([head[2], head[3]]))
        })
    }

    /// Where the packet comes from, port included.
    pub fn source_socket(&self) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.source, self.ports()?.0))
    }

    /// Where the packet goes to, port included.
    pub fn target_socket(&self) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.target, self.ports()?.1))
    }

    /// TCP's flag bits.
    pub fn flags(&self) -> Option<u8> {
        (self.protocol == TCP).then(|| self.transport().get(13).copied()).flatten()
    }

    /// TCP's sequence number.
    pub fn sequence(&self) -> u32 {
        self.word(4)
    }

    /// TCP's acknowledgement number.
    pub fn acknowledgement(&self) -> u32 {
        self.word(8)
    }

    fn word(&self, at: usize) -> u32 {
        self.transport().get(at..at + 4).map_or(0, |b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
    }

    /// A connection request: SYN without ACK.
    pub fn is_syn(&self) -> bool {
        self.flags().is_some_and(|f| f & (SYN | ACK | RST) == SYN)
    }

    /// UDP's payload.
    pub fn payload(&self) -> &[u8] {
        self.transport().get(8..).unwrap_or_default()
    }

    /// Type and code, for an ICMP *error* (not an echo, not neighbour discovery).
    pub fn icmp_error(&self) -> Option<(u8, u8)> {
        let head = self.transport().get(..2)?;
        let is_error = match self.family {
            Family::V4 => self.protocol == ICMP && matches!(head[0], 3 | 4 | 5 | 11 | 12),
            Family::V6 => self.protocol == ICMPV6 && head[0] < 128,
        };
        is_error.then_some((head[0], head[1]))
    }

    /// The packet that an ICMP error quotes, as much of it as there is.
    pub fn quoted(&self) -> Option<Packet> {
        self.icmp_error()?;
        Packet::read(self.transport().get(8..)?)
    }
}

impl fmt::Debug for Packet {
    /// One line, in the way of tcpdump.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (source, target) = (self.source, self.target);
        if let Some((kind, code)) = self.icmp_error() {
            write!(f, "{source} > {target}: icmp {kind}/{code}")?;
            if let Some(quoted) = self.quoted() {
                write!(f, " about [{quoted:?}]")?;
            }
            return Ok(());
        }
        let Some((from, to)) = self.ports() else {
            return write!(f, "{source} > {target}: protocol {}", self.protocol);
        };
        match self.flags() {
            Some(flags) => {
                let names: String = [(SYN, 'S'), (ACK, 'A'), (RST, 'R'), (FIN, 'F')]
                    .iter()
                    .filter(|(bit, _)| flags & bit != 0)
                    .map(|(_, name)| name)
                    .collect();
                write!(f, "{source}.{from} > {target}.{to}: tcp {names} ttl {}", self.ttl)
            }
            None if self.protocol == TCP => write!(f, "{source}.{from} > {target}.{to}: tcp (cut)"),
            None => {
                write!(f, "{source}.{from} > {target}.{to}: udp {} bytes", self.payload().len())
            }
        }
    }
}

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
