use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::platform;
use super::{Arrival, Attempt, Event, MAX_ANSWER, Net, SourceBinding, Stop};
use crate::model::{Endpoint, Farewell, Handle, IcmpError, Moment, Sent, Signal, Transport};

/// Wakes the loop; no socket has this token.
const WAKER: Token = Token(usize::MAX);

/// Datagrams read from one socket before the others get their turn.
///
/// A peer that never stops answering must not hold the loop.
const DATAGRAMS_PER_TURN: usize = 8;

/// Idle sockets kept for the next attempt. More than a few hundred are never
/// reused within a turn of the loop.
const MAX_IDLE: usize = 512;

/// When a SYN may have been sent again at the earliest (RFC 6298 2.1, with
/// room for a coarse clock).
const FIRST_RETRANSMISSION: Duration = Duration::from_millis(900);

/// The network of this machine, for an ordinary user.
///
/// TCP: a non-blocking connect, with the error queue on. A socket whose
/// connect was refused is used again for the next attempt, which halves the
/// cost of a closed port; every connect gets a fresh source port all the same.
/// UDP: an unconnected socket and a fresh source port for each datagram, so
/// that every answer belongs to one send time, answers from other ports are
/// heard, and errors arrive with their sender.
pub struct LiveNet {
    poll: Poll,
    ready: Events,
    start: Instant,
    slots: Vec<Slot>,
    free: Vec<u32>,
    idle: [Vec<u32>; 2],
    open: usize,
    limit: usize,
    binding: SourceBinding,
    stop: Stop,
    buffer: Box<[u8]>,
}

struct Slot {
    socket: Option<Socket>,
    /// Readiness of this socket is reported already.
    watched: bool,
    generation: u32,
    /// None while the socket is idle.
    attempt: Option<Listening>,
}

#[derive(Clone, Copy)]
struct Listening {
    key: u64,
    endpoint: Endpoint,
    sent: Moment,
    /// Options were set that the next attempt must not inherit.
    altered: bool,
}

impl LiveNet {
    /// A network that holds at most `limit` sockets open at once.
    ///
    /// # Errors
    /// When the system grants no epoll instance.
    pub fn new(limit: usize, binding: SourceBinding) -> io::Result<LiveNet> {
        LiveNet::since(Instant::now(), limit, binding)
    }

