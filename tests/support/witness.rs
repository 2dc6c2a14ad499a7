//! Sees every packet that enters or leaves the prober, with its time.
//!
//! The witness keeps the worlds honest: when portscan and an expectation
//! differ, it says whether the world sent what the test claims that it sends.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::namespace::Namespace;
use super::packet::{ACK, Packet, RST, SYN, UDP};
use super::system::{self, Direction};

/// A packet that passed the prober's door.
#[derive(Clone, Debug)]
pub struct Sighting {
    pub at: Instant,
    pub direction: Direction,
    pub packet: Packet,
}

impl Sighting {
    /// Whether the packet, or the one that it quotes, belongs to `endpoint`.
    pub fn is_about(&self, protocol: u8, endpoint: SocketAddr) -> bool {
        if let Some(quoted) = self.packet.quoted() {
            return quoted.protocol == protocol && quoted.target_socket() == Some(endpoint);
        }
        let socket = match self.direction {
            Direction::Out => self.packet.target_socket(),
            Direction::In => self.packet.source_socket(),
        };
        self.packet.protocol == protocol && socket == Some(endpoint)
    }
}

/// The running observer. It ends with this value.
pub struct Witness {
    namespace: Namespace,
    notes: Arc<Notes>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What the observing thread writes down.
#[derive(Default)]
struct Notes {
    sightings: Mutex<Vec<Sighting>>,
    /// Told of every new sighting.
    more: Condvar,
}

impl Notes {
    fn lock(&self) -> MutexGuard<'_, Vec<Sighting>> {
        self.sightings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// More than any world sends; a flood must not fill the memory.
const MOST_SIGHTINGS: usize = 500_000;

impl Witness {
    /// Watches all interfaces of `namespace`, from now on.
    pub fn of(namespace: &Namespace) -> Witness {
        let socket = namespace
            .enter(system::open_packet_socket)
            .unwrap_or_else(|error| panic!("cannot watch {}: {error}", namespace.label()));
        let notes = Arc::new(Notes::default());
        let stop = Arc::new(AtomicBool::new(false));
        let (into, until) = (Arc::clone(&notes), Arc::clone(&stop));
        let thread = std::thread::Builder::new()
            .name("witness".to_owned())
            .spawn(move || watch(&socket, &into, &until))
            .expect("a thread can be started");
        Witness { namespace: namespace.clone(), notes, stop, thread: Some(thread) }
    }

    /// Forgets what was seen.
    pub fn forget(&self) {
        self.notes.lock().clear();
    }

    /// Waits until everything that has passed so far is written down.
    ///
    /// # Panics
    /// When that takes longer than any queue can explain.
    pub fn catch_up(&self) {
        const PATIENCE: Duration = Duration::from_secs(10);
        static COUNT: AtomicU64 = AtomicU64::new(0);
        // A packet that is surely the last one: what is older was seen before it.
        let mark = format!("mark {}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.namespace
            .enter(|| UdpSocket::bind("127.0.0.1:0")?.send_to(mark.as_bytes(), "127.0.0.1:9"))
            .expect("loopback takes a datagram");
        let is_missing = |sightings: &mut Vec<Sighting>| {
            !sightings
                .iter()
                .rev()
                .any(|s| s.packet.protocol == UDP && s.packet.payload() == mark.as_bytes())
        };
        let waited = self.notes.more.wait_timeout_while(self.notes.lock(), PATIENCE, is_missing);
        let timeout = waited.unwrap_or_else(PoisonError::into_inner).1;
        assert!(!timeout.timed_out(), "the witness lags behind");
    }

    /// Everything about one endpoint, oldest first.
    pub fn of_endpoint(&self, protocol: u8, endpoint: SocketAddr) -> Vec<Sighting> {
        self.notes.lock().iter().filter(|s| s.is_about(protocol, endpoint)).cloned().collect()
    }

    /// Everything.
    pub fn all(&self) -> Vec<Sighting> {
        self.notes.lock().clone()
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn watch(socket: &OwnedFd, notes: &Notes, stop: &AtomicBool) {
    let mut buffer = vec![0; 2048];
    while !stop.load(Ordering::Relaxed) {
        if system::wait_readable(&[socket.as_raw_fd()], 20).is_err() {
            return;
        }
        while let Ok((len, direction)) = system::read_packet(socket.as_fd(), &mut buffer) {
            let Some(packet) = Packet::read(&buffer[..len.min(2048)]) else { continue };
            let mut sightings = notes.lock();
            if sightings.len() < MOST_SIGHTINGS {
                sightings.push(Sighting { at: Instant::now(), direction, packet });
                notes.more.notify_all();
            }
        }
    }
}

/// How many probes left for the endpoint: SYNs, or datagrams.
pub fn probes(sightings: &[Sighting]) -> usize {
    sightings
        .iter()
        .filter(|s| s.direction == Direction::Out && s.packet.icmp_error().is_none())
        .filter(|s| s.packet.flags().is_none() || s.packet.is_syn())
        .count()
}

/// Whether an ICMP error of this kind arrived from `from`.
pub fn has_icmp(sightings: &[Sighting], kind: u8, code: u8, from: IpAddr) -> bool {
    sightings.iter().any(|s| {
        s.direction == Direction::In
            && s.packet.icmp_error() == Some((kind, code))
            && s.packet.source == from
    })
}

/// Whether a segment with exactly SYN and ACK arrived.
pub fn has_syn_ack(sightings: &[Sighting]) -> bool {
    has_flags(sightings, |flags| flags & (SYN | ACK | RST) == SYN | ACK)
}

/// Whether a RST arrived.
pub fn has_reset(sightings: &[Sighting]) -> bool {
    has_flags(sightings, |flags| flags & RST != 0)
}

fn has_flags(sightings: &[Sighting], wanted: impl Fn(u8) -> bool) -> bool {
    sightings.iter().any(|s| s.direction == Direction::In && s.packet.flags().is_some_and(&wanted))
}

/// The sightings as text, times counted from the first one.
pub fn describe(sightings: &[Sighting]) -> String {
    /// Enough to understand a case; a loop of packets must not flood the log.
    const MOST_LINES: usize = 40;
    let mut text = String::new();
    let Some(first) = sightings.first().map(|s| s.at) else {
        return "      (no packet at all)\n".to_owned();
    };
    for sighting in sightings.iter().take(MOST_LINES) {
        let after: Duration = sighting.at - first;
        let arrow = if sighting.direction == Direction::Out { "->" } else { "<-" };
        let millis = after.as_secs_f64() * 1000.0;
        let _ = writeln!(text, "      {millis:9.1} ms {arrow} {:?}", sighting.packet);
    }
    if sightings.len() > MOST_LINES {
        let _ = writeln!(text, "      and {} more", sightings.len() - MOST_LINES);
    }
    text
}
