use std::net::TcpStream;
use std::os::fd::AsFd;
use std::time::Duration;

use socket2::{SockRef, Socket};

/// A TCP connection that a probe opened; non-blocking.
///
/// Dropping it resets it: 40,000 orderly closes to one address use up the local
/// ports (TIME_WAIT). A conversation that takes it over ends it in good order.
#[derive(Debug)]
pub struct Connected {
    stream: Option<TcpStream>,
    local_port: u16,
}

impl Connected {
    /// The established connection of `socket`, which leaves from `local_port`.
    pub(super) fn new(socket: Socket, local_port: u16) -> Connected {
        Connected { stream: Some(socket.into()), local_port }
    }

    /// The stream, which nobody resets any more, and the port that it leaves from.
    pub(super) fn take_over(mut self) -> (Option<TcpStream>, u16) {
        (self.stream.take(), self.local_port)
    }
}

impl From<TcpStream> for Connected {
    fn from(stream: TcpStream) -> Connected {
        let local_port = stream.local_addr().map_or(0, |address| address.port());
        // On an open socket of ours it cannot fail (ioctl_list(2) FIONBIO).
        let _ = stream.set_nonblocking(true);
        Connected { stream: Some(stream), local_port }
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        if let Some(stream) = &self.stream {
            let _ = SockRef::from(&stream.as_fd()).set_linger(Some(Duration::ZERO));
        }
    }
}
