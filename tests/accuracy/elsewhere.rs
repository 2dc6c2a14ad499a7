//! UDP answers that come from another port or another address than was asked.
//!
//! TFTP and SSDP answer from a fresh port, a machine with several addresses
//! from whichever it likes. The service is there: open, and shown as such.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::support::packet::Family;
use crate::support::services::{Udp, bind_udp};
use crate::support::trial::Trial;
use crate::support::world::{FAR, Routed, address};

#[test]
fn an_answer_from_another_port_is_open_and_names_the_port() {
    let Some(Routed { world, peer, .. }) = Routed::plain(&[10]) else { return };
    let mut trial = Trial::new(&world);
    for family in Family::BOTH {
        let ip = address(family, FAR, 10);
        let other = Arc::new(bind_udp(&peer, SocketAddr::new(ip, 40021)));
        world.udp(&peer, ip, &[4021], &Udp::EchoFrom(other));
        trial
            .udp(ip, 4021, "answers from port 40021")
            .is("open")
            .because(&["udp-response"])
            .also("/evidence/from", ip.to_string())
            .also("/evidence/from_port", 40021)
            .noted("port");
    }
    trial.run();
}

#[test]
fn an_answer_from_another_address_is_open_and_names_the_address() {
    let Some(Routed { world, peer, .. }) = Routed::plain(&[21, 22]) else { return };
    let mut trial = Trial::new(&world);
    for family in Family::BOTH {
        let (asked, answers) = (address(family, FAR, 21), address(family, FAR, 22));
        let other = Arc::new(bind_udp(&peer, SocketAddr::new(answers, 4020)));
        world.udp(&peer, asked, &[4020], &Udp::EchoFrom(other));
        trial
            .udp(asked, 4020, "answers from another address")
            .is("open")
            .because(&["udp-response"])
            .also("/evidence/from", answers.to_string())
            .noted("address");
    }
    trial.run();
}
