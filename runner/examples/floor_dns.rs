//! The floor for application checks: DNS checks in native Rust, N at once.
//!
//! `floor_dns HOSTS PORT [--over udp|udp-each|tcp] [--at-once 1000]
//! [--timeout-ms 1000] [--threads 1]`
//!
//! `udp`: one unconnected socket with batched calls. `udp-each`: a connected
//! socket each. `tcp`: a connection each, one question, one answer, a reset.
//! Every answer is read to its end. Prints how many were answered and not.

mod floor;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use floor::batch::{BATCH, Batch};
use floor::{Epoll, Options, dns};

fn main() {
    let started = Instant::now();
    let options = Options::read(
        "floor_dns HOSTS PORT [--over udp|udp-each|tcp] [--at-once N] [--threads N]",
        2,
    );
    floor::raise_descriptor_limit();
    let hosts = floor::hosts(&options.words[0]);
    let port = floor::ports(&options.words[1])[0];
    let threads = options.number("threads", 1).max(1) as usize;
    let at_once = (options.number("at-once", 1000) as usize / threads).max(1);
    let timeout = options.millis("timeout-ms", 1000);
    let work: fn(&[u32], u16, usize, Duration) -> usize =
        match options.text("over").unwrap_or("udp") {
            "udp" => over_one_socket,
            "udp-each" => |hosts, port, at_once, timeout| {
                over_sockets(hosts, port, at_once, timeout, Kind::Datagram)
            },
            "tcp" => |hosts, port, at_once, timeout| {
                over_sockets(hosts, port, at_once, timeout, Kind::Stream)
            },
            other => floor::fail(&format!("--over wants udp, udp-each or tcp, not {other}")),
        };
    let answered: usize = std::thread::scope(|scope| {
        let parts = hosts.chunks(hosts.len().div_ceil(threads));
        let running: Vec<_> =
            parts.map(|part| scope.spawn(move || work(part, port, at_once, timeout))).collect();
        running.into_iter().map(|thread| thread.join().unwrap_or(0)).sum()
    });
    let rate = answered as f64 / started.elapsed().as_secs_f64();
    let silent = hosts.len() - answered;
    floor::finish(
        started,
        &format!("\"answered\":{answered},\"silent\":{silent},\"per_second\":{rate:.0}"),
    );
}

/// One id per place in the order of hosts; ids of checks that wait at the same
/// time differ as long as fewer than 65,536 do.
fn id(index: usize) -> u16 {
    (index & 0xffff) as u16
}

fn over_one_socket(hosts: &[u32], port: u16, at_once: usize, timeout: Duration) -> usize {
    let kind = libc::SOCK_DGRAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: no pointers.
    let fd = floor::must(unsafe { libc::socket(libc::AF_INET, kind, 0) }, "socket");
    floor::set_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUF, 4 << 20);
    let places: HashMap<u32, usize> =
        hosts.iter().enumerate().map(|(index, &host)| (host, index)).collect();
    let mut done = vec![false; hosts.len()];
    let (mut outgoing, mut incoming) = (Batch::new(), Batch::new());
    let (mut next, mut answered) = (0, 0);
    let mut patience = Instant::now() + timeout;
    while answered < hosts.len() && Instant::now() < patience {
        let count = (at_once - (next - answered).min(at_once)).min(BATCH).min(hosts.len() - next);
        for index in 0..count {
            outgoing.put(index, hosts[next + index], port, &dns::query(id(next + index)));
        }
        let sent = if count > 0 { outgoing.send(fd, 0, count) } else { 0 };
        next += sent;
        if sent == 0 {
            let mut poll = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
            // SAFETY: one structure, alive during the call.
            unsafe { libc::poll(&mut poll, 1, 100) };
        }
        let count = incoming.receive(fd, 0);
        for index in 0..count {
            let slot = incoming.slot(index);
            let Some(&place) = places.get(&u32::from_be(slot.address.sin_addr.s_addr)) else {
                continue;
            };
            if !done[place] && dns::is_answer(id(place), &slot.bytes[..slot.length]) {
                done[place] = true;
                answered += 1;
            }
        }
        if count > 0 || sent > 0 {
            patience = Instant::now() + timeout;
        }
    }
    answered
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Datagram,
    Stream,
}

/// One socket and one epoll registration per check.
fn over_sockets(hosts: &[u32], port: u16, at_once: usize, timeout: Duration, kind: Kind) -> usize {
    let mut epoll = Epoll::new(256);
    let mut sockets = vec![-1; hosts.len()];
    let (mut next, mut ended, mut answered) = (0, 0, 0);
    let mut patience = Instant::now() + timeout;
    while ended < hosts.len() && Instant::now() < patience {
        while next < hosts.len() && next - ended < at_once {
            sockets[next] = start(&epoll, hosts[next], port, next, kind);
            next += 1;
        }
        let events: Vec<_> = epoll.wait(Some(patience)).collect();
        if !events.is_empty() {
            patience = Instant::now() + timeout;
        }
        for (token, events) in events {
            let index = token as usize;
            let fd = sockets[index];
            if let Some(right) = advance(fd, id(index), events, kind) {
                answered += usize::from(right);
                ended += 1;
                floor::close(fd);
            }
        }
    }
    answered
}

fn start(epoll: &Epoll, host: u32, port: u16, index: usize, kind: Kind) -> i32 {
    let flag = if kind == Kind::Stream { libc::SOCK_STREAM } else { libc::SOCK_DGRAM };
    let address = floor::sockaddr(host, port);
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    // SAFETY: the values outlive the calls and their sizes are given.
    let fd = unsafe {
        let fd = floor::must(
            libc::socket(libc::AF_INET, flag | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC, 0),
            "socket",
        );
        libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_LINGER, (&raw const linger).cast(), 8);
        libc::connect(fd, (&raw const address).cast(), floor::SOCKADDR_LEN);
        fd
    };
    let out = if kind == Kind::Stream { libc::EPOLLOUT } else { 0 };
    epoll.add(fd, libc::EPOLLIN | out | libc::EPOLLET, index as u64);
    if kind == Kind::Datagram {
        write(fd, &dns::query(id(index)));
    }
    fd
}

/// Takes a check one step further; whether the answer was right, once it is there.
fn advance(fd: i32, id: u16, events: i32, kind: Kind) -> Option<bool> {
    if events & libc::EPOLLIN == 0 {
        if events & (libc::EPOLLERR | libc::EPOLLHUP) != 0 {
            return Some(false);
        }
        let mut framed = [0u8; 32];
        framed[1] = 30;
        framed[2..].copy_from_slice(&dns::query(id));
        write(fd, &framed);
        return None;
    }
    let mut answer = [0u8; 1024];
    // SAFETY: the buffer has the size that is given.
    let length = unsafe { libc::recv(fd, answer.as_mut_ptr().cast(), answer.len(), 0) };
    let Ok(length) = usize::try_from(length) else { return Some(false) };
    let answer = &answer[..length];
    // The rig's answers are small enough to come in one segment.
    let message = if kind == Kind::Stream { answer.get(2..).unwrap_or(&[]) } else { answer };
    Some(dns::is_answer(id, message))
}

fn write(fd: i32, bytes: &[u8]) {
    // SAFETY: the buffer has the size that is given. A failure shows as silence.
    unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) };
}
