//! Where a server listens: a loopback address of its own.

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};

thread_local! {
    /// Where the next server of this thread is to listen.
    static NEXT: Cell<Option<SocketAddr>> = const { Cell::new(None) };
}

/// Makes `start` start its server at this place, in the thread's own network.
pub fn at<T>(place: SocketAddr, start: impl FnOnce() -> T) -> T {
    NEXT.set(Some(place));
    let started = start();
    NEXT.set(None);
    started
}

/// Reserves a port on a loopback address that no other server of any test run
/// uses, free for both transports.
///
/// Linux answers for all of 127.0.0.0/8 without set-up, so an address for each
/// server, made from the process id and a counter, keeps servers apart even
/// when several test runs share a machine. The ports lie below the kernel's
/// usual ephemeral range (ip-sysctl: 32768 to 60999): no outgoing connection
/// takes one between this look and the server's own bind.
///
/// # Panics
/// When a hundred places in a row are taken.
pub fn reserve() -> SocketAddr {
    if let Some(place) = NEXT.take() {
        return place;
    }
    static COUNT: AtomicU32 = AtomicU32::new(0);
    (0..100)
        .map(|_| nth_place(COUNT.fetch_add(1, Ordering::Relaxed)))
        .find(|&place| is_free(place))
        .expect("one of a hundred places on loopback is free")
}

fn nth_place(nth: u32) -> SocketAddr {
    let pid = std::process::id();
    // 127.0.*.* stays free for the machine's own daemons (127.0.0.1, 127.0.0.53).
    let [_, _, middle, low] = pid.to_be_bytes();
    let high = 1 + (nth % 250) as u8;
    let port = 10_000 + (pid.wrapping_mul(31).wrapping_add(nth) % 20_000) as u16;
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, high, middle, low)), port)
}

/// Nobody listens there, a wildcard listener of the machine included.
fn is_free(place: SocketAddr) -> bool {
    TcpListener::bind(place).is_ok() && !is_taken_udp(place)
}

/// Somebody has bound the UDP port.
pub fn is_taken_udp(place: SocketAddr) -> bool {
    UdpSocket::bind(place).is_err()
}
