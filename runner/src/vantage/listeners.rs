use std::cell::OnceCell;
use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::model::Transport;

/// A socket of this machine that waits for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its transport.
    pub transport: Transport,
    /// Address and port it is bound to.
    pub bound: SocketAddr,
    /// The kernel's number of the socket, by which its process is found.
    pub inode: u64,
}

impl Listener {
    /// Whether it waits on every address of the machine.
    pub fn is_on_all_addresses(&self) -> bool {
        self.bound.ip().is_unspecified()
    }
}

/// Everything that listens on this machine.
#[derive(Clone, Debug, Default)]
pub struct Listeners {
    /// Sorted by transport and port, for runs that ask about every port.
    all: Vec<Listener>,
    /// Names of processes by inode; read when first asked for.
    processes: OnceCell<HashMap<u64, String>>,
}

impl Listeners {
    /// Reads /proc/net/tcp, tcp6, udp and udp6 (proc_pid_net(5)). What cannot
    /// be read is taken as empty.
    pub fn read() -> Listeners {
        /// TCP_LISTEN, and for UDP TCP_CLOSE: bound and unconnected
        /// (include/net/tcp_states.h).
        const FILES: [(&str, Transport, &str); 4] = [
            ("/proc/net/tcp", Transport::Tcp, "0A"),
            ("/proc/net/tcp6", Transport::Tcp, "0A"),
            ("/proc/net/udp", Transport::Udp, "07"),
            ("/proc/net/udp6", Transport::Udp, "07"),
        ];
        let mut all = Vec::new();
        for (file, transport, state) in FILES {
            let text = fs::read_to_string(file).unwrap_or_default();
            all.extend(text.lines().skip(1).filter_map(|line| parse_line(line, transport, state)));
        }
        Listeners::of(all)
    }

    /// A list of its own, for tests of what is said about it.
    pub fn of(mut all: Vec<Listener>) -> Listeners {
        all.sort_by_key(|l| (l.transport, l.bound.port()));
        Listeners { all, processes: OnceCell::new() }
    }

    /// Those at a port.
    pub fn at(&self, transport: Transport, port: u16) -> &[Listener] {
        let key = |l: &Listener| (l.transport, l.bound.port());
        let start = self.all.partition_point(|l| key(l) < (transport, port));
        let end = self.all.partition_point(|l| key(l) <= (transport, port));
        &self.all[start..end]
    }

    /// The process that holds a socket, as `name (pid 123)`. An ordinary user
    /// sees its own processes only (proc_pid_fd(5)). Unescaped.
    pub fn process(&self, listener: &Listener) -> Option<&str> {
        let by_inode = self.processes.get_or_init(read_processes);
        by_inode.get(&listener.inode).map(String::as_str)
    }
}

/// Who holds which socket: /proc/PID/fd/N links to `socket:[INODE]`.
fn read_processes() -> HashMap<u64, String> {
    let mut by_inode = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry.file_name().to_string_lossy().into_owned();
        if !pid.bytes().all(|b| b.is_ascii_digit()) {
            continue;
        }
        let folder = entry.path();
        let mut name = None;
        for descriptor in fs::read_dir(folder.join("fd")).into_iter().flatten().flatten() {
            let Ok(link) = fs::read_link(descriptor.path()) else { continue };
            let Some(inode) = link.to_str().and_then(parse_socket_link) else { continue };
            let name = name.get_or_insert_with(|| {
                let comm = fs::read_to_string(folder.join("comm")).unwrap_or_default();
                format!("{} (pid {pid})", comm.trim_end())
            });
            by_inode.entry(inode).or_insert_with(|| name.clone());
        }
    }
    by_inode
}

fn parse_socket_link(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// One line: `sl local_address rem_address st queues timer retrnsmt uid timeout inode ...`.
pub(crate) fn parse_line(line: &str, transport: Transport, state: &str) -> Option<Listener> {
    let mut fields = line.split_whitespace().skip(1);
    let (local, _remote, its_state) = (fields.next()?, fields.next()?, fields.next()?);
    if its_state != state {
        return None;
    }
    let (address, port) = local.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let inode = fields.nth(5).and_then(|inode| inode.parse().ok()).unwrap_or(0);
    Some(Listener { transport, bound: SocketAddr::new(parse_address(address)?, port), inode })
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

    /// The listener at `bound`. Others may hold the same port at other addresses,
    /// and the kernel skips lines of a table that changes while it is read.
    fn listener_at(transport: Transport, bound: SocketAddr) -> Option<(Listeners, Listener)> {
        (0..20).find_map(|_| {
            let listeners = Listeners::read();
            let found = listeners.at(transport, bound.port()).iter().find(|l| l.bound == bound)?;
            let found = *found;
            Some((listeners, found))
        })
    }

    #[test]
    fn a_listener_of_our_own_is_found_with_its_process() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let bound = socket.local_addr().unwrap();
        let (listeners, found) = listener_at(Transport::Tcp, bound).unwrap();
        let found = &found;
        assert_eq!((found.transport, found.bound), (Transport::Tcp, bound));
        let process = listeners.process(found).unwrap();
        assert!(process.ends_with(&format!("(pid {})", std::process::id())), "{process}");
    }

    #[test]
    fn a_bound_udp_socket_of_ipv6_is_found() {
        let socket = std::net::UdpSocket::bind("[::1]:0").unwrap();
        let bound = socket.local_addr().unwrap();
        let (_, found) = listener_at(Transport::Udp, bound).unwrap();
        assert_eq!((found.transport, found.bound), (Transport::Udp, bound));
    }

    #[test]
    fn lines_that_are_no_listeners_are_passed_over() {
        let lines = [
            "",
            "   0: 0100007F:1538 00000000:0000 01 00000000:00000000 00:00000000 00000000 0 0 17",
            "   0: 0100007F 00000000:0000 0A 0 0 0",
            "   0: 0100:1538 00000000:0000 0A 0 0 0",
            "   0: 0100007F:15389 00000000:0000 0A 0 0 0",
        ];
        for line in lines {
            assert_eq!(parse_line(line, Transport::Tcp, "0A"), None, "{line}");
        }
    }
}
