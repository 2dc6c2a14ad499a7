//! The floor for TCP: non-blocking connects, epoll, and the same socket used
//! again after a refusal.
//!
//! `floor_tcp HOSTS PORTS [--tries 1] [--gap-ms 300] [--timeout-ms 1000]
//! [--max-in-flight N] [--reuse 1]`
//!
//! An endpoint gets up to `tries` connects, each from a fresh socket, `gap`
//! apart; `timeout` is the wait after the last one. Prints the open endpoints
//! and how many were open, closed, refused otherwise and silent.

mod floor;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use floor::{Epoll, Options};

/// No socket: the end of an endpoint's chain.
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, PartialEq)]
enum State {
    Waiting,
    Open,
    Closed,
    /// An error that is neither a refusal nor ours (an ICMP message).
    Unreachable,
    Silent,
}

struct Endpoint {
    address: u32,
    port: u16,
    state: State,
    sent: u8,
    /// Newest socket that waits for this endpoint.
    newest: u32,
}

/// A socket that waits; the older ones of the same endpoint form a chain.
struct Slot {
    fd: i32,
    endpoint: u32,
    older: u32,
}

struct Floor {
    epoll: Epoll,
    endpoints: Vec<Endpoint>,
    slots: Vec<Slot>,
    /// Slots without a socket.
    empty: Vec<u32>,
    /// Slots whose socket was refused and can connect again.
    refused: Vec<u32>,
    /// Endpoints that wait for an answer.
    in_flight: usize,
    undecided: usize,
    reuse: bool,
}

fn main() {
    let started = Instant::now();
    let options =
        Options::read("floor_tcp HOSTS PORTS [--tries N] [--gap-ms N] [--timeout-ms N]", 2);
    let (tries, gap) = (options.number("tries", 1) as u8, options.millis("gap-ms", 300));
    let timeout = options.millis("timeout-ms", 1000);
    let limit = floor::raise_descriptor_limit().saturating_sub(8);
    // Every endpoint that waits may come to hold a socket for each try.
    let window =
        options.number("max-in-flight", 4096).min(limit / u64::from(tries.max(1))) as usize;
    let ports = floor::ports(&options.words[1]);
    let mut floor =
        Floor::new(&floor::hosts(&options.words[0]), &ports, options.number("reuse", 1) != 0);
    floor.run(window, tries, gap, timeout);
    floor.finish(started);
}

impl Floor {
    fn new(hosts: &[u32], ports: &[u16], reuse: bool) -> Self {
        let mut endpoints = Vec::with_capacity(hosts.len() * ports.len());
        // Ports outside, hosts inside: neighbours in time are not one host.
        for &port in ports {
            endpoints.extend(hosts.iter().map(|&address| Endpoint {
                address,
                port,
                state: State::Waiting,
                sent: 0,
                newest: NONE,
            }));
        }
        let undecided = endpoints.len();
        Self {
            epoll: Epoll::new(1024),
            endpoints,
            slots: Vec::new(),
            empty: Vec::new(),
            refused: Vec::new(),
            in_flight: 0,
            undecided,
            reuse,
        }
    }

    /// Sends everything and waits; every delay is the same, so that a queue in
    /// order of sending is a queue in order of time.
    fn run(&mut self, window: usize, tries: u8, gap: Duration, timeout: Duration) {
        let mut again: VecDeque<(Instant, u32)> = VecDeque::new();
        let mut last: VecDeque<(Instant, u32)> = VecDeque::new();
        let mut next = 0u32;
        while self.undecided > 0 {
            let now = Instant::now();
            while let Some(&(_, endpoint)) = last.front().filter(|(due, _)| *due <= now) {
                last.pop_front();
                self.decide(endpoint, State::Silent);
            }
            let mut room = 256;
            while room > 0 {
                let endpoint = match again.front() {
                    Some(&(due, endpoint)) if due <= now => {
                        again.pop_front();
                        endpoint
                    }
                    _ if (next as usize) < self.endpoints.len() && self.in_flight < window => {
                        next += 1;
                        self.in_flight += 1;
                        next - 1
                    }
                    _ => break,
                };
                if self.endpoints[endpoint as usize].state != State::Waiting {
                    continue;
                }
                room -= 1;
                self.connect(endpoint);
                if self.endpoints[endpoint as usize].sent >= tries {
                    last.push_back((now + timeout, endpoint));
                } else {
                    again.push_back((now + gap, endpoint));
                }
            }
            if self.undecided > 0 {
                self.listen(if room == 0 { Some(now) } else { earliest(&again, &last) });
            }
        }
    }

    fn connect(&mut self, endpoint: u32) {
        let slot = self.refused.pop().unwrap_or_else(|| self.open_slot());
        let target = &mut self.endpoints[endpoint as usize];
        let address = floor::sockaddr(target.address, target.port);
        target.sent += 1;
        self.slots[slot as usize].endpoint = endpoint;
        self.slots[slot as usize].older = target.newest;
        target.newest = slot;
        match connect(self.slots[slot as usize].fd, &address) {
            libc::EINPROGRESS => {}
            0 => self.decide(endpoint, State::Open),
            libc::ECONNREFUSED => self.refuse(slot),
            libc::ENETUNREACH | libc::EHOSTUNREACH => self.decide(endpoint, State::Unreachable),
            error => floor::fail(&format!("connect: {}", std::io::Error::from_raw_os_error(error))),
        }
    }

