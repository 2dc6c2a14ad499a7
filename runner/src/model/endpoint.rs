use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

/// The transport protocol of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// TCP, RFC 9293.
    Tcp,
    /// UDP, RFC 768.
    Udp,
}

impl Transport {
    /// The name as it is typed after the slash and printed: `tcp`, `udp`.
    pub fn name(self) -> &'static str {
        match self {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        }
    }

    /// UDP for TCP, and TCP for UDP.
    pub fn other(self) -> Transport {
        match self {
            Transport::Tcp => Transport::Udp,
            Transport::Udp => Transport::Tcp,
        }
    }

    /// A port of it as a command line takes it: `80`, `53/udp`.
    pub fn typed(self, port: u16) -> String {
        match self {
            Transport::Tcp => port.to_string(),
            Transport::Udp => format!("{port}/udp"),
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Which addresses of a name are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Both families.
    #[default]
    Any,
    /// IPv4 only.
    Ipv4,
    /// IPv6 only.
    Ipv6,
}

impl Family {
    /// The family of one address; never [`Family::Any`].
    pub fn of(address: IpAddr) -> Family {
        match address {
            IpAddr::V4(_) => Family::Ipv4,
            IpAddr::V6(_) => Family::Ipv6,
        }
    }

    /// Whether an address of the family `other` is wanted.
    pub fn allows(self, other: Family) -> bool {
        self == Family::Any || other == Family::Any || self == other
    }

    /// The printed name.
    pub fn name(self) -> &'static str {
        match self {
            Family::Any => "IPv4 or IPv6",
            Family::Ipv4 => "IPv4",
            Family::Ipv6 => "IPv6",
        }
    }
}

/// One address, port and transport: the unit of a result.
///
/// The address is never an IPv4-mapped IPv6 one: such a target is an IPv4
/// target, and an `AF_INET6` socket would report its ICMPv4 errors elsewhere.
/// A link-local address carries its zone in the socket address' scope id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// Address, zone and port.
    pub socket: SocketAddr,
    /// How to talk to it.
    pub transport: Transport,
}

impl Endpoint {
    /// An endpoint at `socket`, with an IPv4-mapped address unmapped.
    pub fn new(socket: SocketAddr, transport: Transport) -> Endpoint {
        let socket = match socket.ip().to_canonical() {
            IpAddr::V4(v4) => SocketAddr::new(IpAddr::V4(v4), socket.port()),
            IpAddr::V6(_) => socket,
        };
        Endpoint { socket, transport }
    }

    /// The address without port and zone.
    pub fn ip(&self) -> IpAddr {
        self.socket.ip()
    }

    /// The port number.
    pub fn port(&self) -> u16 {
        self.socket.port()
    }

    /// The same address and transport at another port.
    pub fn with_port(&self, port: u16) -> Endpoint {
        let mut socket = self.socket;
        socket.set_port(port);
        Endpoint { socket, transport: self.transport }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.socket, self.transport)
    }
}
