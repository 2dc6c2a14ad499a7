//! A link in user space: two TUN devices and a thread that carries packets
//! between them as a test says: late, twice, in another order, or not at all;
//! and that makes packets nobody sent.
//!
//! The kernel's own tool for this (netem) is missing in many kernels and has
//! its own dice. Here every decision is the test's and the same in every run.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::fs::File;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::namespace::Namespace;
use super::packet::Packet;
use super::system;

/// Which way a packet travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// Away from the prober.
    Out,
    /// Towards the prober.
    Back,
}

/// How long a packet takes at least, each way. Not zero: at zero delay the
/// kernel answers inside the caller's `connect()`, which is a case of its own.
pub const BASE_DELAY: Duration = Duration::from_millis(1);

/// Where a course puts the packets that it lets through or makes.
pub struct Outlet {
    way: Way,
    packets: Vec<(Duration, Way, Vec<u8>)>,
}

impl Outlet {
    /// Lets `packet` through.
    pub fn forward(&mut self, packet: &Packet) {
        self.forward_after(Duration::ZERO, packet);
    }

    /// Lets `packet` through, `delay` later than the wire's own.
    pub fn forward_after(&mut self, delay: Duration, packet: &Packet) {
        self.packets.push((delay + BASE_DELAY, self.way, packet.bytes.clone()));
    }

    /// Sends a hand-made packet back to where the packet at hand came from, a
    /// round trip and `delay` later.
    pub fn answer_after(&mut self, delay: Duration, bytes: Vec<u8>) {
        let way = match self.way {
            Way::Out => Way::Back,
            Way::Back => Way::Out,
        };
        self.packets.push((delay + 2 * BASE_DELAY, way, bytes));
    }
}

/// Decides about every packet: what is not given to the outlet is lost.
pub type Course = Box<dyn FnMut(&Packet, Way, &mut Outlet) + Send>;

/// The running link. It ends with this value.
pub struct Wire {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Wire {
    /// Makes the devices, up and without addresses, and starts carrying.
    /// `near` is the prober's end.
    pub fn between(near: (&Namespace, &str), far: (&Namespace, &str), course: Course) -> Wire {
        let open = |(namespace, device): (&Namespace, &str)| {
            let fd = namespace.enter(|| system::open_tun(device)).unwrap_or_else(|error| {
                panic!("cannot make {device} in {}: {error}", namespace.label())
            });
            namespace.ip(&format!("link set {device} up"));
            File::from(fd)
        };
        let ends = [open(near), open(far)];
        let stop = Arc::new(AtomicBool::new(false));
        let carrier =
            Carrier { ends, course, queue: BinaryHeap::new(), count: 0, stop: Arc::clone(&stop) };
        let thread = std::thread::Builder::new()
            .name("wire".to_owned())
            .spawn(move || carrier.carry())
            .expect("a thread can be started");
        Wire { stop, thread: Some(thread) }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join)
            && !std::thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

/// A packet under way: when it arrives, its number (which keeps the order of
/// packets that arrive at the same time), where to, and its bytes.
type UnderWay = Reverse<(Instant, u64, usize, Vec<u8>)>;

struct Carrier {
    ends: [File; 2],
    course: Course,
    queue: BinaryHeap<UnderWay>,
    count: u64,
    stop: Arc<AtomicBool>,
}

impl Carrier {
    fn carry(mut self) {
        /// How long the end of a world may take.
        const LOOK_UP: Duration = Duration::from_millis(20);
        let fds: [RawFd; 2] = [self.ends[0].as_raw_fd(), self.ends[1].as_raw_fd()];
        let mut buffer = vec![0; 65536];
        while !self.stop.load(Ordering::Relaxed) {
            let next = self.queue.peek().map_or(LOOK_UP, |Reverse((at, ..))| {
                at.saturating_duration_since(Instant::now()).min(LOOK_UP)
            });
            let timeout = i32::try_from(next.as_micros().div_ceil(1000)).unwrap_or(0);
            system::wait_readable(&fds, timeout).expect("poll works on open descriptors");
            self.take_in(0, Way::Out, &mut buffer);
            self.take_in(1, Way::Back, &mut buffer);
            self.hand_out();
        }
    }

