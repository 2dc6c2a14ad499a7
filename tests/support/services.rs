//! Servers with known manners, in any namespace of a world.
//!
//! A socket belongs to the namespace in which it was made, so all servers of
//! a world live in one small runtime and end with it.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::runtime::Runtime;

use super::namespace::Namespace;

/// What a TCP service does with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tcp {
    /// Accepts and says nothing.
    Silent,
    /// Accepts and greets.
    Banner,
    /// Accepts and closes at once.
    Close,
    /// Accepts and resets at once.
    Reset,
    /// Listens; the application never takes the connection.
    NeverAccept,
}

/// What a UDP service does with a datagram; `from` is the socket that answers.
#[derive(Clone)]
pub enum Udp {
    /// Sends it back (an empty one as one byte).
    Echo,
    /// Answers with an empty datagram.
    Empty,
    /// Sends it back after a while.
    EchoAfter(Duration),
    /// Takes it and says nothing.
    Silent,
    /// Sends it back from another socket.
    EchoFrom(Arc<UdpSocket>),
    /// Sends back what a function makes of it, if anything.
    Answer(Answerer),
}

/// Makes an answer of a datagram, or none.
pub type Answerer = Arc<dyn Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync>;

/// The servers of a world.
pub struct Services {
    runtime: Runtime,
}

impl Services {
    /// None yet.
    pub fn new() -> Services {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("services")
            .enable_all()
            .build()
            .expect("a runtime can be made");
        Services { runtime }
    }

    /// Starts a TCP service at `address` in `namespace`.
    pub fn tcp(&self, namespace: &Namespace, address: SocketAddr, manners: Tcp) {
        let listener = namespace
            .enter(|| listen(address))
            .unwrap_or_else(|error| panic!("cannot listen on {address}/tcp: {error}"));
        self.runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            serve_tcp(listener, manners).await
        });
    }

    /// Starts a UDP service at `address` in `namespace`.
    pub fn udp(&self, namespace: &Namespace, address: SocketAddr, manners: Udp) {
        let socket = bind_udp(namespace, address);
        self.runtime.spawn(async move {
            let socket = Arc::new(tokio::net::UdpSocket::from_std(socket)?);
            serve_udp(socket, manners).await
        });
    }
}

/// A UDP socket at `address` in `namespace`.
pub fn bind_udp(namespace: &Namespace, address: SocketAddr) -> UdpSocket {
    namespace
        .enter(|| {
            let socket = open(address, Type::DGRAM, Protocol::UDP)?;
            io::Result::Ok(UdpSocket::from(socket))
        })
        .unwrap_or_else(|error| panic!("cannot bind {address}/udp: {error}"))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = open(address, Type::STREAM, Protocol::TCP)?;
    socket.listen(1024)?;
    Ok(socket.into())
}

/// A bound, non-blocking socket that leaves the other family alone.
fn open(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    socket.set_reuse_address(kind == Type::STREAM)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

async fn serve_tcp(listener: tokio::net::TcpListener, manners: Tcp) -> io::Result<()> {
    if manners == Tcp::NeverAccept {
        // Keeps the listener, whose queue takes the connections.
        return std::future::pending().await;
    }
    loop {
        let (stream, _) = listener.accept().await?;
        match manners {
            Tcp::NeverAccept | Tcp::Close => drop(stream),
            Tcp::Reset => drop(stream.set_zero_linger()),
            Tcp::Silent => drop(tokio::spawn(hold(stream))),
            Tcp::Banner => {
                let _ = stream.try_write(b"220 world.test ready\r\n");
                tokio::spawn(hold(stream));
            }
        }
    }
}

/// Keeps a connection until its other end is gone.
async fn hold(stream: tokio::net::TcpStream) {
    let mut buffer = [0; 1024];
    loop {
        if stream.readable().await.is_err() {
            return;
        }
        match stream.try_read(&mut buffer) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

async fn serve_udp(socket: Arc<tokio::net::UdpSocket>, manners: Udp) -> io::Result<()> {
    let mut buffer = vec![0; 65536];
    loop {
        // An error here is a port-unreachable about an earlier answer of ours.
        let Ok((len, asker)) = socket.recv_from(&mut buffer).await else { continue };
        let echo = if len == 0 { vec![b'x'] } else { buffer[..len].to_vec() };
        match &manners {
            Udp::Silent => {}
            Udp::Echo => drop(socket.try_send_to(&echo, asker)),
            Udp::Empty => drop(socket.try_send_to(&[], asker)),
            Udp::EchoFrom(other) => drop(other.send_to(&echo, asker)),
            Udp::EchoAfter(delay) => {
                let (socket, delay) = (Arc::clone(&socket), *delay);
                tokio::spawn(async move {
                    tokio::time::sleep(delay).await;
                    let _ = socket.try_send_to(&echo, asker);
                });
            }
            Udp::Answer(answer) => {
                if let Some(bytes) = answer(&buffer[..len]) {
                    let _ = socket.try_send_to(&bytes, asker);
                }
            }
        }
    }
}
