//! The second worked example, from its sources to a server that speaks its protocol,
//! with a secret that nobody else learns.

use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::thread;

use crate::{shell, top};

const TOKEN: &str = "sesame-open-4711";

/// A job server: one status frame for whoever knows the token, and echoes.
fn serve() -> u16 {
    let (tcp, udp) = loop {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()) {
            break (tcp, udp);
        }
    };
    let port = tcp.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in tcp.incoming().flatten() {
            let mut stream = stream;
            let mut length = [0; 2];
            if stream.read_exact(&mut length).is_err() {
                continue;
            }
            let mut frame = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut frame).unwrap();
            let known = frame[7..] == *TOKEN.as_bytes();
            let mut answer = vec![0, 11, 1, 2];
            answer.extend(&frame[2..6]);
            answer.extend([if known { 0 } else { 2 }, 0, 0, 0, 3]);
            stream.write_all(&answer).unwrap();
        }
    });
    thread::spawn(move || {
        let mut beat = [0; 64];
        while let Ok((len, from)) = udp.recv_from(&mut beat) {
            if len == 7 && beat.starts_with(b"HB") {
                beat[..2].copy_from_slice(b"hb");
                udp.send_to(&beat[..len], from).unwrap();
            }
        }
    });
    port
}

#[test]
fn the_worked_example_checks_a_real_server_and_its_secret_stays_one() {
    let folder = tempfile::tempdir().unwrap();
    let source = top().join("examples/heartbeat-check");
    let port = serve();
    let build = format!("portscan plugin build {} -o heartbeat.wasm", source.display());
    let test = format!(
        "portscan plugin test heartbeat.wasm --transcripts {}/transcripts",
        source.display()
    );
    let probe = format!(
        "JOBS_TOKEN={TOKEN} portscan 127.0.0.1 {port} {port}/udp --plugin ./heartbeat.wasm \
         --secret heartbeat.token=env:JOBS_TOKEN --record kept --explain --format json"
    );
    let replay = "portscan plugin test heartbeat.wasm --replay kept/*-tcp-check.toml \
                  --replay kept/*-udp-probe.toml";
    let mut said = String::new();
    for command in [build.as_str(), &test, &probe, replay] {
        let ended = shell(command, folder.path());
        let out = String::from_utf8_lossy(&ended.stdout) + String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{command}\n{out}");
        said += &out;
    }
    assert!(said.contains("\"heartbeat.queue\",\"value\":3"), "{said}");
    assert!(said.contains("its heart beats") && said.contains("it serves; 3 jobs wait"), "{said}");
    // Nowhere: not in what was printed, not in what was kept.
    let mut kept = 0;
    for entry in std::fs::read_dir(folder.path().join("kept")).unwrap() {
        said += &std::fs::read_to_string(entry.unwrap().path()).unwrap();
        kept += 1;
    }
    assert_eq!(kept, 3, "a probe, and a dialogue over each transport");
    assert!(!said.contains(TOKEN), "{said}");
    let hex: Vec<String> = TOKEN.bytes().map(|byte| format!("{byte:02x}")).collect();
    assert!(!said.contains(&hex.join(" ")) && !said.contains(&hex.concat()), "{said}");
    assert!(said.contains("?? ?? ?? ??"), "the frame is kept without it: {said}");
}
