use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::model::Transport;

/// A socket of this machine that waits for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its transport.
    pub transport: Transport,
    /// Address and port it is bound to.
    pub bound: SocketAddr,
}

/// Everything that listens on this machine.
#[derive(Clone, Debug, Default)]
pub struct Listeners(Vec<Listener>);

impl Listeners {
    /// Reads /proc/net/tcp, tcp6, udp and udp6 (proc_pid_net(5)). What cannot
    /// be read is taken as empty.
    pub fn read() -> Listeners {
        /// TCP_LISTEN, and for UDP TCP_CLOSE: bound and unconnected.
        const FILES: [(&str, Transport, &str); 4] = [
            ("/proc/net/tcp", Transport::Tcp, "0A"),
            ("/proc/net/tcp6", Transport::Tcp, "0A"),
            ("/proc/net/udp", Transport::Udp, "07"),
            ("/proc/net/udp6", Transport::Udp, "07"),
        ];
        let mut all = Vec::new();
        for (file, transport, state) in FILES {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            all.extend(text.lines().skip(1).filter_map(|line| parse_line(line, transport, state)));
        }
        Listeners(all)
    }

    /// A list of its own, for tests of what is said about it.
    pub fn of(listeners: Vec<Listener>) -> Listeners {
        Listeners(listeners)
    }

    /// Those at a port.
    pub fn at(&self, transport: Transport, port: u16) -> impl Iterator<Item = &Listener> {
        self.0.iter().filter(move |l| l.transport == transport && l.bound.port() == port)
    }
}

fn parse_line(line: &str, transport: Transport, state: &str) -> Option<Listener> {
    let mut fields = line.split_whitespace();
    let (local, is_state) = (fields.nth(1)?, fields.nth(1)?);
    if is_state != state {
        return None;
    }
    let (address, port) = local.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(Listener { transport, bound: SocketAddr::new(parse_address(address)?, port) })
}

/// Words of 32 bits in host byte order, in hexadecimal.
fn parse_address(text: &str) -> Option<IpAddr> {
    let word = |at: usize| u32::from_str_radix(text.get(at..at + 8)?, 16).ok();
    match text.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(0)?.to_ne_bytes()))),
        32 => {
            let mut octets = [0u8; 16];
            for n in 0..4 {
                octets[n * 4..n * 4 + 4].copy_from_slice(&word(n * 8)?.to_ne_bytes());
            }
            Some(IpAddr::V6(Ipv6Addr::from(octets)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_of_our_own_is_found() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let bound = socket.local_addr().unwrap();
        let listeners = Listeners::read();
        let found: Vec<_> = listeners.at(Transport::Tcp, bound.port()).collect();
        assert_eq!(found, [&Listener { transport: Transport::Tcp, bound }]);
    }
}
