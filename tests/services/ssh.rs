//! The ssh plugin against OpenSSH.

use crate::checked::{Check, TCP};
use crate::servers::odd::OddPeer;
use crate::servers::ssh::sshd;

/// More waiting connections than a test makes.
const PLENTY: u32 = 10;

#[test]
fn openssh_is_healthy_and_says_its_version() {
    let Some(server) = sshd(PLENTY) else { return };
    Check::new("ssh", server.place(), TCP)
        .run()
        .is("open")
        .found("confirmed", "healthy")
        .says("OpenSSH")
        .exits(0);
}

#[test]
fn the_log_tells_of_no_login_attempt() {
    let Some(server) = sshd(PLENTY) else { return };
    let seen = server.log().len();
    Check::new("ssh", server.place(), TCP).run().found("confirmed", "healthy");
    let log = server.end_and_read_log(seen);
    for complaint in ["Failed", "Invalid user", "Bad protocol", "banner exchange", "error:"] {
        assert!(!log.contains(complaint), "the check left '{complaint}' in the log:\n{log}");
    }
}

#[test]
fn a_greeting_that_comes_byte_by_byte_is_the_same_greeting() {
    let Some(server) = sshd(PLENTY) else { return };
    let way = OddPeer::chopping(server.place());
    Check::new("ssh", way.place(), TCP).run().is("open").found("confirmed", "healthy");
}

#[test]
fn a_server_with_too_many_waiting_logins_is_unhealthy() {
    let Some(server) = sshd(1) else { return };
    let _waiting = crate::servers::ssh::wait_for_login(&server);
    Check::new("ssh", server.place(), TCP).run().is("open").claim_not_healthy().exits(1);
}
