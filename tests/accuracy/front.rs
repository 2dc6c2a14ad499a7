//! Something in front of the peer answers in its place.

use crate::refusals::unreachables;
use crate::support::namespace::Namespace;
use crate::support::packet::Family;
use crate::support::services::{Tcp, Udp};
use crate::support::trial::Trial;
use crate::support::world::{FAR, NEAR, Routed, World, address};

/// A world without a wire: the kernel's SYN proxy only takes IPv6 SYNs whose
/// checksum a device has already vouched for, and virtual Ethernet does that.
fn behind_a_firewall(host: u8) -> Option<(World, Namespace, Namespace)> {
    let world = World::new()?;
    let (router, peer) = (Namespace::new("router"), Namespace::new("peer"));
    world.join((&world.prober, "eth0", 2), (&router, "near0", 1), NEAR);
    world.prober.default_route((NEAR, 1));
    router.forward();
    world.join((&router, "far0", 1), (&peer, "eth0", host), FAR);
    peer.default_route((FAR, 1));
    Some((world, router, peer))
}

#[test]
fn a_syn_proxy_with_a_dead_backend_is_open_as_far_as_a_handshake_can_tell() {
    let Some((world, router, peer)) = behind_a_firewall(23) else { return };
    let (mut raw, mut rules, mut drops) = (String::new(), String::new(), String::new());
    let mut trial = Trial::new(&world);
    for family in Family::BOTH {
        let (keyword, ip) = (family.keyword(), address(family, FAR, 23));
        raw += &format!("{keyword} daddr {ip} tcp flags & (syn|ack) == syn notrack\n");
        rules += &format!(
            "{keyword} daddr {ip} ct state invalid,untracked \
             synproxy mss 1460 wscale 7 timestamp sack-perm\n\
             {keyword} daddr {ip} ct state invalid drop\n"
        );
        drops += &format!("{keyword} daddr {ip} tcp dport 9001 drop\n");
        world.tcp(&peer, ip, &[8001, 9001], Tcp::Banner);
        for (port, fact) in
            [(8001, "a SYN proxy; the service is open"), (9001, "a SYN proxy; the backend drops")]
        {
            trial.tcp(ip, port, fact).is("open").because(&["syn-ack"]);
        }
    }
    router.nft(&format!(
        "table inet raw {{\nchain pre {{\ntype filter hook prerouting priority -300;\n{raw}}}\n}}\n"
    ));
    router.filter("forward", &rules);
    router.sysctls(&[("netfilter/nf_conntrack_tcp_loose", "0")]);
    peer.filter("input", &drops);
    trial.run();
}

#[test]
fn a_translated_target_speaks_in_its_own_name() {
    let Some(Routed { world, router, peer }) = Routed::plain(&[10]) else { return };
    // Nothing has this address: the router rewrites it, in errors as well.
    const PUBLIC: u8 = 99;
    let mut rules = String::new();
    let mut trial = Trial::new(&world);
    for family in Family::BOTH {
        let (public, inside) = (address(family, FAR, PUBLIC), address(family, FAR, 10));
        rules += &format!("{0} daddr {public} dnat {0} to {inside}\n", family.keyword());
        let (kind, code, _) = unreachables(family);
        world.tcp(&peer, inside, &[8001], Tcp::Silent);
        world.udp(&peer, inside, &[8001], &Udp::Echo);
        trial.tcp(public, 8001, "translated to a listener").is("open").because(&["syn-ack"]);
        trial.udp(public, 8001, "translated to an echo").is("open").because(&["udp-response"]);
        trial.tcp(public, 8011, "translated; nobody listens").is("closed").because(&["reset"]);
        trial
            .udp(public, 8011, "translated; nobody listens")
            .is("closed")
            .because(&["port-unreach"])
            .icmp(kind, code)
            .from(public, "target");
    }
    router.nft(&format!(
        "table inet nat {{\nchain pre {{\ntype nat hook prerouting priority -100;\n{rules}}}\n}}\n"
    ));
    trial.run();
}

#[test]
fn a_peer_that_is_open_for_everything_is_shown_with_that_doubt() {
    let Some(Routed { world, router, peer: _peer }) = Routed::plain(&[10]) else { return };
    // A transparent proxy or a captive network: every connection ends here.
    router.nft(
        "table inet proxy {\nchain pre {\ntype nat hook prerouting priority -100;\n\
         meta l4proto tcp redirect to :3128\n}\n}\n",
    );
    let mut trial = Trial::new(&world);
    for family in Family::BOTH {
        world.tcp(&router, address(family, NEAR, 1), &[3128], Tcp::Silent);
        for port in 1..=40 {
            trial
                .tcp(address(family, FAR, 10), port, "a transparent proxy answers for everything")
                .is("open")
                .because(&["syn-ack"])
                .also("/evidence/control", "open")
                .noted("everything");
        }
    }
    trial.run();
}

#[test]
fn many_real_services_are_not_doubted() {
    let Some(Routed { world, peer, .. }) = Routed::plain(&[10]) else { return };
    let mut trial = Trial::new(&world);
    for family in Family::BOTH {
        let ip = address(family, FAR, 10);
        for port in 7001..=7020 {
            world.tcp(&peer, ip, &[port], Tcp::Silent);
            trial.tcp(ip, port, "a listener").is("open").also("/notes", serde_json::json!([]));
        }
        trial.tcp(ip, 7021, "nobody listens").is("closed").because(&["reset"]);
    }
    trial.run();
}