    /// One of several networks that share a beginning of time.
    pub(super) fn since(
        start: Instant,
        limit: usize,
        binding: SourceBinding,
    ) -> io::Result<LiveNet> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        // Without a waker the loop notices at its next timer.
        let wake = move || drop(waker.wake());
        Ok(LiveNet {
            poll,
            ready: Events::with_capacity(1024),
            start,
            slots: Vec::new(),
            free: Vec::new(),
            idle: [Vec::new(), Vec::new()],
            open: 0,
            limit: limit.max(1),
            binding,
            stop: Stop::new(wake),
            buffer: vec![0; 65_536].into_boxed_slice(),
        })
    }

    /// A handle by which another thread ends the wait.
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// Sends one packet and tells at once what became of it.
    pub fn send_now(&mut self, attempt: &Attempt<'_>) -> Sent {
        match self.try_send(attempt) {
            Ok(slot) => Sent::Listening(self.handle(slot)),
            Err(e) => match e.raw_os_error().unwrap_or(libc::EIO) {
                // No address of that family to send from, or no free port?
                libc::EADDRNOTAVAIL if lacks_source(attempt.endpoint) => {
                    Sent::Refused { errno: libc::EADDRNOTAVAIL }
                }
                libc::EADDRNOTAVAIL => Sent::Busy { errno: libc::EAGAIN },
                errno @ (libc::EMFILE
                | libc::ENFILE
                | libc::ENOMEM
                | libc::ENOBUFS
                | libc::ENOSPC
                | libc::EAGAIN) => Sent::Busy { errno },
                errno => Sent::Refused { errno },
            },
        }
    }

    /// Stops listening for an attempt and tells at once what was known of it.
    pub fn forget_now(&mut self, handle: Handle) -> Farewell {
        let Some(slot) = self.listening(handle) else { return Farewell::default() };
        let Some(listening) = self.slots[slot as usize].attempt else { return Farewell::default() };
        let farewell = match (&self.slots[slot as usize].socket, listening.endpoint.transport) {
            (Some(socket), Transport::Tcp) => platform::tcp_info(socket.as_raw_fd())
                .map(|info| Farewell {
                    retransmits: info.retransmits.min(255) as u8,
                    invalid_answer: info.segments_in > 0 && !info.is_connected(),
                })
                .unwrap_or_default(),
            _ => Farewell::default(),
        };
        self.close(slot);
        farewell
    }

    /// Takes a socket that is as good as new: a refused one, or a new one.
    fn socket_for(&mut self, attempt: &Attempt<'_>) -> io::Result<u32> {
        let v6 = attempt.endpoint.socket.is_ipv6();
        let fresh = attempt.hops.is_some() || attempt.endpoint.transport == Transport::Udp;
        if !fresh && let Some(slot) = self.idle[usize::from(v6)].pop() {
            return Ok(slot);
        }
        while self.open >= self.limit {
            let idle = self.idle[0].pop().or_else(|| self.idle[1].pop());
            match idle {
                Some(slot) => self.close(slot),
                None => return Err(io::Error::from_raw_os_error(libc::EMFILE)),
            }
        }
        let (kind, protocol) = match attempt.endpoint.transport {
            Transport::Tcp => (Type::STREAM, Protocol::TCP),
            Transport::Udp => (Type::DGRAM, Protocol::UDP),
        };
        let domain = if v6 { Domain::IPV6 } else { Domain::IPV4 };
        let socket = Socket::new(domain, kind.nonblocking().cloexec(), Some(protocol))?;
        platform::set_receive_errors(&socket, v6, true)?;
        if v6 {
            // Otherwise a UDP socket hears IPv4 senders, too.
            socket.set_only_v6(true)?;
        }
        self.binding.apply(&socket, attempt.endpoint.socket)?;
        if let Some(hops) = attempt.hops {
            platform::set_hops(&socket, v6, hops)?;
        }
        self.open += 1;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { socket: None, watched: false, generation: 0, attempt: None });
            (self.slots.len() - 1) as u32
        });
        self.slots[slot as usize].socket = Some(socket);
        Ok(slot)
    }

    fn close(&mut self, slot: u32) {
        if self.take(slot).is_some() {
            self.free.push(slot);
        }
    }

    /// Removes the socket from its slot without closing it.
    fn take(&mut self, slot: u32) -> Option<Socket> {
        let entry = &mut self.slots[slot as usize];
        entry.attempt = None;
        entry.generation = entry.generation.wrapping_add(1);
        entry.watched = false;
        let socket = entry.socket.take();
        self.open -= usize::from(socket.is_some());
        socket
    }

    fn handle(&self, slot: u32) -> Handle {
        Handle(u64::from(self.slots[slot as usize].generation) << 32 | u64::from(slot))
    }

    /// The slot of a handle that is still listening.
    fn listening(&self, handle: Handle) -> Option<u32> {
        let slot = handle.0 as u32;
        let entry = self.slots.get(slot as usize)?;
        (u64::from(entry.generation) == handle.0 >> 32 && entry.attempt.is_some()).then_some(slot)
    }

    /// Has the socket's readiness reported, once in its life.
    fn watch(&mut self, slot: u32) -> io::Result<()> {
        let entry = &mut self.slots[slot as usize];
        if let (Some(socket), false) = (&entry.socket, entry.watched) {
            self.poll.registry().register(
                &mut SourceFd(&socket.as_raw_fd()),
                Token(slot as usize),
                Interest::READABLE | Interest::WRITABLE,
            )?;
            entry.watched = true;
        }
        Ok(())
    }

    fn try_send(&mut self, attempt: &Attempt<'_>) -> io::Result<u32> {
        let slot = self.socket_for(attempt)?;
        let address = attempt.endpoint.socket.into();
        let sent = match (&self.slots[slot as usize].socket, attempt.endpoint.transport) {
            (Some(socket), Transport::Tcp) => match socket.connect(&address) {
                Err(e) if e.raw_os_error() == Some(libc::EINPROGRESS) => Ok(()),
                other => other,
            },
            (Some(socket), Transport::Udp) => socket.send_to(attempt.payload, &address).map(drop),
            (None, _) => Err(io::Error::from_raw_os_error(libc::EBADF)),
        };
        if let Err(e) = sent.and_then(|()| self.watch(slot)) {
            self.close(slot);
            return Err(e);
        }
        let altered = attempt.hops.is_some();
        let Attempt { key, endpoint, .. } = *attempt;
        let listening = Listening { key, endpoint, sent: self.now(), altered };
        self.slots[slot as usize].attempt = Some(listening);
        Ok(slot)
    }

    /// Puts a refused socket aside for the next attempt.
    fn rest(&mut self, slot: u32, listening: &Listening) {
        let pool = &mut self.idle[usize::from(listening.endpoint.socket.is_ipv6())];
        if listening.altered || pool.len() >= MAX_IDLE {
            return self.close(slot);
        }
        let entry = &mut self.slots[slot as usize];
        entry.attempt = None;
        entry.generation = entry.generation.wrapping_add(1);
        pool.push(slot);
    }

    fn tcp_event(&mut self, slot: u32, listening: Listening, at: Moment, events: &mut Vec<Event>) {
        let Some(socket) = &self.slots[slot as usize].socket else { return };
        let fd = socket.as_raw_fd();
        // The kernel sends its first SYN again after a second, no sooner. What
        // it counts is gone once the outcome is asked for.
        let repeated = match at.since(listening.sent) >= FIRST_RETRANSMISSION {
            true => platform::tcp_info(fd).map_or(0, |info| info.retransmits.min(255) as u8),
            false => 0,
        };
        // The outcome first: reading the queue clears SO_ERROR, and a cleared
        // error on a dead socket must not look like a connection. Asked by a
        // second connect(), the socket can be used again after a refusal;
        // asked by SO_ERROR it could not (net/ipv4/af_inet.c
        // `__inet_stream_connect`: only connect() leaves SS_CONNECTING).
        let error = match socket.connect(&listening.endpoint.socket.into()) {
            Ok(()) => None,
            Err(e) => e.raw_os_error().filter(|errno| *errno != libc::EISCONN),
        };
        let icmp = decisive_error(fd, &listening.endpoint);
        let mut arrival = Arrival {
            key: listening.key,
            at,
            rtt: None,
            retransmits: repeated,
            signal: Signal::Refused,
            stream: None,
            listening: false,
        };
        match (icmp, error) {
            (Some(icmp), _) => {
                arrival.signal = Signal::Icmp(icmp);
                self.close(slot);
            }
            (None, Some(libc::ECONNREFUSED)) => self.rest(slot, &listening),
            (None, Some(libc::ECONNRESET | libc::EPIPE)) => {
                arrival.signal = Signal::Connected { reset: true };
                self.close(slot);
            }
            // A soft report in passing: the handshake is still going on.
            (None, Some(libc::EALREADY | libc::EINPROGRESS)) => return,
            (None, None) => {
                let Some(info) = platform::tcp_info(fd).filter(|i| i.is_connected()) else {
                    return;
                };
                // By timestamps (RFC 7323), so a repeated SYN does not blur it.
                arrival.rtt = info.rtt;
                arrival.retransmits = info.retransmits.min(255) as u8;
                let own = socket.local_addr().ok().and_then(|a| a.as_socket());
                let to_itself =
                    own.is_some_and(|own| same_endpoint(own, listening.endpoint.socket));
                arrival.signal = match to_itself {
                    true => Signal::SelfConnect,
                    false => Signal::Connected { reset: false },
                };
                arrival.stream = self.take(slot).map(|s| {
                    self.free.push(slot);
                    into_stream(s, &listening.endpoint)
                });
            }
            (None, Some(errno)) => {
                arrival.signal = Signal::Errno { errno };
                self.close(slot);
            }
        }
        events.push(Event::Arrived(arrival));
    }

    fn udp_event(&mut self, slot: u32, listening: Listening, at: Moment, events: &mut Vec<Event>) {
        let Some(socket) = &self.slots[slot as usize].socket else { return };
        let arrival = |signal| {
            Event::Arrived(Arrival {
                key: listening.key,
                at,
                rtt: None,
                retransmits: 0,
                signal,
                stream: None,
                listening: true,
            })
        };
        if let Some(icmp) = decisive_error(socket.as_raw_fd(), &listening.endpoint) {
            events.push(arrival(Signal::Icmp(icmp)));
        }
        for _ in 0..DATAGRAMS_PER_TURN {
            match platform::receive_from(socket, &mut self.buffer) {
                Ok((length, from)) => {
                    let bytes = self.buffer[..length.min(MAX_ANSWER)].to_vec();
                    events.push(arrival(Signal::Answer { from, bytes }));
                }
                // A pending error is reported once and hides what is queued behind it.
                Err(e) if e.kind() != io::ErrorKind::WouldBlock => continue,
                Err(_) => return,
            }
        }
        // Edge-triggered: what is left is read after the next datagram; the
        // endpoint is open by what was read.
    }
}