    fn take_in(&mut self, end: usize, way: Way, buffer: &mut [u8]) {
        while let Ok(len) = self.ends[end].read(buffer) {
            let Some(packet) = Packet::read(&buffer[..len]) else { continue };
            let mut outlet = Outlet { way, packets: Vec::new() };
            (self.course)(&packet, way, &mut outlet);
            let now = Instant::now();
            for (delay, way, bytes) in outlet.packets {
                self.count += 1;
                let end = usize::from(way == Way::Out);
                self.queue.push(Reverse((now + delay, self.count, end, bytes)));
            }
        }
    }

    fn hand_out(&mut self) {
        let now = Instant::now();
        while self.queue.peek().is_some_and(|Reverse((at, ..))| *at <= now) {
            if let Some(Reverse((_, _, end, bytes))) = self.queue.pop() {
                // A device that just went down with its world is not worth a word.
                let _ = self.ends[end].write(&bytes);
            }
        }
    }
}

/// The endpoint that a packet (or the packet quoted in it) is about, seen from
/// the prober: where it goes on the way out, where it comes from on the way back.
pub fn subject(packet: &Packet, way: Way) -> Option<(u8, SocketAddr)> {
    if let Some(quoted) = packet.quoted() {
        return Some((quoted.protocol, quoted.target_socket()?));
    }
    let socket = match way {
        Way::Out => packet.target_socket()?,
        Way::Back => packet.source_socket()?,
    };
    Some((packet.protocol, socket))
}

/// Which packets are lost: a table from a seed, so that the n-th packet of an
/// endpoint has the same fate in every run, whatever the order of the probes.
#[derive(Clone)]
pub struct Losses {
    seed: u64,
    per_cent: u64,
    seen: HashMap<(u8, SocketAddr, Way), u32>,
}

impl Losses {
    /// Loses `per_cent` of the packets, each way.
    pub fn new(seed: u64, per_cent: u64) -> Losses {
        Losses { seed, per_cent, seen: HashMap::new() }
    }

    /// Whether the packet at hand is lost. Packets of no endpoint never are.
    pub fn lose(&mut self, packet: &Packet, way: Way) -> bool {
        let Some((protocol, endpoint)) = subject(packet, way) else { return false };
        let seen = self.seen.entry((protocol, endpoint, way)).or_default();
        *seen += 1;
        let nth = *seen;
        self.is_lost(protocol, endpoint, way, nth)
    }

    /// How many attempts at an endpoint it takes until one comes back.
    pub fn attempts_needed(&self, protocol: u8, endpoint: SocketAddr) -> u32 {
        let mut answers = 0;
        (1..)
            .find(|&attempt| {
                if self.is_lost(protocol, endpoint, Way::Out, attempt) {
                    return false;
                }
                answers += 1;
                !self.is_lost(protocol, endpoint, Way::Back, answers)
            })
            .expect("an endless range")
    }

    fn is_lost(&self, protocol: u8, endpoint: SocketAddr, way: Way, nth: u32) -> bool {
        let address = match endpoint.ip() {
            std::net::IpAddr::V4(v4) => u64::from(v4.to_bits()),
            std::net::IpAddr::V6(v6) => v6.to_bits() as u64,
        };
        let words = [
            u64::from(protocol),
            address,
            u64::from(endpoint.port()),
            u64::from(way == Way::Out),
            u64::from(nth),
        ];
        let dice = words.iter().fold(self.seed, |state, word| mix(state ^ word));
        dice % 100 < self.per_cent
    }
}

/// One step of SplitMix64 (Steele, Lea, Flood 2014).
fn mix(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
