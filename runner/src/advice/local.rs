//! Rules about this very machine: what listens on it, what it refuses.

use super::refusal::{ask, ip_route};
use super::{Advice, Context};
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

pub(super) fn bound_elsewhere(o: &Outcome, c: &Context<'_>) -> Option<Advice> {
    let listeners = own_listeners(o, c)?;
    let first = listeners.first().filter(|_| !listeners.iter().any(|l| covers(l, o)))?;
    let holder = (c.listeners)().process(first);
    let holder = holder.map(|name| format!(" by {name}")).unwrap_or_default();
    let (bound, asked) = (first.bound.ip(), o.endpoint.ip());
    let is_local = listeners.iter().all(|l| l.bound.ip().is_loopback()) && !asked.is_loopback();
    let sentence = match is_local {
        true => {
            format!("bound to {bound} only{holder}: let it listen on {asked} or on all addresses")
        }
        false => format!(
            "bound to {}{holder}, not to {asked}: correct the bind address, or ask there",
            first.bound
        ),
    };
    Some(Advice::new(sentence, shows_listeners(o.endpoint.transport)))
}

/// The command that shows what listens on this machine, and who.
fn shows_listeners(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "ss -ltnp",
        Transport::Udp => "ss -lunp",
    }
}

pub(super) fn nothing_listens(o: &Outcome, c: &Context<'_>) -> Option<Advice> {
    let sentence = "nothing listens on this port here: is the service started?";
    let command = shows_listeners(o.endpoint.transport);
    own_listeners(o, c).filter(|l| l.is_empty()).map(|_| Advice::new(sentence, command))
}

pub(super) fn own_rejection(o: &Outcome, c: &Context<'_>) -> Option<Advice> {
    own_listeners(o, c).filter(|all| all.iter().any(|l| covers(l, o))).map(|_| {
        Advice::new(
            "something listens there, and yet this machine refuses: its own firewall rejects, or \
             the service started a moment ago",
            "nft list ruleset",
        )
    })
}

/// Whether this machine ran out of descriptors or local ports, rather than of room for
/// packets.
fn is_of_descriptors(o: &Outcome) -> bool {
    matches!(o.evidence.errno, Some(libc::EMFILE | libc::ENFILE | libc::EAGAIN))
}

pub(super) fn could_not_measure(o: &Outcome, _: &Context<'_>) -> Option<Advice> {
    if o.state != PortState::Unknown {
        return None;
    }
    Some(match o.reason {
        Reason::LocalNoRoute if o.endpoint.ip().is_ipv6() => {
            Advice::new("this machine has no IPv6 route to it: -4 asks for IPv4 alone", ip_route(o))
        }
        Reason::LocalNoRoute => Advice::new("this machine has no route to it", ip_route(o)),
        Reason::LocalDenied => Advice::new(
            "this machine itself refused to send: its own firewall, or a prohibit route",
            "nft list ruleset",
        ),
        Reason::LocalLimit if !is_of_descriptors(o) => Advice::new(
            "this machine's buffers or its firewall's table of connections are full: ask more \
             slowly (--rate), or make room",
            "sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max",
        ),
        Reason::LocalLimit => Advice::new(
            "a limit of this machine was reached: raise it, or give a smaller --max-in-flight",
            "ulimit -n",
        ),
        Reason::Interrupted => {
            Advice::new("the run ended before this was measured: run it again", ask(o))
        }
        _ => return None,
    })
}
