use std::fmt;

use serde::{Deserialize, Serialize};

/// What a port is, seen from here. The first four as nmap defines them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PortState {
    /// Something accepts connections (TCP) or answered (UDP).
    #[serde(rename = "open")]
    Open,
    /// The target itself said that nothing listens there.
    #[serde(rename = "closed")]
    Closed,
    /// Something on the way, or silence, keeps us from knowing (TCP), or an
    /// ICMP error says that the packet was not delivered.
    #[serde(rename = "filtered")]
    Filtered,
    /// UDP silence: an open service that does not answer, or a dropped packet.
    #[serde(rename = "open|filtered")]
    OpenFiltered,
    /// Could not be measured; a fact about this machine, never about the target.
    #[serde(rename = "unknown")]
    Unknown,
}

impl PortState {
    /// All states, in the order of how much they say about the service.
    pub const ALL: [PortState; 5] = [
        PortState::Open,
        PortState::Closed,
        PortState::Filtered,
        PortState::OpenFiltered,
        PortState::Unknown,
    ];

    /// The printed name, which is also the JSON value.
    pub fn name(self) -> &'static str {
        match self {
            PortState::Open => "open",
            PortState::Closed => "closed",
            PortState::Filtered => "filtered",
            PortState::OpenFiltered => "open|filtered",
            PortState::Unknown => "unknown",
        }
    }
}

impl fmt::Display for PortState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// Why a port has the state it has.
        ///
        /// A reason names evidence, not an opinion: `no-response` means that
        /// nothing arrived before the deadline, not that a firewall exists.
        /// Printed names are stable and, where the meaning is the same, nmap's
        /// (`portreasons.cc` prints the same words).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Reason {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $variant,)+
        }

        impl Reason {
            /// Every reason that can be printed.
            pub const ALL: &'static [Reason] = &[$(Reason::$variant,)+];

            /// The printed name, which is also the JSON value.
            pub fn name(self) -> &'static str {
                match self { $(Reason::$variant => $name,)+ }
            }

            /// What the reason means, in the words of its definition.
            pub fn meaning(self) -> &'static str {
                match self { $(Reason::$variant => concat!($($doc, "\n",)+).trim_ascii(),)+ }
            }
        }
    };
}

reasons! {
    /// The target completed the TCP handshake.
    SynAck = "syn-ack",
    /// The target answered the SYN with a RST.
    Reset = "reset",
    /// A datagram came back.
    UdpResponse = "udp-response",
    /// ICMP 3/3 or ICMPv6 1/4, port unreachable. For UDP from the target: nobody
    /// listens. For TCP, or from another sender: a firewall's REJECT.
    PortUnreach = "port-unreach",
    /// Nothing came back in all attempts.
    NoResponse = "no-response",
    /// ICMP 3/0, net unreachable.
    NetUnreach = "net-unreach",
    /// ICMP 3/1, host unreachable; from our own address: no ARP answer on the own link.
    HostUnreach = "host-unreach",
    /// ICMP 3/2, protocol unreachable.
    ProtoUnreach = "proto-unreach",
    /// ICMP 3/5, source route failed.
    SourceRouteFailed = "source-route-failed",
    /// ICMP 3/6, destination network unknown.
    NetUnknown = "net-unknown",
    /// ICMP 3/7, destination host unknown.
    HostUnknown = "host-unknown",
    /// ICMP 3/8, source host isolated.
    HostIsolated = "host-isolated",
    /// ICMP 3/9, network administratively prohibited.
    NetProhibited = "net-prohibited",
    /// ICMP 3/10, host administratively prohibited.
    HostProhibited = "host-prohibited",
    /// ICMP 3/11, network unreachable for this type of service.
    NetTos = "net-tos",
    /// ICMP 3/12, host unreachable for this type of service.
    HostTos = "host-tos",
    /// ICMP 3/13 or ICMPv6 1/1, communication administratively prohibited.
    AdminProhibited = "admin-prohibited",
    /// ICMP 3/14, host precedence violation.
    PrecedenceViolation = "precedence-violation",
    /// ICMP 3/15, precedence cutoff in effect.
    PrecedenceCutoff = "precedence-cutoff",
    /// ICMPv6 1/0, a router has no route to the destination.
    NoRoute = "no-route",
    /// ICMPv6 1/2, beyond the scope of the source address.
    BeyondScope = "beyond-scope",
    /// ICMPv6 1/3, address unreachable; from our own address: no ND answer on the own link.
    AddrUnreach = "addr-unreach",
    /// ICMPv6 1/5, source address failed ingress/egress policy.
    PolicyFail = "policy-fail",
    /// ICMPv6 1/6, reject route to the destination.
    RejectRoute = "reject-route",
    /// ICMPv6 1/7, error in the source routing header.
    SourceRouteError = "source-route-error",
    /// ICMPv6 1/8, headers too long.
    HeadersTooLong = "headers-too-long",
    /// ICMP 11/0 or ICMPv6 3/0, time exceeded in transit: usually a routing loop.
    TimeExceeded = "time-exceeded",
    /// ICMP 11/1 or ICMPv6 3/1, fragment reassembly time exceeded.
    ReassemblyExceeded = "reassembly-exceeded",
    /// ICMP 12 or ICMPv6 4, parameter problem.
    ParamProblem = "param-problem",
    /// ICMP destination unreachable with a code that no standard assigns.
    DestUnreach = "dest-unreach",
    /// This machine has no route to the target; nothing was sent.
    LocalNoRoute = "local-no-route",
    /// This machine refused to send: its own firewall or a prohibit route.
    LocalDenied = "local-denied",
    /// A limit of this machine (descriptors, local ports, memory) was in the way.
    LocalLimit = "local-limit",
    /// The run was interrupted before this endpoint was measured.
    Interrupted = "interrupted",
}

impl Reason {
    /// Whether the reason says that somebody reports the place as unreachable
    /// (a route or a machine is missing), rather than that a rule refuses us.
    pub fn is_unreachable(self) -> bool {
        matches!(
            self,
            Reason::NetUnreach
                | Reason::HostUnreach
                | Reason::NetUnknown
                | Reason::HostUnknown
                | Reason::HostIsolated
                | Reason::NetTos
                | Reason::HostTos
                | Reason::NoRoute
                | Reason::BeyondScope
                | Reason::AddrUnreach
                | Reason::TimeExceeded
                | Reason::ReassemblyExceeded
        )
    }

    /// Whether a rule said no: an administrator's decision, by ICMP.
    pub fn is_prohibited(self) -> bool {
        matches!(
            self,
            Reason::NetProhibited
                | Reason::HostProhibited
                | Reason::AdminProhibited
                | Reason::PrecedenceViolation
                | Reason::PrecedenceCutoff
                | Reason::PolicyFail
                | Reason::RejectRoute
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
