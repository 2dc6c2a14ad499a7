//! Exit codes of whole runs, over loopback only.

use std::net::{TcpListener, UdpSocket};

use crate::run::portscan;

/// A port of 127.0.0.1 that nobody listens on while the guard lives: bound,
/// never listening, so that nobody else takes it.
fn closed_port() -> (u16, socket2::Socket) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    (socket.local_addr().unwrap().as_socket().unwrap().port(), socket)
}

#[test]
fn all_open_is_0() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for format in ["table", "json", "jsonl"] {
        let line = format!("127.0.0.1:{port} --no-plugins --format {format}");
        portscan(&line).end().code(0).prints("open");
    }
}

#[test]
fn something_closed_is_1_in_every_format() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let open = listener.local_addr().unwrap().port();
    let (closed, _guard) = closed_port();
    for format in ["table", "json", "jsonl"] {
        let line = format!("127.0.0.1:{open},{closed} --no-plugins --format {format}");
        portscan(&line).end().code(1).prints("closed");
    }
}

#[test]
fn udp_silence_is_1() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let line = format!("127.0.0.1:{port}/udp --no-plugins --timeout 300ms");
    portscan(&line).end().code(1).prints("open|filtered");
}

#[test]
fn a_name_that_cannot_exist_is_2_and_goes_before_closed() {
    let (closed, _guard) = closed_port();
    // RFC 6761: nobody is asked for a name below `invalid`. The final dot keeps
    // the machine's search list out.
    let line = format!("127.0.0.1:{closed} nowhere.invalid.:{closed} --no-plugins --format json");
    portscan(&line).end().code(2).prints("unresolved");
}

#[test]
fn commands_that_probe_nothing_end_with_0() {
    portscan("explain admin-prohibited").end().code(0).prints("admin-prohibited");
    portscan("completions bash").end().code(0).prints("_portscan");
    portscan("plugin list").end().code(0);
}
