//! Rules about this very machine: what listens on it, what it refuses.

use super::Context;
use crate::model::{Outcome, PortState, Reason, Transport};
use crate::vantage::Listener;

/// Listeners at the port of a refused endpoint that is one of our own
/// addresses; none when it is not.
fn own_listeners<'a>(o: &Outcome, c: &Context<'a>) -> Option<&'a [Listener]> {
    let own = o.state == PortState::Closed && (c.is_own)(o.endpoint.ip());
    own.then(|| (c.listeners)().at(o.endpoint.transport, o.endpoint.port()))
}

fn covers(listener: &Listener, o: &Outcome) -> bool {
    let (bound, asked) = (listener.bound.ip(), o.endpoint.ip());
    // A wildcard of IPv6 may take IPv4 as well; here IPv4 was refused, so this
    // one does not (IPV6_V6ONLY, ipv6(7)).
    bound == asked || listener.is_on_all_addresses() && bound.is_ipv4() == asked.is_ipv4()
}

pub(super) fn bound_elsewhere(o: &Outcome, c: &Context<'_>) -> Option<String> {
    let listeners = own_listeners(o, c)?;
    let first = listeners.first().filter(|_| !listeners.iter().any(|l| covers(l, o)))?;
    let holder = (c.listeners)().process(first);
    let holder = holder.map(|name| format!(" by {name}")).unwrap_or_default();
    let (bound, asked) = (first.bound.ip(), o.endpoint.ip());
    Some(match listeners.iter().all(|l| l.bound.ip().is_loopback()) && !asked.is_loopback() {
        true => {
            format!("bound to {bound} only{holder}: let it listen on {asked} or on all addresses")
        }
        false => format!(
            "bound to {}{holder}, not to {asked}: correct the bind address, or ask there",
            first.bound
        ),
    })
}

pub(super) fn nothing_listens(o: &Outcome, c: &Context<'_>) -> Option<String> {
    // Not formatted: a scan of all ports says it tens of thousands of times.
    let sentence = match o.endpoint.transport {
        Transport::Tcp => {
            "nothing listens on this port here: is the service started? (ss -ltnp shows what does)"
        }
        Transport::Udp => {
            "nothing listens on this port here: is the service started? (ss -lunp shows what does)"
        }
    };
    own_listeners(o, c).filter(|l| l.is_empty()).map(|_| sentence.to_owned())
}

pub(super) fn own_rejection(o: &Outcome, c: &Context<'_>) -> Option<String> {
    own_listeners(o, c).filter(|all| all.iter().any(|l| covers(l, o))).map(|_| {
        "something listens there, and yet this machine refuses: its own firewall rejects, or \
         the service started a moment ago (nft list ruleset)"
            .into()
    })
}

pub(super) fn could_not_measure(o: &Outcome, _: &Context<'_>) -> Option<String> {
    let ip = o.endpoint.ip();
    if o.state != PortState::Unknown {
        return None;
    }
    Some(match o.reason {
        Reason::LocalNoRoute if ip.is_ipv6() => format!(
            "this machine has no IPv6 route to it (ip -6 route get {ip}); -4 asks for IPv4 alone"
        ),
        Reason::LocalNoRoute => format!("this machine has no route to it (ip route get {ip})"),
        Reason::LocalDenied => "this machine itself refused to send: its own firewall (nft list \
                                ruleset) or a prohibit route (ip route)"
            .into(),
        Reason::LocalLimit => "a limit of this machine was reached: raise it (ulimit -n), or give \
                               a smaller --max-in-flight"
            .into(),
        Reason::Interrupted => "the run ended before this was measured: run it again".into(),
        _ => return None,
    })
}
