//! Rules about refusals: by the target, by a rule on the way, by a route.

use std::net::IpAddr;

use super::{Advice, Context};
use crate::model::{Outcome, PortState, Reason, Role, Transport};

pub(super) fn wrong_transport(o: &Outcome, c: &Context<'_>) -> Option<Advice> {
    let (ip, port, asked) = (o.endpoint.ip(), o.endpoint.port(), o.endpoint.transport);
    let other = asked.other();
    (o.state != PortState::Open && (c.is_open)(ip, port, other)).then(|| {
        Advice::new(
            format!("{port}/{other} is open here, {port}/{asked} is not: was it the other?"),
            format!("portscan {ip} {port}/{other}"),
        )
    })
}

pub(super) fn refused(o: &Outcome, c: &Context<'_>) -> Option<Advice> {
    if o.state != PortState::Closed || (c.is_own)(o.endpoint.ip()) {
        return None;
    }
    let port = o.endpoint.port();
    Some(match o.endpoint.transport {
        Transport::Tcp => Advice::new(
            format!(
                "the host is reachable and nothing accepts on port {port}: start the service \
                 there, or correct port or bind address"
            ),
            "ss -ltn there",
        ),
        Transport::Udp => Advice::new(
            format!(
                "the host is reachable and nobody listens on {port}/udp, though its own firewall \
                 may say the same: start the service there, or correct port or transport"
            ),
            "ss -lun there",
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

pub(super) fn rejected_by_target(o: &Outcome, _: &Context<'_>) -> Option<Advice> {
    let from = refuser(o, Role::Target)?;
    // It cannot be unreachable and say so: that is a firewall's choice of code,
    // or a device that holds the address for somebody behind it.
    let (port, transport) = (o.endpoint.port(), o.endpoint.transport);
    let sentence = match is_rule(o.reason) {
        true => format!("the target's own firewall rejects: allow {port}/{transport} there"),
        false => format!(
            "{from} itself says so: its own firewall rejects with this code, or it forwards \
             {port}/{transport} to a host that is gone"
        ),
    };
    Some(Advice::new(sentence, "nft list ruleset there"))
}

pub(super) fn rejected_on_the_way(o: &Outcome, _: &Context<'_>) -> Option<Advice> {
    let from = refuser(o, Role::Router).filter(|_| is_rule(o.reason))?;
    let who = match o.evidence.from_first_hop {
        true => "your own gateway",
        false => "a router or firewall on the way",
    };
    let sentence = format!(
        "{from}, {who}, refuses by rule: ask its owner to allow {} to {}",
        o.endpoint.transport, o.endpoint.socket
    );
    Some(Advice::new(sentence, trace(o)))
}

pub(super) fn no_neighbour(o: &Outcome, _: &Context<'_>) -> Option<Advice> {
    refuser(o, Role::Own).map(|_| {
        let ip = o.endpoint.ip();
        let sentence = format!(
            "nobody answers for {ip} on your own link: the host is down, or its address, netmask \
             or VLAN is wrong"
        );
        Advice::new(sentence, format!("ip neigh show {ip}"))
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

pub(super) fn routing_loop(o: &Outcome, _: &Context<'_>) -> Option<Advice> {
    let from = reporter(o).filter(|_| is_loop(o.reason))?;
    let sentence =
        format!("packets circle until they expire at {from}: two routers point at each other");
    Some(Advice::new(sentence, trace(o)))
}

pub(super) fn host_down(o: &Outcome, _: &Context<'_>) -> Option<Advice> {
    let from = reporter(o).filter(|_| is_missing_host(o.reason))?;
    let sentence = format!(
        "{from} is on the way to {} and gets no answer from it: the host is down, or the address \
         is wrong",
        o.endpoint.ip()
    );
    Some(Advice::new(sentence, trace(o)))
}

pub(super) fn no_way(o: &Outcome, _: &Context<'_>) -> Option<Advice> {
    let from = reporter(o).filter(|_| !is_loop(o.reason) && !is_missing_host(o.reason))?;
    Some(match o.reason {
        Reason::BeyondScope | Reason::HostIsolated => Advice::new(
            format!(
                "{from} does not pass on packets from our source address: choose another (--source)"
            ),
            ip_route(o),
        ),
        _ => Advice::new(
            format!("{from} knows no way to {}: a route is missing there", o.endpoint.ip()),
            trace(o),
        ),
    })
}

/// The command that asks one endpoint again.
pub(super) fn ask(o: &Outcome) -> String {
    format!("portscan {} {}", o.endpoint.ip(), port(o))
}

/// The command that shows this machine's route and source address to a target.
pub(super) fn ip_route(o: &Outcome) -> String {
    let ip = o.endpoint.ip();
    match ip.is_ipv6() {
        true => format!("ip -6 route get {ip}"),
        false => format!("ip route get {ip}"),
    }
}

/// The command that shows how far packets to an endpoint get.
pub(super) fn trace(o: &Outcome) -> String {
    format!("portscan trace {} {}", o.endpoint.ip(), port(o))
}

/// The port as a command takes it.
pub(super) fn port(o: &Outcome) -> String {
    o.endpoint.transport.typed(o.endpoint.port())
}
