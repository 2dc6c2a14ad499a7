//! The http plugin against nginx, in the clear and behind TLS.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::checked::{Check, Checked, TCP};
use crate::servers::certificate::{Authority, Identity, Validity, self_signed};
use crate::servers::nginx::{Page, access_log, nginx, nginx_tls};
use crate::servers::odd::OddPeer;

#[test]
fn a_page_that_is_served_is_healthy() {
    let Some(server) = nginx(Page::Fine) else { return };
    Check::new("http", server.place(), TCP)
        .run()
        .is("open")
        .found("confirmed", "healthy")
        .finding("http.status", 200)
        .exits(0);
}

#[test]
fn a_redirect_is_healthy_and_says_where_to() {
    let Some(server) = nginx(Page::Moved) else { return };
    Check::new("http", server.place(), TCP)
        .run()
        .found("confirmed", "healthy")
        .finding("http.status", 301)
        .finding("http.location", "https://localhost/");
}

#[test]
fn a_503_is_open_and_unhealthy() {
    let Some(server) = nginx(Page::Unavailable) else { return };
    Check::new("http", server.place(), TCP)
        .run()
        .is("open")
        .found("confirmed", "unhealthy")
        .finding("http.status", 503)
        .exits(1);
}

#[test]
fn a_check_is_one_request() {
    let Some(server) = nginx(Page::Fine) else { return };
    Check::new("http", server.place(), TCP).run().found("confirmed", "healthy");
    // One line for the request of the check; a connection without a request
    // leaves none, and a broken one would be a 400.
    let log = access_log(&server);
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("portscan")).collect();
    assert!(lines.len() == 1 && lines[0].contains("\" 200 "), "{lines:#?}");
}

#[test]
fn a_trusted_certificate_is_healthy() {
    let Some((row, _)) = check_tls(|authority, place| authority.issue(place.ip(), Validity::Now))
    else {
        return;
    };
    row.is("open").found("confirmed", "healthy").finding("tls.trusted", true).exits(0);
}

#[test]
fn an_expired_certificate_is_told() {
    let Some((row, _)) =
        check_tls(|authority, place| authority.issue(place.ip(), Validity::Expired))
    else {
        return;
    };
    row.is("open").claim_not_healthy().says("expired").exits(exit_of(&row));
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_told() {
    let Some((row, _)) = check_tls(|_, place| self_signed(place.ip())) else { return };
    row.is("open").claim_not_healthy().finding("tls.trusted", false).exits(exit_of(&row));
}

#[test]
fn a_certificate_for_another_address_is_told() {
    let elsewhere = "192.0.2.1".parse().expect("a valid address");
    let Some((row, _)) = check_tls(|authority, _| authority.issue(elsewhere, Validity::Now)) else {
        return;
    };
    row.is("open").claim_not_healthy().exits(exit_of(&row));
}

#[test]
fn plain_http_at_a_tls_port_is_recognised() {
    let authority = Authority::new();
    let Some(server) = nginx_tls(Page::Fine, |place| authority.issue(place.ip(), Validity::Now))
    else {
        return;
    };
    Check::new("http", server.place(), TCP).run().is("open").claim_not_healthy().says("tls");
}

#[test]
fn an_answer_that_comes_byte_by_byte_is_the_same_answer() {
    let Some(server) = nginx(Page::Fine) else { return };
    let way = OddPeer::chopping(server.place());
    Check::new("http", way.place(), TCP)
        .run()
        .is("open")
        .found("confirmed", "healthy")
        .finding("http.status", 200);
}

/// The check of an nginx whose certificate `identity` makes, by a user who
/// trusts the authority of the test; with the file that says so.
fn check_tls(
    identity: impl FnOnce(&Authority, SocketAddr) -> Identity,
) -> Option<(Checked, PathBuf)> {
    let authority = Authority::new();
    let server = nginx_tls(Page::Fine, |place| identity(&authority, place))?;
    let trusted = server.folder().join("authority.pem");
    std::fs::write(&trusted, authority.certificate()).expect("the folder is ours");
    let row = Check::new("http", server.place(), TCP).set("tls", "true").trusting(&trusted).run();
    Some((row, trusted))
}

/// A degraded service is still in order for a script; an unhealthy one is not.
fn exit_of(row: &Checked) -> i32 {
    i32::from(row.at("/check/health") == "unhealthy")
}
