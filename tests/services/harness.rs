//! The harness itself: servers and odd peers are what the other tests take
//! them for. portscan has no part in this.

use std::io::Read;
use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

use crate::servers::dns::Unbound;
use crate::servers::nginx::Page;
use crate::servers::ntp::Chrony;
use crate::servers::odd::{OddPeer, OddTcp, OddUdp, closed_place};
use crate::servers::postgres::Postgres;
use crate::servers::redis::Redis;
use crate::servers::{self, accepts, says};

/// A server is ready when its constructor returns: its own protocol says so.
/// Its process and its folder are gone when the value is.
#[test]
fn a_server_ends_with_its_value_and_leaves_nothing() {
    let Some(server) = servers::redis::redis(Redis::Open) else { return };
    let (place, folder) = (server.place(), server.folder().to_owned());
    assert!(accepts(place) && folder.exists());
    drop(server);
    assert!(!accepts(place), "it still takes connections");
    assert!(!folder.exists(), "its folder is still there");
}

#[test]
fn the_constructor_of_dnsmasq_makes_a_server_that_answers() {
    let Some(server) = servers::dns::dnsmasq() else { return };
    assert!(accepts(server.place()));
}

#[test]
fn unbound_runs_in_every_mood() {
    for mood in [Unbound::Resolving, Unbound::WithoutUpstream, Unbound::Refusing] {
        let Some(server) = servers::dns::unbound(mood) else { return };
        assert!(accepts(server.place()), "{mood:?}");
    }
}

#[test]
fn chrony_runs_in_every_mood() {
    for mood in [Chrony::Synchronised, Chrony::Unsynchronised] {
        let Some(server) = servers::ntp::chrony(mood) else { return };
        assert!(server.log().contains("starting"), "{mood:?}: {}", server.log());
    }
}

#[test]
fn redis_runs_in_every_mood() {
    for mood in [Redis::Open, Redis::Protected, Redis::MasterDown] {
        let Some(server) = servers::redis::redis(mood) else { return };
        assert!(accepts(server.place()), "{mood:?}");
    }
}

#[test]
fn nginx_serves_its_page() {
    for (page, status) in [(Page::Fine, "200"), (Page::Unavailable, "503"), (Page::Moved, "301")] {
        let Some(server) = servers::nginx::nginx(page) else { return };
        let answer = says(server.place(), b"HEAD / HTTP/1.0\r\n\r\n").expect("nginx answers");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}

#[test]
fn sshd_greets() {
    let Some(server) = servers::ssh::sshd(10) else { return };
    assert!(says(server.place(), b"").is_some_and(|said| said.starts_with(b"SSH-2.0-OpenSSH")));
}

#[test]
fn postgres_runs_in_every_mood() {
    let moods =
        [Postgres::Serving, Postgres::StartingUp, Postgres::Standby, Postgres::OneConnection];
    for mood in moods {
        let Some(server) = servers::postgres::postgres(mood) else { return };
        assert!(accepts(server.place()), "{mood:?}");
    }
}

#[test]
fn a_held_connection_uses_up_a_limit_of_one() {
    let Some(server) = servers::postgres::postgres(Postgres::OneConnection) else { return };
    let held = servers::postgres::hold_connection(&server);
    assert!(servers::postgres::refuses_with(&server, "53300"), "{}", server.log());
    drop(held);
}

#[test]
fn the_silent_peer_says_nothing_and_the_endless_one_does_not_stop() {
    let silent = OddPeer::tcp(OddTcp::Silent);
    assert_eq!(says(silent.place(), b"hello\r\n"), None);

    let endless = OddPeer::tcp(OddTcp::Endless);
    let mut stream = TcpStream::connect(endless.place()).expect("it listens");
    let mut bytes = vec![0; 8 << 20];
    stream.read_exact(&mut bytes).expect("8 MiB and more");
}

#[test]
fn the_resetting_peer_resets() {
    let peer = OddPeer::tcp(OddTcp::ResetAfterQuestion);
    let mut stream = TcpStream::connect(peer.place()).expect("it listens");
    // On a busy machine the reset is there before the writer is back from its call.
    let error = std::io::Write::write_all(&mut stream, b"hello")
        .and_then(|()| stream.read(&mut [0]))
        .expect_err("a reset is no end of the stream");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn the_chopping_way_hands_on_every_byte() {
    let Some(server) = servers::redis::redis(Redis::Open) else { return };
    let way = OddPeer::chopping(server.place());
    let mut stream = TcpStream::connect(way.place()).expect("it listens");
    std::io::Write::write_all(&mut stream, b"PING\r\n").expect("it hears");
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).expect("all bytes come");
    assert_eq!(&answer, b"+PONG\r\n");
}

#[test]
fn odd_udp_peers_answer_as_named() {
    for (manners, len) in [(OddUdp::Empty, 0), (OddUdp::OneByte, 1), (OddUdp::Echo, 5)] {
        let peer = OddPeer::udp(manners);
        let answer = servers::answers(peer.place(), b"hello").expect("it answers");
        assert_eq!(answer.len(), len, "{manners:?}");
    }
}

#[test]
fn nobody_listens_at_the_closed_place() {
    let place = closed_place();
    assert!(!accepts(place));
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket can be made");
    socket.set_read_timeout(Some(Duration::from_secs(5))).expect("five seconds are valid");
    socket.connect(place).expect("loopback has a route");
    socket.send(b"hello").expect("it leaves");
    let error = socket.recv(&mut [0]).expect_err("nobody answers");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}
