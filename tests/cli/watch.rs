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
fn a_name_that_leads_nowhere_is_told_and_what_means_nothing_is_refused() {
    let line = "watch nowhere.invalid.:1 --until open --within 100ms --every 100ms";
    portscan(line).end().code(1).prints("nowhere.invalid.  ");
    for (option, name) in [("--format json", "--format"), ("-o json=x", "--output")] {
        let said = format!("{name} means something only with one probe, not watch");
        portscan(&format!("watch 127.0.0.1:1 {option}")).end().code(2).says(&said);
    }
    // In a file it is meant for the other commands.
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("portscan.toml"), "format = 'json'\n").unwrap();
    let line = format!("watch 127.0.0.1:{} --until closed --within 5s", free_port());
    portscan(&line).dir(dir.path()).end().code(0).prints("closed (reset)");
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

/// A file that expects this port to be open, and another to be closed.
fn expecting(open: u16) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let text = format!("[targets.'127.0.0.1']\n{open} = 'open'\n1 = 'closed'\n");
    std::fs::write(dir.path().join("expected.toml"), text).unwrap();
    dir
}

#[test]
fn differences_from_a_file_are_told_as_they_come_and_go() {
    let port = free_port();
    let dir = expecting(port);
    let later = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(600));
        TcpListener::bind(("127.0.0.1", port)).unwrap()
    });
    let line = "watch --check expected.toml --no-plugins --every 100ms --until met --within 20s";
    let ended = portscan(line).dir(dir.path()).end().code(0);
    let stdout = ended.stdout();
    let told: Vec<&str> = stdout.lines().map(|line| line.split_once("Z  ").unwrap().1).collect();
    let wanted = [
        format!("127.0.0.1 {port}/tcp  state: expected open, is closed (reset)"),
        "1 as expected, 1 differs".to_owned(),
        format!(
            "127.0.0.1 {port}/tcp  expectation: state: expected open, is closed (reset) -> as expected"
        ),
        "2 as expected".to_owned(),
    ];
    assert_eq!(told, wanted);
    drop(later.join());
}

#[test]
fn a_command_gets_the_difference() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let dir = expecting(listener.local_addr().unwrap().port());
    let later = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(600));
        drop(listener);
    });
    let mut words: Vec<&str> = "watch --check expected.toml --no-plugins --every 100ms"
        .split(' ')
        .chain(["--until", "closed", "--within", "20s", "--on-change"])
        .collect();
    words.push("cat > change.json");
    crate::run::portscan_with(&words).dir(dir.path()).end().code(0);
    later.join().unwrap();
    let text = std::fs::read_to_string(dir.path().join("change.json")).unwrap();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["schema"], "portscan/changes/1");
    let change = &document["changes"][0];
    assert_eq!(change["what"], "expectation");
    assert_eq!(change["before"], "as expected");
    assert_eq!(change["after"], "state: expected open, is closed (reset)");
}

#[test]
fn what_is_not_met_in_time_ends_with_1_and_a_wrong_file_with_2() {
    let dir = expecting(free_port());
    let line = "watch --check expected.toml --no-plugins --every 100ms --until met --within 300ms";
    portscan(line).dir(dir.path()).end().code(1).prints("1 differs").says("the time is over");
    std::fs::write(dir.path().join("wrong.toml"), "[targets.a]\n1 = 'opne'\n").unwrap();
    let ended = portscan("watch --check wrong.toml").dir(dir.path()).end().code(2);
    ended.prints_nothing().says("wrong.toml:2:5: no state 'opne'; did you mean 'open'?");
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
