//! The UDP probes against the servers that Debian has for their protocols.
//!
//! Without a server in Debian bookworm: ssdp (UPnP devices need a media library
//! or a firewall to manage) and mssql-browser. Their transcripts must do.

use std::net::SocketAddr;

use crate::checked::{Check, Checked, UDP};
use crate::servers::datagram;
use crate::servers::fixed_port::{Neighbour, avahi, rpcbind};
use crate::servers::process::Server;
use crate::support::portscan::Portscan;

/// What every one of these must be: open, recognised, in order, at exit 0.
#[track_caller]
fn is_healthy(row: &Checked) {
    row.is("open").found("confirmed", "healthy").exits(0);
    row.claim(row.at("/evidence/payload") == "plugin", "the plugin's payload was sent");
}

fn check(plugin: &'static str, server: &Server) -> Checked {
    Check::new(plugin, server.place(), UDP).run()
}

#[test]
fn tftpd_is_recognised_though_it_answers_from_another_port() {
    let Some(server) = datagram::tftpd() else { return };
    let row = check("tftp", &server);
    is_healthy(&row);
    row.claim(!row.at("/evidence/from_port").is_null(), "the other port is shown");
    row.finding("tftp.error", 1);
}

#[test]
fn snmpd_tells_its_engine_without_a_community() {
    let Some(server) = datagram::snmpd() else { return };
    let row = check("snmp", &server);
    is_healthy(&row);
    row.claim(row.finding_named("snmp.engine-id").is_some(), "the engine is told");
}

#[test]
fn memcached_tells_its_version() {
    let Some(server) = datagram::memcached() else { return };
    let row = check("memcached", &server);
    row.is("open").claim(row.at("/check/verdict") == "confirmed", "memcached is recognised");
    row.claim(row.finding_named("memcached.version").is_some(), "the version is told");
}

#[test]
fn coturn_tells_the_address_that_it_sees() {
    let Some(server) = datagram::coturn() else { return };
    let row = check("stun", &server);
    is_healthy(&row);
    let mapped = row.finding_named("stun.mapped-address").and_then(|value| value.as_str());
    let mapped: Option<SocketAddr> = mapped.and_then(|text| text.parse().ok());
    row.claim(mapped.is_some_and(|seen| seen.ip().is_loopback()), "it sees us on loopback");
}

#[test]
fn a_dtls_server_is_recognised() {
    let Some(server) = datagram::dtls() else { return };
    let row = check("dtls", &server);
    is_healthy(&row);
    row.finding("dtls.answer", "hello-verify-request");
}

#[test]
fn a_quic_server_tells_its_versions() {
    let Some(server) = datagram::quic() else { return };
    let row = check("quic", &server);
    is_healthy(&row);
    row.claim(row.finding_named("quic.versions").is_some(), "the versions are told");
}

#[test]
fn kamailio_answers_options() {
    let Some(server) = datagram::kamailio() else { return };
    let row = check("sip", &server);
    is_healthy(&row);
    row.finding("sip.status", 200);
}

#[test]
fn a_coap_server_is_recognised() {
    let Some(server) = datagram::coap() else { return };
    is_healthy(&check("coap", &server));
}

#[test]
fn a_management_controller_is_recognised() {
    let Some(server) = datagram::ipmi() else { return };
    is_healthy(&check("ipmi", &server));
}

#[test]
fn rpcbind_is_recognised() {
    let Some(neighbour) = rpcbind() else { return };
    is_healthy(&check_neighbour("rpcbind", &neighbour));
}

#[test]
fn avahi_is_recognised() {
    let Some(neighbour) = avahi() else { return };
    is_healthy(&check_neighbour("mdns", &neighbour));
}

/// The check of a port at which the plugin is used by itself.
fn check_neighbour(plugin: &str, neighbour: &Neighbour) -> Checked {
    let place = neighbour.place;
    let port = format!("{}/udp", place.port());
    let words = [&place.ip().to_string(), &port, "--format", "json"].map(str::to_owned);
    let row = Checked::read(Portscan::new(&neighbour.world).args(words).run());
    row.claim(row.at("/check/plugin") == plugin, "the port's own plugin was used");
    row
}