impl Net for LiveNet {
    fn now(&self) -> Moment {
        Moment::after_start(self.start.elapsed())
    }

    fn send(&mut self, attempt: Attempt<'_>) -> Option<Sent> {
        Some(self.send_now(&attempt))
    }

    fn forget(&mut self, _: u64, handle: Handle) -> Option<Farewell> {
        Some(self.forget_now(handle))
    }

    fn wait(&mut self, until: Option<Moment>, events: &mut Vec<Event>) {
        let timeout = until.map(|until| until.since(self.now()));
        let mut ready = std::mem::replace(&mut self.ready, Events::with_capacity(0));
        // Interrupted by a signal: the caller comes back by itself.
        let _ = self.poll.poll(&mut ready, timeout);
        let at = self.now();
        for event in &ready {
            if event.token() == WAKER {
                continue;
            }
            let slot = event.token().0 as u32;
            let Some(listening) = self.slots.get(slot as usize).and_then(|s| s.attempt) else {
                continue;
            };
            match listening.endpoint.transport {
                Transport::Tcp => self.tcp_event(slot, listening, at, events),
                Transport::Udp => self.udp_event(slot, listening, at, events),
            }
        }
        self.ready = ready;
    }
}

/// The first ICMP error in the queue that is about our packet and says
/// something about the port.
fn decisive_error(fd: i32, endpoint: &Endpoint) -> Option<IcmpError> {
    let mut decisive = None;
    while let Some(queued) = platform::next_queued_error(fd) {
        let ours = queued.destination.is_none_or(|to| same_endpoint(to, endpoint.socket));
        let says = queued.icmp.filter(|icmp| icmp.reason().is_some());
        if ours && decisive.is_none() {
            decisive = says;
        }
    }
    decisive
}

/// Whether this machine has no address to talk to `endpoint` from. Connecting
/// a UDP socket chooses a source address and sends nothing (connect(2)); when
/// only the ports are used up it fails with EAGAIN instead.
fn lacks_source(endpoint: Endpoint) -> bool {
    let domain = Domain::for_address(endpoint.socket);
    let refused = |e: io::Error| e.raw_os_error() == Some(libc::EADDRNOTAVAIL);
    Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))
        .and_then(|socket| socket.connect(&endpoint.socket.into()))
        .is_err_and(refused)
}

fn same_endpoint(a: SocketAddr, b: SocketAddr) -> bool {
    a.port() == b.port() && a.ip().to_canonical() == b.ip().to_canonical()
}

/// A connection that resets when dropped unless somebody takes it over.
fn into_stream(socket: Socket, endpoint: &Endpoint) -> OwnedFd {
    // On an established connection the option makes passing errors fatal (tcp(7)).
    let _ = platform::set_receive_errors(&socket, endpoint.socket.is_ipv6(), false);
    // 40,000 orderly closes to one address use up the local ports (TIME_WAIT).
    let _ = SockRef::from(&socket).set_linger(Some(Duration::ZERO));
    socket.into()
}
