//! The far end of the rigs: listeners that cost as little as they can.
//!
//! `floor_responder [--tcp PORTS] [--tcp-dns PORTS] [--udp-dns PORTS]
//! [--udp-silent PORTS] [--threads 1]`
//!
//! Binds every local address, answers datagrams from the address that was
//! asked, and prints `ready` once everything listens. `tcp` accepts and closes;
//! `udp-silent` reads and says nothing. Ends with its parent.

mod floor;

use std::io::{self, Write as _};

use floor::batch::{BATCH, Batch};
use floor::{Epoll, Options, dns};

/// What a descriptor is.
#[derive(Clone, Copy)]
enum Role {
    Listener,
    DnsListener,
    DnsDatagrams,
    Silent,
    DnsConnection,
}

fn main() {
    let options =
        Options::read("floor_responder [--tcp PORTS] [--tcp-dns PORTS] [--udp-dns PORTS]", 0);
    // SAFETY: no pointers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    floor::raise_descriptor_limit();
    let kinds = [
        ("tcp", Role::Listener),
        ("tcp-dns", Role::DnsListener),
        ("udp-dns", Role::DnsDatagrams),
        ("udp-silent", Role::Silent),
    ];
    let bound = || {
        let mut sockets = Vec::new();
        for (name, role) in kinds {
            let ports = options.text(name).map(floor::ports).unwrap_or_default();
            sockets.extend(ports.into_iter().map(|port| (bind(port, role), role)));
        }
        sockets
    };
    // Every thread has sockets of its own; the kernel spreads the work.
    let all: Vec<_> = (0..options.number("threads", 1)).map(|_| bound()).collect();
    if writeln!(io::stdout(), "ready").and_then(|()| io::stdout().flush()).is_err() {
        floor::fail("stdout is closed");
    }
    std::thread::scope(|scope| {
        for sockets in all {
            scope.spawn(move || serve(&sockets));
        }
    });
}

fn bind(port: u16, role: Role) -> i32 {
    let kind = match role {
        Role::Listener | Role::DnsListener => libc::SOCK_STREAM,
        _ => libc::SOCK_DGRAM,
    };
    let address = floor::sockaddr(0, port);
    // SAFETY: no pointers.
    let fd =
        unsafe { libc::socket(libc::AF_INET, kind | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC, 0) };
    floor::must(fd, "socket");
    floor::set_option(fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1);
    floor::set_option(fd, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1);
    // SAFETY: the address outlives the call and its size is given.
    let result = unsafe { libc::bind(fd, (&raw const address).cast(), floor::SOCKADDR_LEN) };
    floor::must(result, &format!("bind of port {port}"));
    if kind == libc::SOCK_STREAM {
        // SAFETY: no pointers.
        floor::must(unsafe { libc::listen(fd, 4096) }, "listen");
    } else {
        floor::set_option(fd, libc::IPPROTO_IP, libc::IP_PKTINFO, 1);
        // Root may pass the system's limit; a burst of 1,000 queries fits either way.
        floor::set_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, 16 << 20);
    }
    fd
}

fn serve(sockets: &[(i32, Role)]) {
    let mut epoll = Epoll::new(256);
    let mut roles: Vec<Option<Role>> = Vec::new();
    for &(fd, role) in sockets {
        remember(&mut roles, fd, Some(role));
        epoll.add(fd, libc::EPOLLIN, fd as u64);
    }
    let mut batch = Batch::new();
    loop {
        let events: Vec<i32> = epoll.wait(None).map(|(fd, _)| fd as i32).collect();
        for fd in events {
            match roles[fd as usize] {
                Some(Role::Listener) => {
                    while accept(fd).inspect(|&fd| floor::close(fd)).is_some() {}
                }
                Some(Role::DnsListener) => {
                    while let Some(accepted) = accept(fd) {
                        remember(&mut roles, accepted, Some(Role::DnsConnection));
                        epoll.add(accepted, libc::EPOLLIN, accepted as u64);
                    }
                }
                Some(Role::DnsDatagrams) => answer_datagrams(fd, &mut batch),
                Some(Role::Silent) => while batch.receive(fd, 0) == BATCH {},
                Some(Role::DnsConnection) if !answer_connection(fd) => {
                    roles[fd as usize] = None;
                    floor::close(fd);
                }
                Some(Role::DnsConnection) | None => {}
            }
        }
    }
}

fn remember(roles: &mut Vec<Option<Role>>, fd: i32, role: Option<Role>) {
    roles.resize(roles.len().max(fd as usize + 1), None);
    roles[fd as usize] = role;
}

fn accept(fd: i32) -> Option<i32> {
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: null pointers say that the address is not wanted.
    let accepted = unsafe { libc::accept4(fd, std::ptr::null_mut(), std::ptr::null_mut(), flags) };
    (accepted >= 0).then_some(accepted)
}

fn answer_datagrams(fd: i32, batch: &mut Batch) {
    let count = batch.receive(fd, 0);
    for index in 0..count {
        let slot = batch.slot(index);
        let length = slot.length;
        // Anything else is echoed, which any prober counts as an answer.
        slot.length = dns::answer(&mut slot.bytes, length).unwrap_or(length);
        slot.answer_from_asked_address();
    }
    let mut first = 0;
    while first < count {
        // A datagram that cannot be sent is skipped, as a lost one.
        first += batch.send(fd, first, count).max(1);
    }
}

/// Answers one framed question; whether the connection goes on. A question in
/// pieces ends it: the rig's probers send it in one.
fn answer_connection(fd: i32) -> bool {
    let mut bytes = [0u8; 1024];
    // SAFETY: the buffer has the size that is given.
    let length = unsafe { libc::recv(fd, bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    if length < 0 {
        return floor::errno() == libc::EAGAIN;
    }
    let length = length as usize;
    if length < 2 || usize::from(u16::from_be_bytes([bytes[0], bytes[1]])) != length - 2 {
        return false;
    }
    let Some(answer) = dns::answer(&mut bytes[2..], length - 2) else { return false };
    bytes[..2].copy_from_slice(&(answer as u16).to_be_bytes());
    // SAFETY: the buffer has at least the size that is given.
    unsafe { libc::send(fd, bytes.as_ptr().cast(), answer + 2, libc::MSG_NOSIGNAL) > 0 }
}
