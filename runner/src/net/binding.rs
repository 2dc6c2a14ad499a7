use std::io;
use std::net::{IpAddr, SocketAddr};

use socket2::Socket;

/// From where packets leave, when the user does not leave it to the routes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceBinding {
    /// Source address.
    pub address: Option<IpAddr>,
    /// Interface name (`SO_BINDTODEVICE`, for ordinary users since Linux 5.7).
    pub interface: Option<String>,
}

impl SourceBinding {
    /// Binds `socket` for talking to `peer`.
    ///
    /// # Errors
    /// Those of bind(2) and setsockopt(2): the address is not ours, the
    /// interface does not exist, the families differ.
    pub fn apply(&self, socket: &Socket, peer: SocketAddr) -> io::Result<()> {
        if let Some(name) = &self.interface {
            socket.bind_device(Some(name.as_bytes()))?;
        }
        if let Some(address) = self.address {
            if address.is_ipv4() != peer.is_ipv4() {
                return Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT));
            }
            super::platform::bind_without_port(socket)?;
            socket.bind(&SocketAddr::new(address, 0).into())?;
        }
        Ok(())
    }

    /// Whether there is anything to bind.
    pub fn is_default(&self) -> bool {
        self.address.is_none() && self.interface.is_none()
    }
}
