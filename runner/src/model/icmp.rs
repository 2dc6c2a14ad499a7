use std::net::IpAddr;

use super::Reason;

/// Which ICMP: the numbers mean different things in the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IcmpFamily {
    /// ICMP, RFC 792.
    V4,
    /// ICMPv6, RFC 4443.
    V6,
}

/// An ICMP error about a packet of ours, as the kernel queued it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IcmpError {
    /// ICMP or ICMPv6.
    pub family: IcmpFamily,
    /// Type field.
    pub kind: u8,
    /// Code field.
    pub code: u8,
    /// Who sent it; the kernel fills this in from the IP header.
    pub from: IpAddr,
    /// The errno that the kernel made of it (`icmp_err_convert`).
    pub errno: i32,
}

impl IcmpError {
    /// The reason that this error is, or none for the ones that say nothing
    /// about the port: fragmentation needed, packet too big, source quench.
    ///
    /// Numbers: RFC 792, RFC 1122 3.2.2.1, RFC 1812 5.2.7.1, RFC 4443 and the
    /// IANA registries of both.
    pub fn reason(&self) -> Option<Reason> {
        use IcmpFamily::{V4, V6};
        Some(match (self.family, self.kind, self.code) {
            (V4, 3, 0) => Reason::NetUnreach,
            (V4, 3, 1) => Reason::HostUnreach,
            (V4, 3, 2) => Reason::ProtoUnreach,
            (V4, 3, 3) => Reason::PortUnreach,
            (V4, 3, 4) => return None,
            (V4, 3, 5) => Reason::SourceRouteFailed,
            (V4, 3, 6) => Reason::NetUnknown,
            (V4, 3, 7) => Reason::HostUnknown,
            (V4, 3, 8) => Reason::HostIsolated,
            (V4, 3, 9) => Reason::NetProhibited,
            (V4, 3, 10) => Reason::HostProhibited,
            (V4, 3, 11) => Reason::NetTos,
            (V4, 3, 12) => Reason::HostTos,
            (V4, 3, 13) => Reason::AdminProhibited,
            (V4, 3, 14) => Reason::PrecedenceViolation,
            (V4, 3, 15) => Reason::PrecedenceCutoff,
            (V4, 3, _) => Reason::DestUnreach,
            (V4, 11, 1) => Reason::ReassemblyExceeded,
            (V4, 11, _) => Reason::TimeExceeded,
            (V4, 12, _) => Reason::ParamProblem,
            (V4, _, _) => return None,
            (V6, 1, 0) => Reason::NoRoute,
            (V6, 1, 1) => Reason::AdminProhibited,
            (V6, 1, 2) => Reason::BeyondScope,
            (V6, 1, 3) => Reason::AddrUnreach,
            (V6, 1, 4) => Reason::PortUnreach,
            (V6, 1, 5) => Reason::PolicyFail,
            (V6, 1, 6) => Reason::RejectRoute,
            (V6, 1, 7) => Reason::SourceRouteError,
            (V6, 1, 8) => Reason::HeadersTooLong,
            (V6, 1, _) => Reason::DestUnreach,
            (V6, 3, 1) => Reason::ReassemblyExceeded,
            (V6, 3, _) => Reason::TimeExceeded,
            (V6, 4, _) => Reason::ParamProblem,
            (V6, _, _) => return None,
        })
    }

    /// Type and code in words, as the registries name them.
    pub fn text(&self) -> &'static str {
        match self.reason() {
            Some(Reason::NetUnreach) => "net unreachable",
            Some(Reason::HostUnreach) => "host unreachable",
            Some(Reason::ProtoUnreach) => "protocol unreachable",
            Some(Reason::PortUnreach) => "port unreachable",
            Some(Reason::SourceRouteFailed) => "source route failed",
            Some(Reason::NetUnknown) => "destination network unknown",
            Some(Reason::HostUnknown) => "destination host unknown",
            Some(Reason::HostIsolated) => "source host isolated",
            Some(Reason::NetProhibited) => "network administratively prohibited",
            Some(Reason::HostProhibited) => "host administratively prohibited",
            Some(Reason::NetTos) => "network unreachable for this type of service",
            Some(Reason::HostTos) => "host unreachable for this type of service",
            Some(Reason::AdminProhibited) => "communication administratively prohibited",
            Some(Reason::PrecedenceViolation) => "host precedence violation",
            Some(Reason::PrecedenceCutoff) => "precedence cutoff in effect",
            Some(Reason::NoRoute) => "no route to destination",
            Some(Reason::BeyondScope) => "beyond scope of source address",
            Some(Reason::AddrUnreach) => "address unreachable",
            Some(Reason::PolicyFail) => "source address failed ingress/egress policy",
            Some(Reason::RejectRoute) => "reject route to destination",
            Some(Reason::SourceRouteError) => "error in source routing header",
            Some(Reason::HeadersTooLong) => "headers too long",
            Some(Reason::TimeExceeded) => "time to live exceeded in transit",
            Some(Reason::ReassemblyExceeded) => "fragment reassembly time exceeded",
            Some(Reason::ParamProblem) => "parameter problem",
            _ => "destination unreachable",
        }
    }
}
