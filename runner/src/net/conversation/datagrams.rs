use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use super::{Peer, TalkError};
use crate::model::ReplyFrom;
use crate::net::platform;

/// A datagram and the port of the endpoint's address that it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Its bytes, cut to what was asked for.
    pub bytes: Vec<u8>,
    /// Source port.
    pub port: u16,
}

/// Whether the socket has neither address nor port yet.
fn is_unbound(socket: &Socket) -> bool {
    let address = socket.local_addr().ok().and_then(|address| address.as_socket());
    address.is_none_or(|address| address.port() == 0 && address.ip().is_unspecified())
}

/// A UDP socket that talks to one endpoint.
///
/// With `same-port` the kernel filters by address and port (connected socket);
/// with `any-port` the socket is unconnected and the address is compared here.
pub(super) struct Datagrams {
    socket: UdpSocket,
    peer: SocketAddr,
}

impl Datagrams {
    pub(super) fn open(peer: &Peer) -> Result<Datagrams, TalkError> {
        let address = peer.endpoint.socket;
        let domain = Domain::for_address(address);
        let socket = Socket::new(domain, Type::DGRAM.nonblocking().cloexec(), Some(Protocol::UDP))?;
        // Without it Linux keeps the softer ICMP errors to itself (ip(7)).
        platform::set_receive_errors(&socket, address.is_ipv6(), true)?;
        peer.source.apply(&socket, address)?;
        match peer.reply_from {
            ReplyFrom::SamePort => socket.connect(&address.into())?,
            // A port at once, as the first datagram would give it one.
            ReplyFrom::AnyPort if is_unbound(&socket) => {
                let any: IpAddr = match address {
                    SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                    SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
                };
                socket.bind(&SocketAddr::new(any, 0).into())?;
            }
            ReplyFrom::AnyPort => {}
        }
        Ok(Datagrams { socket: UdpSocket::from_std(socket.into())?, peer: address })
    }

    pub(super) fn local_port(&self) -> u16 {
        self.socket.local_addr().map_or(0, |address| address.port())
    }

    pub(super) async fn send(&mut self, bytes: &[u8], wait: Duration) -> Result<(), TalkError> {
        let deadline = Instant::now() + wait;
        // A connected socket reports the error of the datagram before and
        // sends nothing: that error is the answer.
        let sent = match self.socket.peer_addr() {
            Ok(_) => timeout_at(deadline, self.socket.send(bytes)).await,
            Err(_) => timeout_at(deadline, self.socket.send_to(bytes, self.peer)).await,
        };
        match sent.map_err(|_| TalkError::TimedOut)? {
            Ok(_) => Ok(()),
            Err(e) => Err(self.explain(e)),
        }
    }

    /// One datagram from the peer's address, from `port` alone if one is given.
    pub(super) async fn receive(
        &mut self,
        max: usize,
        wait: Duration,
        port: Option<u16>,
    ) -> Result<Datagram, TalkError> {
        let deadline = Instant::now() + wait;
        let mut bytes = Vec::with_capacity(max.max(1));
        loop {
            bytes.clear();
            let got = timeout_at(deadline, self.socket.recv_buf_from(&mut bytes)).await;
            match got.map_err(|_| TalkError::TimedOut)? {
                Ok((_, from)) if self.is_heard(from, port) => {
                    bytes.truncate(max);
                    return Ok(Datagram { bytes, port: from.port() });
                }
                Ok(_) => {}
                Err(e) => return Err(self.explain(e)),
            }
        }
    }

    fn is_heard(&self, from: SocketAddr, port: Option<u16>) -> bool {
        from.ip().to_canonical() == self.peer.ip().to_canonical()
            && port.is_none_or(|port| port == from.port())
    }

    /// The error, with the words of the ICMP message that is its cause.
    fn explain(&self, error: std::io::Error) -> TalkError {
        let mut cause = None;
        while let Some(queued) = platform::next_queued_error(self.socket.as_raw_fd()) {
            cause = queued.icmp.or(cause);
        }
        match (TalkError::from(error), cause) {
            (TalkError::Refused, _) => TalkError::Refused,
            (_, Some(icmp)) => {
                TalkError::Unreachable(format!("{}, says {}", icmp.text(), icmp.from))
            }
            (other, None) => other,
        }
    }
}
