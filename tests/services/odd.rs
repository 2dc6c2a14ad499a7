//! Every plugin against peers that are no service of its kind: the port's state
//! is right, nobody is taken for what they are not, and the run ends.

use crate::checked::{Check, TCP, UDP};
use crate::servers::odd::{OddPeer, OddTcp, OddUdp, closed_place};
use crate::servers::redis::{Redis, redis};
use crate::servers::ssh::sshd;

/// The plugins that converse over TCP.
const OVER_TCP: [&str; 5] = ["dns", "postgres", "redis", "http", "ssh"];
/// The plugins that ask over UDP.
const OVER_UDP: [&str; 2] = ["dns", "ntp"];

/// Runs every plugin against the peer at once: some of them wait for their
/// deadline, and the peer serves all.
fn against_odd_tcp(manners: OddTcp) {
    let peer = OddPeer::tcp(manners);
    let place = peer.place();
    std::thread::scope(|scope| {
        for plugin in OVER_TCP {
            scope.spawn(move || {
                Check::new(plugin, place, TCP).run().is("open").is_not_confirmed();
            });
        }
    });
}

macro_rules! odd_tcp_peers {
    ($($test:ident: $manners:expr,)+) => {
        $(#[test]
        fn $test() {
            against_odd_tcp($manners);
        })+
    };
}

odd_tcp_peers! {
    a_silent_peer_is_open_and_not_recognised: OddTcp::Silent,
    a_mail_server_is_open_and_not_recognised: OddTcp::OtherProtocol,
    noise_is_open_and_not_recognised: OddTcp::Garbage,
    slow_noise_is_open_and_not_recognised: OddTcp::SlowGarbage,
    endless_noise_is_open_and_not_recognised: OddTcp::Endless,
    an_endless_line_is_open_and_not_recognised: OddTcp::EndlessLine,
    an_echo_is_open_and_not_recognised: OddTcp::Echo,
    an_early_close_is_open_and_not_recognised: OddTcp::EarlyClose,
    a_reset_at_once_is_open_and_not_recognised: OddTcp::Reset,
    a_reset_after_the_question_is_open_and_not_recognised: OddTcp::ResetAfterQuestion,
}

#[test]
fn a_closed_tcp_port_is_closed_and_not_checked() {
    let place = closed_place();
    for plugin in OVER_TCP {
        let row = Check::new(plugin, place, TCP).run();
        row.is("closed").is_not_confirmed().exits(1);
    }
}

#[test]
fn a_closed_udp_port_is_closed_and_not_checked() {
    let place = closed_place();
    for plugin in OVER_UDP {
        let row = Check::new(plugin, place, UDP).run();
        row.is("closed").is_not_confirmed().exits(1);
    }
}

#[test]
fn odd_udp_answers_are_open_and_not_recognised() {
    for manners in OddUdp::ALL.into_iter().filter(|manners| manners.answers()) {
        let peer = OddPeer::udp(manners);
        for plugin in OVER_UDP {
            let row = Check::new(plugin, peer.place(), UDP).run();
            row.is("open").is_not_confirmed();
        }
    }
}

#[test]
fn a_silent_udp_port_is_open_or_filtered_after_the_plugins_own_payload() {
    let peer = OddPeer::udp(OddUdp::Silent);
    for plugin in OVER_UDP {
        let row = Check::new(plugin, peer.place(), UDP).run();
        row.is("open|filtered").is_not_confirmed().exits(1);
        row.claim(row.at("/evidence/payload") == "plugin", "the plugin's payload was sent");
    }
}

#[test]
fn servers_of_another_kind_are_not_recognised() {
    let Some(server) = redis(Redis::Open) else { return };
    for plugin in ["dns", "postgres", "http", "ssh"] {
        Check::new(plugin, server.place(), TCP).run().is("open").is_not_confirmed();
    }
    let Some(server) = sshd(10) else { return };
    for plugin in ["dns", "postgres", "redis", "http"] {
        Check::new(plugin, server.place(), TCP).run().is("open").is_not_confirmed();
    }
}
