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
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
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
