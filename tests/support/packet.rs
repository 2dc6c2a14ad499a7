//! IP packets as bytes, read. ([`forge`](super::forge) makes them.)
//!
//! Only what the worlds need: IPv4, IPv6 without extension headers, TCP, UDP and the error messages of ICMP (RFC 792) and ICMPv6
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
