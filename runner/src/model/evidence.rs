use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::{IcmpError, Moment};

/// What came back for one attempt, or that the attempt never left.
///
/// Silence is not a signal: it is the absence of observations for attempts
/// that were sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// The TCP handshake completed; `reset` when a RST followed at once.
    Connected {
        /// The peer reset the connection before we looked.
        reset: bool,
    },
    /// RST to our SYN: refused, with an empty error queue.
    Refused,
    /// A datagram, from the endpoint or from elsewhere.
    Answer {
        /// Who sent it.
        from: SocketAddr,
        /// Its bytes, cut to what a judge may see.
        bytes: Vec<u8>,
    },
    /// An ICMP error that quotes our packet.
    Icmp(IcmpError),
    /// An error number without an ICMP error behind it: the network said no
    /// and the kernel kept nothing but this (an old kernel, a full queue).
    Errno {
        /// The operating system's error number.
        errno: i32,
    },
    /// This machine refused to send. Nothing left.
    Local {
        /// The operating system's error number.
        errno: i32,
    },
    /// A connection to ourselves: source and target port coincided on an
    /// address of this machine. Not a listener; the attempt says nothing.
    SelfConnect,
}

/// One signal, with the attempt it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Which attempt, counted from 0.
    pub attempt: u8,
    /// When that attempt was sent.
    pub sent: Moment,
    /// When the signal arrived.
    pub at: Moment,
    /// The path's own measure, where the kernel has one (TCP_INFO), without
    /// our scheduling delay.
    pub rtt: Option<Duration>,
    /// The kernel had sent the packet again by then, so that the time since
    /// `sent` says nothing about the round trip (Karn's algorithm).
    pub repeated: bool,
    /// What arrived.
    pub signal: Signal,
}

/// Who a sender is, seen from this machine.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The address that was probed.
    Target,
    /// Somebody else on the way.
    Router,
    /// An address of this very machine.
    #[serde(rename = "self")]
    Own,
}

impl Role {
    /// The JSON value.
    pub fn name(self) -> &'static str {
        match self {
            Role::Target => "target",
            Role::Router => "router",
            Role::Own => "self",
        }
    }
}

/// What the control probes of this peer and transport said: ports that nobody
/// uses, probed beside silent (or suspiciously open) ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// The control port was refused (RST, or port-unreachable for UDP): the
    /// target answers for ports without a rule, so the silence is this port's.
    Closed,
    /// An ICMP error or a rule answered for the control port.
    Rejected,
    /// The control port was silent too.
    Silent,
    /// The control port was open: something answers for everything.
    Open,
}

impl Control {
    /// The JSON value.
    pub fn name(self) -> &'static str {
        match self {
            Control::Closed => "closed",
            Control::Rejected => "rejected",
            Control::Silent => "silent",
            Control::Open => "open",
        }
    }
}

/// What kind of bytes a UDP endpoint was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadKind {
    /// TCP: no payload at all.
    None,
    /// Nobody knows this port's protocol: a generic datagram.
    Generic,
    /// The payloads of a plugin that speaks this port's protocol.
    Plugin,
}

/// What was seen of one endpoint, summed up for the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The decisive ICMP error.
    pub icmp: Option<IcmpError>,
    /// The sender of the decisive packet.
    pub from: Option<IpAddr>,
    /// The port it came from, when that is not the port asked.
    pub from_port: Option<u16>,
    /// Who the sender is.
    pub from_role: Option<Role>,
    /// The sender is the first router on the way (a gateway of this machine).
    pub from_first_hop: bool,
    /// The operating system's error number, where one was seen.
    pub errno: Option<i32>,
    /// Packets sent to this endpoint: datagrams, or SYNs with the kernel's retransmissions.
    pub attempts: u16,
    /// Attempts that something came back for.
    pub answered: u16,
    /// From the first packet to the verdict.
    pub over: Duration,
    /// What the control probes said, when they were needed.
    pub control: Option<Control>,
    /// What was sent.
    pub payload: PayloadKind,
}
