//! The dns plugin against dnsmasq and unbound.

use crate::checked::{Check, TCP, UDP};
use crate::servers::dns::{Unbound, dnsmasq, unbound};
use crate::servers::odd::OddPeer;

#[test]
fn a_resolver_is_healthy_over_both_transports() {
    let Some(server) = unbound(Unbound::Resolving) else { return };
    for transport in [UDP, TCP] {
        let row = Check::new("dns", server.place(), transport).run();
        row.is("open").found("confirmed", "healthy").finding("dns.rcode", "NOERROR").exits(0);
    }
}

#[test]
fn a_name_of_the_user_is_looked_up() {
    let Some(server) = dnsmasq() else { return };
    for transport in [UDP, TCP] {
        Check::new("dns", server.place(), transport)
            .set("name", "ok.test")
            .set("type", "A")
            .run()
            .is("open")
            .found("confirmed", "healthy")
            .finding("dns.answers", 1)
            .exits(0);
    }
}

#[test]
fn a_forwarder_that_refuses_strange_names_is_in_order() {
    let Some(server) = dnsmasq() else { return };
    for transport in [UDP, TCP] {
        let row = Check::new("dns", server.place(), transport).run();
        row.is("open").found("confirmed", "healthy").exits(0);
    }
}

#[test]
fn a_refusal_of_the_users_own_name_is_a_flaw() {
    let Some(server) = dnsmasq() else { return };
    Check::new("dns", server.place(), UDP)
        .set("name", "elsewhere.example")
        .run()
        .is("open")
        .found("confirmed", "degraded")
        .finding("dns.rcode", "REFUSED");
}

#[test]
fn a_resolver_without_upstream_is_open_and_unhealthy() {
    let Some(server) = unbound(Unbound::WithoutUpstream) else { return };
    for transport in [UDP, TCP] {
        Check::new("dns", server.place(), transport)
            .set("name", "elsewhere.example")
            .run()
            .is("open")
            .found("confirmed", "unhealthy")
            .finding("dns.rcode", "SERVFAIL")
            .exits(1);
    }
}

#[test]
fn a_server_that_serves_others_only_is_open() {
    let Some(server) = unbound(Unbound::Refusing) else { return };
    Check::new("dns", server.place(), UDP)
        .run()
        .is("open")
        .found("confirmed", "healthy")
        .finding("dns.rcode", "REFUSED");
}

#[test]
fn an_answer_that_comes_byte_by_byte_is_the_same_answer() {
    let Some(server) = unbound(Unbound::Resolving) else { return };
    let way = OddPeer::chopping(server.place());
    Check::new("dns", way.place(), TCP)
        .run()
        .is("open")
        .found("confirmed", "healthy")
        .finding("dns.rcode", "NOERROR");
}
