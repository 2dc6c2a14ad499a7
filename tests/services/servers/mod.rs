//! Real servers from Debian packages, each on a loopback address of its own.
//!
//! A function here starts one server and returns it ready to answer, or says
//! that the test is skipped because the server is not installed. A server that
//! is installed and does not start is a failure of the test.
//!
//! Start reading at [`process::Recipe`].

pub mod certificate;
pub mod datagram;
pub mod dns;
pub mod fixed_port;
pub mod nginx;
pub mod ntp;
pub mod odd;
pub mod place;
pub mod postgres;
pub mod process;
pub mod redis;
pub mod ssh;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

/// How long one look at a starting server waits for its answer.
const LOOK: Duration = Duration::from_millis(250);

/// The server takes connections.
pub fn accepts(place: SocketAddr) -> bool {
    TcpStream::connect_timeout(&place, LOOK).is_ok()
}

/// The first bytes that the server says over TCP, after `question` if there is one.
pub fn says(place: SocketAddr, question: &[u8]) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&place, LOOK).ok()?;
    stream.set_read_timeout(Some(LOOK)).ok()?;
    stream.write_all(question).ok()?;
    let mut bytes = vec![0; 512];
    let len = stream.read(&mut bytes).ok()?;
    bytes.truncate(len);
    (len > 0).then_some(bytes)
}

/// What the server answers to a datagram.
pub fn answers(place: SocketAddr, question: &[u8]) -> Option<Vec<u8>> {
    // Any address of this machine that reaches the server's.
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.set_read_timeout(Some(LOOK)).ok()?;
    socket.connect(place).ok()?;
    socket.send(question).ok()?;
    let mut bytes = vec![0; 4096];
    let len = socket.recv(&mut bytes).ok()?;
    bytes.truncate(len);
    Some(bytes)
}
