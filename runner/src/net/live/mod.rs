//! The network of this machine, by mio and socket options.

mod events;
mod prompt;
mod table;

use std::io;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use socket2::{Domain, Protocol, Socket, Type};

use super::platform;
use super::{Attempt, Event, Net, SourceBinding, Stop};
use crate::model::{Endpoint, Farewell, Handle, Moment, Sent, Transport};
use prompt::Prompt;
use table::{Room, Table};

/// Wakes the loop; no socket has this token.
const WAKER: Token = Token(usize::MAX);

/// Idle sockets kept for the next attempt. More than a few hundred are never
/// reused within a turn of the loop.
const MAX_IDLE: usize = 512;

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
    prompt: Prompt,
    table: Option<Table>,
    /// What attempts brought before they were waited for.
    prompted: Vec<Event>,
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
    /// See [`Farewell::doubtful`].
    doubtful: bool,
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
            prompt: Prompt::default(),
            table: Table::open(),
            prompted: Vec::new(),
        })
    }

    /// A handle by which another thread ends the wait.
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// Sends one packet and tells at once what became of it.
    pub fn send_now(&mut self, attempt: &Attempt<'_>) -> Sent {
        let room = self.table.as_mut().map_or(Room::Enough, Table::room);
        if room == Room::TakenByUs {
            return Sent::TableFull;
        }
        // Full of others', the kernel may still evict one of them.
        match self.try_send(attempt, room == Room::Taken) {
            Ok(handle) => Sent::Listening(handle),
            Err(e) => match e.raw_os_error().unwrap_or(libc::EIO) {
                // No address of that family to send from, or no free port?
                libc::EADDRNOTAVAIL if lacks_source(attempt.endpoint) => {
                    Sent::Refused { errno: libc::EADDRNOTAVAIL }
                }
                libc::EADDRNOTAVAIL => Sent::Busy { errno: libc::EAGAIN },
                // What the own firewall says for a datagram that finds no room.
                libc::EPERM if room == Room::Taken => Sent::Busy { errno: libc::ENOBUFS },
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
        let doubtful = listening.doubtful;
        let farewell = match (&self.slots[slot as usize].socket, listening.endpoint.transport) {
            (Some(socket), Transport::Tcp) => platform::tcp_info(socket.as_raw_fd())
                .map(|info| Farewell {
                    retransmits: info.retransmits.min(255) as u8,
                    invalid_answer: info.segments_in > 0 && !info.is_connected(),
                    doubtful,
                })
                .unwrap_or_default(),
            _ => Farewell { doubtful, ..Farewell::default() },
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

    /// Ends the reports: what a check does with the connection is none of ours.
    fn unwatch(&mut self, slot: u32) {
        let entry = &mut self.slots[slot as usize];
        if let (Some(socket), true) = (&entry.socket, entry.watched) {
            // Not watched any more is what was wanted.
            let _ = self.poll.registry().deregister(&mut SourceFd(&socket.as_raw_fd()));
            entry.watched = false;
        }
    }

    fn try_send(&mut self, attempt: &Attempt<'_>, doubtful: bool) -> io::Result<Handle> {
        let slot = self.socket_for(attempt)?;
        let sent_at = self.now();
        let address = attempt.endpoint.socket.into();
        let sent = match (&self.slots[slot as usize].socket, attempt.endpoint.transport) {
            (Some(socket), Transport::Tcp) => match socket.connect(&address) {
                Err(e) if e.raw_os_error() == Some(libc::EINPROGRESS) => Ok(()),
                other => other,
            },
            (Some(socket), Transport::Udp) => socket.send_to(attempt.payload, &address).map(drop),
            (None, _) => Err(io::Error::from_raw_os_error(libc::EBADF)),
        };
        if let Err(e) = sent {
            self.close(slot);
            return Err(e);
        }
        let altered = attempt.hops.is_some();
        let Attempt { key, endpoint, .. } = *attempt;
        let listening = Listening { key, endpoint, sent: sent_at, altered, doubtful };
        self.slots[slot as usize].attempt = Some(listening);
        let handle = self.handle(slot);
        if endpoint.transport == Transport::Tcp && self.is_answered_at_once(slot, listening) {
            return Ok(handle);
        }
        self.watch(slot).inspect_err(|_| self.close(slot))?;
        Ok(handle)
    }

    /// Asks for the outcome of a connect before it is waited for, where that pays.
    fn is_answered_at_once(&mut self, slot: u32, listening: Listening) -> bool {
        if !self.prompt.pays() {
            return false;
        }
        let mut events = std::mem::take(&mut self.prompted);
        let before = events.len();
        self.tcp_event(slot, listening, self.now(), true, &mut events);
        let answered = events.len() > before;
        self.prompted = events;
        self.prompt.learn(answered);
        answered
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
        let timeout = match self.prompted.is_empty() {
            true => until.map(|until| until.since(self.now())),
            false => Some(Duration::ZERO),
        };
        events.append(&mut self.prompted);
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
            let failed = event.is_error();
            match listening.endpoint.transport {
                Transport::Tcp => self.tcp_event(slot, listening, at, failed, events),
                Transport::Udp => self.udp_event(slot, listening, at, failed, events),
            }
        }
        self.ready = ready;
    }
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
