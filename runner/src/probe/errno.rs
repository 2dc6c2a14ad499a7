//! What an errno means when it is all there is.
//!
//! An errno is weaker than an ICMP error: EHOSTUNREACH stands for seven codes
//! (net/ipv4/icmp.c `icmp_err_convert`, net/ipv6/icmp.c `tab_unreach`).

use crate::model::{PortState, Reason};

/// Meaning of an errno that the network caused, without an entry in the error
/// queue. An unknown number is never open and never closed.
pub fn of_network(errno: i32) -> (PortState, Reason) {
    let reason = match errno {
        // RST. Port-unreachable would have left an entry in the queue.
        libc::ECONNREFUSED => return (PortState::Closed, Reason::Reset),
        libc::EHOSTUNREACH => Reason::HostUnreach,
        libc::ENETUNREACH => Reason::NetUnreach,
        // ICMPv6 1/1, 1/5 and 1/6 only; IPv4 never maps to EACCES.
        libc::EACCES => Reason::AdminProhibited,
        libc::ENOPROTOOPT => Reason::ProtoUnreach,
        libc::EHOSTDOWN => Reason::HostUnknown,
        libc::ENONET => Reason::HostIsolated,
        libc::EOPNOTSUPP => Reason::SourceRouteFailed,
        libc::EPROTO => Reason::ParamProblem,
        libc::ETIMEDOUT => Reason::NoResponse,
        libc::EPERM => return (PortState::Unknown, Reason::LocalDenied),
        _ => Reason::DestUnreach,
    };
    (PortState::Filtered, reason)
}

/// Meaning of an errno that a send or connect call returned at once: this
/// machine refused and nothing left (ip(7), connect(2), sendto(2)).
pub fn of_local(errno: i32) -> Reason {
    match errno {
        // No route; an unreachable route; a family this machine does not have.
        libc::ENETUNREACH
        | libc::EHOSTUNREACH
        | libc::EAFNOSUPPORT
        // No source address of that family. Used-up ports are EAGAIN here.
        | libc::EADDRNOTAVAIL
        // A blackhole route.
        | libc::EINVAL
        // A zone that does not exist.
        | libc::ENODEV
        | libc::ENXIO => Reason::LocalNoRoute,
        // A prohibit route, broadcast; the own firewall (UDP).
        libc::EACCES | libc::EPERM => Reason::LocalDenied,
        _ => Reason::LocalLimit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_unknown_errno_is_open_or_closed() {
        for errno in (0..200).filter(|e| *e != libc::ECONNREFUSED) {
            let (state, _) = of_network(errno);
            assert!(matches!(state, PortState::Filtered | PortState::Unknown), "errno {errno}");
        }
    }

    #[test]
    fn refusals_of_this_machine_are_told_apart() {
        for (errno, reason) in [
            (libc::ENETUNREACH, Reason::LocalNoRoute),
            (libc::EINVAL, Reason::LocalNoRoute),
            (libc::EACCES, Reason::LocalDenied),
            (libc::EPERM, Reason::LocalDenied),
            (libc::EMFILE, Reason::LocalLimit),
            (libc::EADDRNOTAVAIL, Reason::LocalNoRoute),
            (libc::EAGAIN, Reason::LocalLimit),
        ] {
            assert_eq!(of_local(errno), reason, "errno {errno}");
        }
    }
}