    fn open_slot(&mut self) -> u32 {
        let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: no pointers.
        let fd = floor::must(unsafe { libc::socket(libc::AF_INET, kind, 0) }, "socket");
        let linger = libc::linger { l_onoff: 1, l_linger: 0 };
        // SAFETY: the value outlives the call and its size is given.
        unsafe {
            libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_LINGER, (&raw const linger).cast(), 8)
        };
        let slot = self.empty.pop().unwrap_or_else(|| {
            self.slots.push(Slot { fd: -1, endpoint: NONE, older: NONE });
            self.slots.len() as u32 - 1
        });
        self.slots[slot as usize].fd = fd;
        self.epoll.add(fd, libc::EPOLLOUT | libc::EPOLLET, u64::from(slot));
        slot
    }

    fn listen(&mut self, until: Option<Instant>) {
        let events: Vec<u32> = self.epoll.wait(until).map(|(slot, _)| slot as u32).collect();
        for slot in events {
            let Slot { fd, endpoint, .. } = self.slots[slot as usize];
            if endpoint == NONE {
                continue;
            }
            // A second connect() tells how the first one ended and leaves the
            // socket ready for the next; after SO_ERROR it would need a third
            // call (inet_stream_connect answers ECONNABORTED once).
            let target = &self.endpoints[endpoint as usize];
            match connect(fd, &floor::sockaddr(target.address, target.port)) {
                // A connect to ourselves proves that nobody listens there.
                0 | libc::EISCONN if connected_to_itself(fd) => {
                    self.decide(endpoint, State::Closed)
                }
                0 | libc::EISCONN => self.decide(endpoint, State::Open),
                libc::EALREADY | libc::EINPROGRESS => {}
                libc::ECONNREFUSED => self.refuse(slot),
                libc::ETIMEDOUT => self.decide(endpoint, State::Silent),
                _ => self.decide(endpoint, State::Unreachable),
            }
        }
    }

    /// Takes a refused socket out of its chain, to be used again.
    fn refuse(&mut self, slot: u32) {
        let endpoint = self.slots[slot as usize].endpoint;
        if self.reuse && self.endpoints[endpoint as usize].newest == slot {
            self.endpoints[endpoint as usize].newest = self.slots[slot as usize].older;
            self.slots[slot as usize].endpoint = NONE;
            self.refused.push(slot);
        }
        self.decide(endpoint, State::Closed);
    }

    /// Settles an endpoint and closes what still waits for it.
    fn decide(&mut self, endpoint: u32, state: State) {
        let target = &mut self.endpoints[endpoint as usize];
        if target.state != State::Waiting {
            return;
        }
        target.state = state;
        self.undecided -= 1;
        self.in_flight -= 1;
        let mut slot = std::mem::replace(&mut target.newest, NONE);
        while slot != NONE {
            let waiting = &mut self.slots[slot as usize];
            floor::close(waiting.fd);
            waiting.endpoint = NONE;
            self.empty.push(slot);
            slot = waiting.older;
        }
    }

    fn finish(&self, started: Instant) {
        let of = |state| self.endpoints.iter().filter(move |endpoint| endpoint.state == state);
        let open = floor::endpoints_json(
            of(State::Open).map(|endpoint| (endpoint.address, endpoint.port)),
        );
        let (closed, silent) = (of(State::Closed).count(), of(State::Silent).count());
        let unreachable = of(State::Unreachable).count();
        let fields = format!(
            "\"open\":{open},\"closed\":{closed},\"silent\":{silent},\"unreachable\":{unreachable}"
        );
        floor::finish(started, &fields);
    }
}

/// Starts a connect, or asks how one ended; its errno, or 0.
fn connect(fd: i32, address: &libc::sockaddr_in) -> i32 {
    // SAFETY: the address outlives the call and its size is given.
    match unsafe { libc::connect(fd, std::ptr::from_ref(address).cast(), floor::SOCKADDR_LEN) } {
        0 => 0,
        _ => floor::errno(),
    }
}

/// Whether both ends of a connection are the same.
fn connected_to_itself(fd: i32) -> bool {
    let (mut here, mut there) = (floor::sockaddr(0, 0), floor::sockaddr(0, 0));
    let mut length = floor::SOCKADDR_LEN;
    // SAFETY: both addresses are alive and have the length that is given.
    let known = unsafe {
        libc::getpeername(fd, (&raw mut there).cast(), &mut length) == 0
            && libc::getsockname(fd, (&raw mut here).cast(), &mut length) == 0
    };
    known && here.sin_port == there.sin_port && here.sin_addr.s_addr == there.sin_addr.s_addr
}

fn earliest(one: &VecDeque<(Instant, u32)>, two: &VecDeque<(Instant, u32)>) -> Option<Instant> {
    let first = |queue: &VecDeque<(Instant, u32)>| queue.front().map(|(due, _)| *due);
    first(one).into_iter().chain(first(two)).min()
}
