//! The floor for UDP: one unconnected socket, its error queue, batched calls.
//!
//! `floor_udp HOSTS PORTS [--payloads PORT=HEX,...] [--tries 1] [--gap-ms 400]
//! [--timeout-ms 1000] [--rate N]`
//!
//! Every port gets its payload, or an empty datagram, up to `tries` times,
//! `gap` apart; `timeout` is the wait after the last round. An answer makes a
//! port open from whichever port of the host it comes (TFTP). Prints the open
//! endpoints and how many were closed, otherwise refused and silent.

mod floor;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use floor::Options;
use floor::batch::{BATCH, Batch};

#[derive(Clone, Copy, PartialEq)]
enum State {
    Silent,
    Open,
    Closed,
    Unreachable,
}

struct Floor {
    fd: i32,
    /// Our own port: on loopback a probe of it comes back to us.
    own_port: u16,
    hosts: Vec<u32>,
    ports: Vec<u16>,
    host_index: HashMap<u32, usize>,
    /// Index of each of the 65,536 ports, where it has one.
    port_index: Vec<Option<usize>>,
    /// Port by port, each in the order of `hosts`.
    states: Vec<State>,
    undecided: usize,
    incoming: Batch,
}

fn main() {
    let started = Instant::now();
    let options = Options::read("floor_udp HOSTS PORTS [--payloads PORT=HEX,...] [--tries N]", 2);
    let payloads = payloads(options.text("payloads").unwrap_or(""));
    let rate = options.number("rate", 0);
    let mut floor = Floor::new(floor::hosts(&options.words[0]), floor::ports(&options.words[1]));
    let tries = options.number("tries", 1);
    let (gap, timeout) = (options.millis("gap-ms", 400), options.millis("timeout-ms", 1000));
    for round in 1..=tries {
        let next = Instant::now() + if round < tries { gap } else { timeout };
        floor.send_round(&payloads, rate);
        floor.listen_until(next);
    }
    floor.finish(started);
}

fn payloads(text: &str) -> HashMap<u16, Vec<u8>> {
    let one = |word: &str| {
        let (port, hex) = word.split_once('=')?;
        let byte = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
        Some((port.parse().ok()?, (0..hex.len()).step_by(2).map(byte).collect::<Option<_>>()?))
    };
    let words = text.split(',').filter(|word| !word.is_empty());
    words
        .map(|word| one(word).unwrap_or_else(|| floor::fail(&format!("not PORT=HEX: {word}"))))
        .collect()
}

impl Floor {
    fn new(hosts: Vec<u32>, ports: Vec<u16>) -> Self {
        let kind = libc::SOCK_DGRAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: no pointers.
        let fd = floor::must(unsafe { libc::socket(libc::AF_INET, kind, 0) }, "socket");
        floor::set_option(fd, libc::IPPROTO_IP, libc::IP_RECVERR, 1);
        floor::set_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUF, 4 << 20);
        let (mut own, mut length) = (floor::sockaddr(0, 0), floor::SOCKADDR_LEN);
        // SAFETY: both addresses are alive and have the length that is given.
        unsafe {
            libc::bind(fd, (&raw const own).cast(), length);
            libc::getsockname(fd, (&raw mut own).cast(), &mut length);
        }
        let mut port_index = vec![None; 1 << 16];
        for (index, &port) in ports.iter().enumerate() {
            port_index[usize::from(port)] = Some(index);
        }
        Self {
            fd,
            own_port: u16::from_be(own.sin_port),
            host_index: hosts.iter().enumerate().map(|(index, &host)| (host, index)).collect(),
            states: vec![State::Silent; hosts.len() * ports.len()],
            undecided: hosts.len() * ports.len(),
            hosts,
            ports,
            port_index,
            incoming: Batch::new(),
        }
    }

    /// Sends one datagram to every endpoint that is still silent.
    fn send_round(&mut self, payloads: &HashMap<u16, Vec<u8>>, rate: u64) {
        let started = Instant::now();
        let mut outgoing = Batch::new();
        let (mut filled, mut sent) = (0, 0u64);
        for index in 0..self.states.len() {
            if self.states[index] == State::Silent {
                // Ports outside, hosts inside: neighbours in time are not one host.
                let (host, port) =
                    (self.hosts[index % self.hosts.len()], self.ports[index / self.hosts.len()]);
                outgoing.put(filled, host, port, payloads.get(&port).map_or(&[], Vec::as_slice));
                filled += 1;
            }
            if filled == BATCH || (filled > 0 && index + 1 == self.states.len()) {
                self.send_all(&mut outgoing, filled);
                sent += filled as u64;
                filled = 0;
                if let Some(nanos) = (sent * 1_000_000_000).checked_div(rate) {
                    self.listen_until(started + Duration::from_nanos(nanos));
                }
            }
        }
    }

    /// A pending ICMP error makes the kernel send nothing and return the error:
    /// read it and go on where it stopped.
    fn send_all(&mut self, outgoing: &mut Batch, count: usize) {
        let mut first = 0;
        while first < count {
            first += outgoing.send(self.fd, first, count);
            self.receive();
        }
    }

    fn listen_until(&mut self, until: Instant) {
        while self.undecided > 0 {
            let left = until.saturating_duration_since(Instant::now());
            let mut poll = libc::pollfd { fd: self.fd, events: libc::POLLIN, revents: 0 };
            // SAFETY: one structure, alive during the call.
            let ready = unsafe { libc::poll(&mut poll, 1, left.as_micros().div_ceil(1000) as i32) };
            if ready > 0 {
                self.receive();
            } else if left.is_zero() {
                return;
            }
        }
    }

    fn receive(&mut self) {
        for (flags, from_queue) in [(libc::MSG_ERRQUEUE, true), (0, false)] {
            loop {
                let count = self.incoming.receive(self.fd, flags);
                for index in 0..count {
                    self.judge(index, from_queue);
                }
                if count < BATCH {
                    break;
                }
            }
        }
    }

    fn judge(&mut self, index: usize, from_queue: bool) {
        let slot = self.incoming.slot(index);
        let host = u32::from_be(slot.address.sin_addr.s_addr);
        let port = u16::from_be(slot.address.sin_port);
        let state = match (from_queue, slot.icmp()) {
            (false, _) if port == self.own_port => State::Closed,
            (false, _) => State::Open,
            (true, Some((3, 3, offender))) if offender == host => State::Closed,
            (true, Some(_)) => State::Unreachable,
            (true, None) => return,
        };
        let Some(&host) = self.host_index.get(&host) else { return };
        // An answer from another port is TFTP's (RFC 1350, section 4).
        let asked =
            self.port_index[usize::from(port)].or(self.port_index[69].filter(|_| !from_queue));
        let Some(port) = asked else { return };
        let known = &mut self.states[port * self.hosts.len() + host];
        if *known == State::Silent {
            *known = state;
            self.undecided -= 1;
        }
    }

    fn finish(&self, started: Instant) {
        let count = |state| self.states.iter().filter(|&&known| known == state).count();
        let endpoint = |index: usize| {
            (self.hosts[index % self.hosts.len()], self.ports[index / self.hosts.len()])
        };
        let open =
            (0..self.states.len()).filter(|&index| self.states[index] == State::Open).map(endpoint);
        let fields = format!(
            "\"open\":{},\"closed\":{},\"silent\":{},\"unreachable\":{}",
            floor::endpoints_json(open),
            count(State::Closed),
            count(State::Silent),
            count(State::Unreachable)
        );
        floor::finish(started, &fields);
    }
}
