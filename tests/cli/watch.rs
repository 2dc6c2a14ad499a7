//! Probing again and again, over loopback.

use std::net::TcpListener;
use std::time::Duration;

use crate::run::portscan;

/// A port that nobody listens on, and that nobody else is given meanwhile.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_service_is_waited_for() {
    let port = free_port();
    let line =
        format!("watch 127.0.0.1:{port} --no-plugins --every 100ms --until open --within 20s");
    let later = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(600));
        TcpListener::bind(("127.0.0.1", port)).unwrap()
    });
    let ended =
        portscan(&line).end().code(0).prints(&format!("127.0.0.1 {port}/tcp  closed (reset)"));
    assert!(
        ended.stdout().contains("state: closed (reset) -> open (syn-ack)"),
        "{}",
        ended.stdout()
    );
    assert_eq!(ended.stdout().lines().count(), 2, "{}", ended.stdout());
    drop(later.join());
}

#[test]
fn what_does_not_come_ends_with_1_and_the_time_is_kept() {
    let line = format!(
        "watch 127.0.0.1:{} --no-plugins --every 100ms --until open --within 500ms",
        free_port()
    );
    let began = std::time::Instant::now();
    portscan(&line).end().code(1).says("the time is over");
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_command_gets_the_change() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let file = dir.path().join("change.json");
    let command = format!("cat > {}", file.display());
    let target = format!("127.0.0.1:{port}");
    let words = [
        "watch",
        &target,
        "--no-plugins",
        "--every",
        "100ms",
        "--until",
        "closed",
        "--within",
        "20s",
        "--on-change",
        &command,
    ];
    let later = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(600));
        drop(listener);
    });
    crate::run::portscan_with(&words).end().code(0);
    later.join().unwrap();
    let change: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(change["changes"][0]["after"], "closed (reset)");
}

/// A server that answers its own protocol only: rounds that sent something else
/// would see it silent.
#[test]
fn every_round_sends_what_the_plugin_wants_sent() {
    let server = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut buffer = [0; 1500];
        while let Ok((length, from)) = server.recv_from(&mut buffer) {
            // A DNS query (RFC 1035 4.1.1): answered as refused, the question kept.
            if length >= 17 && buffer[2] & 0x80 == 0 {
                buffer[2] |= 0x80;
                buffer[3] = 5;
                buffer[10..12].fill(0);
                server.send_to(&buffer[..length], from).unwrap();
            }
        }
    });
    let line = format!("127.0.0.1:{port}/udp --plugin dns --count 3 --every 100ms --format json");
    let report = portscan(&line).end().stdout();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let states = &report["endpoints"][0]["rounds"]["states"];
    assert_eq!(*states, serde_json::json!([{"state": "open", "rounds": 3}]));
}
