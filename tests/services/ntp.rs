//! The ntp plugin against chrony.

use crate::checked::{Check, UDP};
use crate::servers::ntp::{Chrony, chrony};

#[test]
fn a_synchronised_server_is_healthy() {
    let Some(server) = chrony(Chrony::Synchronised) else { return };
    Check::new("ntp", server.place(), UDP)
        .run()
        .is("open")
        .found("confirmed", "healthy")
        .finding("ntp.stratum", 8)
        .exits(0);
}

#[test]
fn a_server_that_does_not_know_the_time_is_unhealthy() {
    let Some(server) = chrony(Chrony::Unsynchronised) else { return };
    Check::new("ntp", server.place(), UDP)
        .run()
        .is("open")
        .found("confirmed", "unhealthy")
        .says("clock is not set")
        .exits(1);
}
