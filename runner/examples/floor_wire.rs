//! A wire between two TUN interfaces that delays and loses packets.
//!
//! `floor_wire NAME_A NAME_B [--delay-ms 10] [--loss-percent 5] [--seed 1]`
//!
//! Makes both interfaces (the caller moves them into their namespaces: the
//! descriptor stays), prints `ready`, and carries packets both ways. Which
//! packets are lost follows from the seed alone, one sequence per direction.
//! For kernels without netem. Ends with its parent.

mod floor;

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use floor::Options;

/// Most packets on their way in one direction; more are lost, as on a full queue.
const CAPACITY: usize = 100_000;

/// Linux, `if_tun.h`: set the interface of this descriptor.
const TUNSETIFF: libc::c_ulong = 0x4004_54ca;

/// One direction: packets from `from` come out at `to` later, or never.
struct Direction {
    from: i32,
    to: i32,
    on_the_way: VecDeque<(Instant, Vec<u8>)>,
    random: u64,
}

fn main() {
    let options =
        Options::read("floor_wire NAME_A NAME_B [--delay-ms N] [--loss-percent N] [--seed N]", 2);
    // SAFETY: no pointers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    let (a, b) = (open_tun(&options.words[0]), open_tun(&options.words[1]));
    let seed = options.number("seed", 1);
    let mut directions = [Direction::new(a, b, seed * 2 + 1), Direction::new(b, a, seed * 2 + 2)];
    if writeln!(io::stdout(), "ready").and_then(|()| io::stdout().flush()).is_err() {
        floor::fail("stdout is closed");
    }
    let (delay, loss) = (options.millis("delay-ms", 10), options.number("loss-percent", 5));
    loop {
        for direction in &mut directions {
            direction.take_in(delay, loss);
            direction.hand_over();
        }
        wait(
            a,
            b,
            directions
                .iter()
                .filter_map(|direction| direction.on_the_way.front())
                .map(|(due, _)| *due)
                .min(),
        );
    }
}

fn open_tun(name: &str) -> i32 {
    // SAFETY: the path is a C string.
    let fd = unsafe {
        libc::open(c"/dev/net/tun".as_ptr(), libc::O_RDWR | libc::O_NONBLOCK | libc::O_CLOEXEC)
    };
    floor::must(fd, "open of /dev/net/tun");
    // struct ifreq: a name of 16 bytes, then flags in a union of 24.
    let mut request = [0u8; 40];
    let length = name.len().min(15);
    request[..length].copy_from_slice(&name.as_bytes()[..length]);
    request[16..18].copy_from_slice(&((libc::IFF_TUN | libc::IFF_NO_PI) as u16).to_ne_bytes());
    // SAFETY: the request has the size of struct ifreq.
    floor::must(unsafe { libc::ioctl(fd, TUNSETIFF, request.as_mut_ptr()) }, "TUNSETIFF");
    fd
}

impl Direction {
    fn new(from: i32, to: i32, seed: u64) -> Self {
        Self { from, to, on_the_way: VecDeque::new(), random: seed }
    }

    fn take_in(&mut self, delay: Duration, loss: u64) {
        let mut bytes = [0u8; 2048];
        loop {
            // SAFETY: the buffer has the size that is given.
            let length = unsafe { libc::read(self.from, bytes.as_mut_ptr().cast(), bytes.len()) };
            let Ok(length) = usize::try_from(length) else { return };
            if !self.is_lost(loss) && self.on_the_way.len() < CAPACITY {
                self.on_the_way.push_back((Instant::now() + delay, bytes[..length].to_vec()));
            }
        }
    }

    /// The next number of splitmix64, against the percentage.
    fn is_lost(&mut self, percent: u64) -> bool {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % 100 < percent
    }

    fn hand_over(&mut self) {
        let now = Instant::now();
        while let Some((_, packet)) = self.on_the_way.pop_front_if(|(due, _)| *due <= now) {
            // SAFETY: the buffer has the size that is given. What does not fit is lost.
            unsafe { libc::write(self.to, packet.as_ptr().cast(), packet.len()) };
        }
    }
}

/// Waits for a packet or the next one that is due. Interfaces that are not up
/// yet report an error at once, so that the wait is never shorter than 100 µs.
fn wait(a: i32, b: i32, due: Option<Instant>) {
    let mut both = [a, b].map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
    let left = due.map(|due| due.saturating_duration_since(Instant::now()).as_nanos() as i64);
    let left = libc::timespec { tv_sec: 0, tv_nsec: left.unwrap_or(100_000_000).min(999_999_999) };
    // SAFETY: the structures outlive the call.
    unsafe { libc::ppoll(both.as_mut_ptr(), 2, &left, std::ptr::null()) };
    if both.iter().any(|poll| poll.revents & libc::POLLERR != 0) {
        std::thread::sleep(Duration::from_micros(100));
    }
}
