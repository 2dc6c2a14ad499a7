//! Rules about refusals: by the target, by a rule on the way, by a route.

use std::net::IpAddr;

use super::Context;
use crate::model::{Outcome, PortState, Reason, Role, Transport};

pub(super) fn wrong_transport(o: &Outcome, c: &Context<'_>) -> Option<String> {
    let (port, asked) = (o.endpoint.port(), o.endpoint.transport);
    let other = match asked {
        Transport::Tcp => Transport::Udp,
        Transport::Udp => Transport::Tcp,
    };
    (o.state != PortState::Open && (c.is_open)(o.endpoint.ip(), port, other))
        .then(|| format!("{port}/{other} is open here, {port}/{asked} is not: was it the other?"))
}

pub(super) fn refused(o: &Outcome, c: &Context<'_>) -> Option<String> {
    if o.state != PortState::Closed || (c.is_own)(o.endpoint.ip()) {
        return None;
    }
    let port = o.endpoint.port();
    Some(match o.endpoint.transport {
        Transport::Tcp => format!(
            "the host is reachable and nothing accepts on port {port}: start the service there, \
             or correct port or bind address (ss -ltn there)"
        ),
        Transport::Udp => format!(
            "the host is reachable and nobody listens on {port}/udp, though its own firewall may \
             say the same: start the service there, or correct the port (ss -lun there)"
        ),
    })
}

/// The sender of an ICMP error that made the endpoint filtered, by role.
fn refuser(o: &Outcome, role: Role) -> Option<IpAddr> {
    let is = o.state == PortState::Filtered && o.evidence.from_role == Some(role);
    o.evidence.from.filter(|_| is)
}

/// Whether a rule refuses, rather than a route or a host that is missing.
fn is_rule(reason: Reason) -> bool {
    !reason.is_unreachable() && reason != Reason::NoResponse
}

pub(super) fn rejected_by_target(o: &Outcome, _: &Context<'_>) -> Option<String> {
    let from = refuser(o, Role::Target)?;
    // It cannot be unreachable and say so: that is a firewall's choice of code,
    // or a device that holds the address for somebody behind it.
    let (port, transport) = (o.endpoint.port(), o.endpoint.transport);
    Some(match is_rule(o.reason) {
        true => format!(
            "the target's own firewall rejects: allow {port}/{transport} there (nft list ruleset there)"
        ),
        false => format!(
            "{from} itself says so: its own firewall rejects with this code, or it forwards \
             {port}/{transport} to a host that is gone"
        ),
    })
}

pub(super) fn rejected_on_the_way(o: &Outcome, _: &Context<'_>) -> Option<String> {
    let from = refuser(o, Role::Router).filter(|_| is_rule(o.reason))?;
    let who = match o.evidence.from_first_hop {
        true => "your own gateway",
        false => "a router or firewall on the way",
    };
    Some(format!(
        "{from}, {who}, refuses by rule: ask its owner to allow {} to {}",
        o.endpoint.transport, o.endpoint.socket
    ))
}

pub(super) fn no_neighbour(o: &Outcome, _: &Context<'_>) -> Option<String> {
    refuser(o, Role::Own).map(|_| {
        let ip = o.endpoint.ip();
        format!(
            "nobody answers for {ip} on your own link: the host is down, or its address, netmask \
             or VLAN is wrong (ip neigh show {ip})"
        )
    })
}

/// The router that reports the place as unreachable.
fn reporter(o: &Outcome) -> Option<IpAddr> {
    refuser(o, Role::Router).filter(|_| o.reason.is_unreachable())
}

fn is_loop(reason: Reason) -> bool {
    reason == Reason::TimeExceeded
}

pub(super) fn is_missing_host(reason: Reason) -> bool {
    matches!(reason, Reason::HostUnreach | Reason::AddrUnreach | Reason::HostUnknown)
}

pub(super) fn routing_loop(o: &Outcome, _: &Context<'_>) -> Option<String> {
    let from = reporter(o).filter(|_| is_loop(o.reason))?;
    Some(format!(
        "packets circle until they expire at {from}: two routers point at each other ({})",
        trace(o)
    ))
}

pub(super) fn host_down(o: &Outcome, _: &Context<'_>) -> Option<String> {
    let from = reporter(o).filter(|_| is_missing_host(o.reason))?;
    let ip = o.endpoint.ip();
    Some(format!(
        "{from} is on the way to {ip} and gets no answer from it: the host is down, or the address is wrong"
    ))
}

pub(super) fn no_way(o: &Outcome, _: &Context<'_>) -> Option<String> {
    let from = reporter(o).filter(|_| !is_loop(o.reason) && !is_missing_host(o.reason))?;
    let ip = o.endpoint.ip();
    Some(match o.reason {
        Reason::BeyondScope | Reason::HostIsolated => format!(
            "{from} does not pass on packets from our source address: choose another (--source)"
        ),
        _ => format!("{from} knows no way to {ip}: a route is missing there ({})", trace(o)),
    })
}

/// The command that shows how far packets to an endpoint get.
pub(super) fn trace(o: &Outcome) -> String {
    format!("portscan trace {} {}", o.endpoint.ip(), port(o))
}

/// The port as a command takes it.
pub(super) fn port(o: &Outcome) -> String {
    match o.endpoint.transport {
        Transport::Tcp => o.endpoint.port().to_string(),
        Transport::Udp => format!("{}/udp", o.endpoint.port()),
    }
}
