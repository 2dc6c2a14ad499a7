//! The postgres plugin against PostgreSQL in the moods that a client meets.

use crate::checked::{Check, TCP};
use crate::servers::certificate::{Authority, Validity};
use crate::servers::odd::OddPeer;
use crate::servers::postgres::{
    Postgres, TRUSTED, hold_connection, postgres, postgres_tls, protocol_complaints,
};
use crate::servers::process::Server;

#[test]
fn a_server_that_asks_for_a_password_is_healthy() {
    let Some(server) = postgres(Postgres::Serving) else { return };
    let seen = server.log().len();
    Check::new("postgres", server.place(), TCP)
        .run()
        .is("open")
        .found("confirmed", "healthy")
        .finding("postgres.tls", false)
        .exits(0);
    leaves_a_clean_log(server, seen);
}

#[test]
fn a_server_that_lets_the_user_in_is_healthy_and_left_politely() {
    let Some(server) = postgres(Postgres::Serving) else { return };
    let seen = server.log().len();
    Check::new("postgres", server.place(), TCP)
        .set("user", TRUSTED)
        .set("database", "postgres")
        .run()
        .found("confirmed", "healthy")
        .exits(0);
    leaves_a_clean_log(server, seen);
}

#[test]
fn a_database_that_is_not_there_is_a_flaw() {
    let Some(server) = postgres(Postgres::Serving) else { return };
    Check::new("postgres", server.place(), TCP)
        .set("user", TRUSTED)
        .set("database", "nowhere")
        .run()
        .is("open")
        .found("confirmed", "degraded")
        .finding("postgres.sqlstate", "3D000");
}

#[test]
fn tls_is_used_where_the_server_has_it() {
    let authority = Authority::new();
    let certificate = authority.certificate().to_owned();
    let Some(server) =
        postgres_tls(Postgres::Serving, move |place| authority.issue(place.ip(), Validity::Now))
    else {
        return;
    };
    let trusted = server.folder().join("authority.pem");
    std::fs::write(&trusted, certificate).expect("the folder is ours");
    let seen = server.log().len();
    Check::new("postgres", server.place(), TCP)
        .trusting(&trusted)
        .run()
        .is("open")
        .found("confirmed", "healthy")
        .finding("postgres.tls", true)
        .finding("tls.trusted", true)
        .exits(0);
    leaves_a_clean_log(server, seen);
}

#[test]
fn an_expired_certificate_is_a_flaw() {
    let authority = Authority::new();
    let Some(server) = postgres_tls(Postgres::Serving, move |place| {
        authority.issue(place.ip(), Validity::Expired)
    }) else {
        return;
    };
    let seen = server.log().len();
    Check::new("postgres", server.place(), TCP)
        .run()
        .is("open")
        .found("confirmed", "degraded")
        .says("expired");
    leaves_a_clean_log(server, seen);
}

#[test]
fn a_demand_for_tls_that_the_server_declines_is_told() {
    let Some(server) = postgres(Postgres::Serving) else { return };
    Check::new("postgres", server.place(), TCP)
        .set("tls", "require")
        .run()
        .is("open")
        .claim_not_healthy()
        .says("tls");
}

#[test]
fn a_server_that_is_starting_up_is_open_and_unhealthy() {
    let Some(server) = postgres(Postgres::StartingUp) else { return };
    let seen = server.log().len();
    Check::new("postgres", server.place(), TCP)
        .run()
        .is("open")
        .found("confirmed", "unhealthy")
        .finding("postgres.sqlstate", "57P03")
        .says("starting up")
        .exits(1);
    leaves_a_clean_log(server, seen);
}

#[test]
fn a_standby_that_takes_no_connections_is_open_and_unhealthy() {
    let Some(server) = postgres(Postgres::Standby) else { return };
    Check::new("postgres", server.place(), TCP)
        .run()
        .is("open")
        .found("confirmed", "unhealthy")
        .finding("postgres.sqlstate", "57P03")
        .exits(1);
}

#[test]
fn a_server_without_a_free_connection_is_open_and_unhealthy() {
    let Some(server) = postgres(Postgres::OneConnection) else { return };
    let held = hold_connection(&server);
    let seen = server.log().len();
    Check::new("postgres", server.place(), TCP)
        .run()
        .is("open")
        .found("confirmed", "unhealthy")
        .finding("postgres.sqlstate", "53300")
        .exits(1);
    leaves_a_clean_log(server, seen);
    drop(held);
}

#[test]
fn an_answer_that_comes_byte_by_byte_is_the_same_answer() {
    let Some(server) = postgres(Postgres::Serving) else { return };
    let way = OddPeer::chopping(server.place());
    Check::new("postgres", way.place(), TCP).run().is("open").found("confirmed", "healthy");
}

/// The server ends without having complained of its client's manners.
#[track_caller]
fn leaves_a_clean_log(server: Server, seen: usize) {
    let log = server.end_and_read_log(seen);
    let complaints = protocol_complaints(&log);
    assert!(complaints.is_empty(), "the check left in the log: {complaints:#?}\n{log}");
}
