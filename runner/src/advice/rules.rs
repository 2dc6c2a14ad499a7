use super::Context;
use crate::model::{
    Control, FindingValue, Health, Note, Outcome, PayloadKind, PortState, Reason, Role, Transport,
    Verdict,
};
use crate::vantage::Listener;

/// One rule.
pub struct Rule {
    /// kebab-case, for tests and documents.
    pub name: &'static str,
    /// What it looks at and when it speaks, in one line.
    pub about: &'static str,
    /// The sentence, when the rule applies.
    pub say: fn(&Outcome, &Context<'_>) -> Option<String>,
}

/// All rules. The first two that apply are shown, so the more specific stand first.
pub const RULES: &[Rule] = &[
    Rule {
        name: "bound-elsewhere",
        about: "refused here while a listener is bound to another own address",
        say: bound_elsewhere,
    },
    Rule {
        name: "nothing-listens",
        about: "refused on an own address where nothing listens",
        say: nothing_listens,
    },
    Rule {
        name: "wrong-transport",
        about: "not open, but the other transport of the port is",
        say: wrong_transport,
    },
    Rule { name: "refused", about: "the target's RST, or port-unreachable for UDP", say: refused },
    Rule {
        name: "rejected-by-target",
        about: "an ICMP refusal by the target itself",
        say: rejected_by_target,
    },
    Rule {
        name: "rejected-on-the-way",
        about: "an ICMP refusal by somebody on the way",
        say: rejected_on_the_way,
    },
    Rule {
        name: "no-neighbour",
        about: "no ARP or neighbour answer on our own link",
        say: no_neighbour,
    },
    Rule {
        name: "unreachable",
        about: "a router reports the place as unreachable",
        say: unreachable,
    },
    Rule { name: "budget", about: "the ICMP budget withholds the proof", say: budget },
    Rule {
        name: "silent-port",
        about: "silence while control ports are answered",
        say: silent_port,
    },
    Rule { name: "dark-address", about: "silence of the whole address", say: dark_address },
    Rule {
        name: "no-plugin-payload",
        about: "UDP silence to a generic datagram",
        say: no_plugin_payload,
    },
    Rule { name: "local", about: "this machine could not measure", say: local },
    Rule {
        name: "open-for-everything",
        about: "unused ports are open too",
        say: open_for_everything,
    },
    Rule { name: "other-service", about: "open, but another protocol answers", say: other_service },
    Rule { name: "certificate", about: "a certificate that is about to expire", say: certificate },
    Rule {
        name: "unhealthy",
        about: "open, but the service says that it cannot serve",
        say: unhealthy,
    },
];

fn is_refused(o: &Outcome) -> bool {
    o.state == PortState::Closed
}

fn listeners(o: &Outcome, c: &Context<'_>) -> Vec<Listener> {
    (c.listeners)().at(o.endpoint.transport, o.endpoint.port()).copied().collect()
}

fn bound_elsewhere(o: &Outcome, c: &Context<'_>) -> Option<String> {
    if !is_refused(o) || !(c.is_own)(o.endpoint.ip()) {
        return None;
    }
    let all = listeners(o, c);
    let first = all.first()?;
    let port = o.endpoint.port();
    Some(match all.iter().all(|l| l.bound.ip().is_loopback()) && !o.endpoint.ip().is_loopback() {
        true => format!(
            "bound to {} only: let the service listen on {} or on all addresses",
            first.bound.ip(),
            o.endpoint.ip()
        ),
        false => format!(
            "something listens on {} but not on {}: correct its bind address, or ask port {port} there",
            first.bound,
            o.endpoint.ip()
        ),
    })
}

fn nothing_listens(o: &Outcome, c: &Context<'_>) -> Option<String> {
    let own = is_refused(o) && (c.is_own)(o.endpoint.ip());
    // Not formatted: a scan of all ports says it tens of thousands of times.
    let sentence = match o.endpoint.transport {
        Transport::Tcp => {
            "nothing listens here on this machine: is the service started? (ss -lntp shows what is)"
        }
        Transport::Udp => {
            "nothing listens here on this machine: is the service started? (ss -lnup shows what is)"
        }
    };
    (own && listeners(o, c).is_empty()).then(|| sentence.to_owned())
}

fn wrong_transport(o: &Outcome, c: &Context<'_>) -> Option<String> {
    let other = match o.endpoint.transport {
        Transport::Tcp => Transport::Udp,
        Transport::Udp => Transport::Tcp,
    };
    let open = o.state != PortState::Open
        && (c.is_open)(o.endpoint.ip(), o.endpoint.port(), other);
    open
        .then(|| format!("{}/{other} is open here: was that the one you meant?", o.endpoint.port()))
}

fn refused(o: &Outcome, c: &Context<'_>) -> Option<String> {
    if !is_refused(o) || (c.is_own)(o.endpoint.ip()) {
        return None;
    }
    let port = o.endpoint.port();
    Some(match o.reason {
        Reason::PortUnreach => format!(
            "the host answers and nobody listens on {port}/udp (its own firewall may say the same): start the service or correct the port"
        ),
        _ => format!(
            "the host is reachable and nothing accepts on port {port}: start the service there, or correct port or bind address"
        ),
    })
}

fn is_rule(reason: Reason) -> bool {
    reason.is_prohibited()
        || matches!(reason, Reason::PortUnreach | Reason::ProtoUnreach | Reason::DestUnreach)
}

fn rejected_by_target(o: &Outcome, _: &Context<'_>) -> Option<String> {
    let by_target = o.state == PortState::Filtered && o.evidence.from_role == Some(Role::Target);
    (by_target && is_rule(o.reason)).then(|| {
        format!("the target's own firewall rejects this: allow {}/{} there (nft list ruleset on the target shows the rule)", o.endpoint.port(), o.endpoint.transport)
    })
}

fn rejected_on_the_way(o: &Outcome, _: &Context<'_>) -> Option<String> {
    let from = o.evidence.from?;
    let router = o.state == PortState::Filtered && o.evidence.from_role == Some(Role::Router);
    let who = if o.evidence.from_first_hop {
        "your own gateway"
    } else {
        "a router or firewall on the way"
    };
    (router && is_rule(o.reason)).then(|| {
        format!(
            "{from}, {who}, refuses by rule: ask its owner to allow {} to {}",
            o.endpoint.transport, o.endpoint.socket
        )
    })
}

fn no_neighbour(o: &Outcome, _: &Context<'_>) -> Option<String> {
    let own = o.state == PortState::Filtered && o.evidence.from_role == Some(Role::Own);
    own.then(|| {
        format!("nobody answers for {} on your own link: the host is down, or the address or VLAN is wrong (ip neigh show {})", o.endpoint.ip(), o.endpoint.ip())
    })
}

fn unreachable(o: &Outcome, _: &Context<'_>) -> Option<String> {
    let from = o.evidence.from?;
    if o.state != PortState::Filtered
        || o.evidence.from_role == Some(Role::Own)
        || !o.reason.is_unreachable()
    {
        return None;
    }
    Some(match o.reason {
        Reason::TimeExceeded => format!(
            "packets circle until they expire at {from}: a routing loop; portscan trace shows the routers that repeat"
        ),
        Reason::HostUnreach | Reason::AddrUnreach => format!(
            "{from} reaches the network but not the host: it is down, or its address is wrong"
        ),
        _ => format!("{from} knows no way to {}: look at the routes there", o.endpoint.ip()),
    })
}

fn budget(o: &Outcome, _: &Context<'_>) -> Option<String> {
    o.notes.iter().any(|n| matches!(n, Note::IcmpBudgetSpent { .. })).then(|| {
        "the target rations its ICMP errors, so closed ports are not proved yet: --prove goes on until they are".to_string()
    })
}

fn is_silent(o: &Outcome) -> bool {
    o.reason == Reason::NoResponse
        && !o.notes.iter().any(|n| matches!(n, Note::IcmpBudgetSpent { .. }))
}

fn silent_port(o: &Outcome, _: &Context<'_>) -> Option<String> {
    (is_silent(o) && o.evidence.control == Some(Control::Closed)).then(|| match o.endpoint.transport {
        Transport::Tcp => format!("the host answers for other ports, so a rule drops {}/tcp: a firewall or security group; portscan trace shows where", o.endpoint.port()),
        Transport::Udp => "the host answers for closed ports, so this one is open and silent, or dropped by a rule for it".to_string(),
    })
}

fn dark_address(o: &Outcome, _: &Context<'_>) -> Option<String> {
    (is_silent(o) && o.evidence.control == Some(Control::Silent)).then(|| {
        format!("{} answers for no port at all: it is down, or everything to it is dropped; portscan trace shows how far packets get", o.endpoint.ip())
    })
}

fn no_plugin_payload(o: &Outcome, _: &Context<'_>) -> Option<String> {
    let generic = o.evidence.payload == PayloadKind::Generic;
    let by_design = o.notes.iter().any(|n| matches!(n, Note::SilentByDesign { .. }));
    (is_silent(o) && generic && !by_design).then(|| {
        "no plugin knows this port, so only a generic datagram was sent: name the service with --plugin to send what it answers".to_string()
    })
}

fn local(o: &Outcome, _: &Context<'_>) -> Option<String> {
    let ip = o.endpoint.ip();
    if o.state != PortState::Unknown {
        return None;
    }
    Some(match o.reason {
        Reason::LocalNoRoute if ip.is_ipv6() => format!("this machine has no IPv6 route to it: ip -6 route get {ip}, or ask for IPv4 alone with -4"),
        Reason::LocalNoRoute => format!("this machine has no route to it: ip route get {ip}"),
        Reason::LocalDenied => "this machine itself refused to send: its own firewall (nft list ruleset) or a prohibit route (ip route)".to_string(),
        Reason::LocalLimit => "a limit of this machine was reached: raise ulimit -n, or give a smaller --max-in-flight".to_string(),
        _ => return None,
    })
}

fn open_for_everything(o: &Outcome, _: &Context<'_>) -> Option<String> {
    o.notes.contains(&Note::OpenForEverything).then(|| {
        "something in front answers for every port (SYN proxy, transparent proxy, captive network): only a check of the service proves more".to_string()
    })
}

fn other_service(o: &Outcome, _: &Context<'_>) -> Option<String> {
    let check = o.check.as_ref()?;
    (check.conclusion.verdict == Verdict::Mismatch).then(|| {
        format!(
            "the port is open but does not speak {}: another service, or a proxy, has it",
            check.plugin
        )
    })
}

fn certificate(o: &Outcome, _: &Context<'_>) -> Option<String> {
    let check = o.check.as_ref()?;
    let days =
        check.conclusion.findings.iter().find_map(|f| match (&f.value, f.name.as_str()) {
            (FindingValue::Integer(days), name) if name.ends_with("days-left") => Some(*days),
            _ => None,
        })?;
    match days {
        ..0 => Some(format!("its certificate expired {} days ago: renew it", -days)),
        0..21 => Some(format!("its certificate expires in {days} days: renew it")),
        _ => None,
    }
}

fn unhealthy(o: &Outcome, _: &Context<'_>) -> Option<String> {
    let check = o.check.as_ref()?;
    (o.state == PortState::Open && check.conclusion.health == Health::Unhealthy).then(|| {
        format!(
            "the way is clear, the service is not: look at the {} server's own log",
            check.plugin
        )
    })
}
