//! The redis plugin against Redis.

use crate::checked::{Check, TCP};
use crate::servers::odd::OddPeer;
use crate::servers::redis::{Redis, redis};

#[test]
fn an_open_server_is_healthy() {
    let Some(server) = redis(Redis::Open) else { return };
    Check::new("redis", server.place(), TCP)
        .run()
        .is("open")
        .found("confirmed", "healthy")
        .exits(0);
}

#[test]
fn a_server_that_asks_for_a_password_is_healthy_and_says_so() {
    let Some(server) = redis(Redis::Protected) else { return };
    Check::new("redis", server.place(), TCP)
        .run()
        .is("open")
        .found("confirmed", "healthy")
        .says("password")
        .exits(0);
}

#[test]
fn a_replica_that_lost_its_master_is_unhealthy() {
    let Some(server) = redis(Redis::MasterDown) else { return };
    Check::new("redis", server.place(), TCP)
        .run()
        .is("open")
        .found("confirmed", "unhealthy")
        .says("master")
        .exits(1);
}

#[test]
fn an_answer_that_comes_byte_by_byte_is_the_same_answer() {
    let Some(server) = redis(Redis::Protected) else { return };
    let way = OddPeer::chopping(server.place());
    Check::new("redis", way.place(), TCP).run().is("open").found("confirmed", "healthy");
}
