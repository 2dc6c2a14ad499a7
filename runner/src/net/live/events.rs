//! What readiness of a socket means.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::Duration;

use socket2::Socket;

use super::{Listening, LiveNet};
use crate::model::{Endpoint, IcmpError, Moment, Signal};
use crate::net::{Arrival, Connected, Event, MAX_ANSWER, platform};

/// Datagrams read from one socket before the others get their turn.
///
/// A peer that never stops answering must not hold the loop.
const DATAGRAMS_PER_TURN: usize = 8;

/// When a SYN may have been sent again at the earliest (RFC 6298 2.1, with
/// room for a coarse clock).
const FIRST_RETRANSMISSION: Duration = Duration::from_millis(900);

impl LiveNet {
    /// Asks how a connect ended. `may_fail`: readiness told of an error, or was not asked.
    pub(super) fn tcp_event(
        &mut self,
        slot: u32,
        listening: Listening,
        at: Moment,
        may_fail: bool,
        events: &mut Vec<Event>,
    ) {
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
        let icmp = may_fail.then(|| decisive_error(fd, &listening.endpoint)).flatten();
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
                let local_port = own.map_or(0, |own| own.port());
                self.unwatch(slot);
                arrival.stream = self.take(slot).map(|s| {
                    self.free.push(slot);
                    into_connection(s, &listening.endpoint, local_port)
                });
            }
            (None, Some(errno)) => {
                arrival.signal = Signal::Errno { errno };
                self.close(slot);
            }
        }
        events.push(Event::Arrived(arrival));
    }

    /// Takes the errors, where readiness told of one, and the datagrams of a socket.
    pub(super) fn udp_event(
        &mut self,
        slot: u32,
        listening: Listening,
        at: Moment,
        has_failed: bool,
        events: &mut Vec<Event>,
    ) {
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
        if has_failed && let Some(icmp) = decisive_error(socket.as_raw_fd(), &listening.endpoint) {
            events.push(arrival(Signal::Icmp(icmp)));
        }
        for _ in 0..DATAGRAMS_PER_TURN {
            match platform::receive_from(socket, &mut self.buffer) {
                Ok((length, from)) => {
                    let bytes = self.buffer[..length.min(MAX_ANSWER)].to_vec();
                    events.push(arrival(Signal::Answer { from, bytes }));
                    if same_endpoint(from, listening.endpoint.socket) {
                        break;
                    }
                }
                // A pending error is reported once and hides what is queued behind it.
                Err(e) if e.kind() != io::ErrorKind::WouldBlock => continue,
                Err(_) => return,
            }
        }
        // Edge-triggered: what is left is read after the next datagram; an endpoint
        // that answered itself is open by what was read.
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

fn same_endpoint(a: SocketAddr, b: SocketAddr) -> bool {
    a.port() == b.port() && a.ip().to_canonical() == b.ip().to_canonical()
}

/// The connection for whoever goes on with it.
fn into_connection(socket: Socket, endpoint: &Endpoint, local_port: u16) -> Connected {
    // On an established connection the option makes passing errors fatal (tcp(7)).
    let _ = platform::set_receive_errors(&socket, endpoint.socket.is_ipv6(), false);
    Connected::new(socket, local_port)
}
