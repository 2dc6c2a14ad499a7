//! What the floor programs share: options, addresses, the clock, epoll.
//!
//! A floor program does one job with system calls and nothing else, so that
//! `tests/bench/compare` can say how far portscan is from what the kernel
//! permits. It has no evidence model, no plan, no report, and knows IPv4 only.
//! Every program ends with one JSON line on stdout.

// Each program uses its own part of these files.
#![allow(dead_code)]

pub mod batch;
pub mod dns;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::mem::{size_of, zeroed};
use std::net::Ipv4Addr;
use std::process::exit;
use std::time::{Duration, Instant};

/// The words of the command line: positional ones, and `--name value` pairs.
pub struct Options {
    /// Words that belong to no option, in order.
    pub words: Vec<String>,
    named: HashMap<String, String>,
}

impl Options {
    /// Reads the command line, up to a `--` if there is one.
    ///
    /// Ends the program with `usage` when an option has no value or fewer than
    /// `words` positional words are there.
    pub fn read(usage: &str, words: usize) -> Self {
        let mut options = Self { words: Vec::new(), named: HashMap::new() };
        let mut rest = std::env::args().skip(1).take_while(|word| word != "--");
        while let Some(word) = rest.next() {
            match word.strip_prefix("--") {
                None => options.words.push(word),
                Some(name) => match rest.next() {
                    Some(value) => drop(options.named.insert(name.to_owned(), value)),
                    None => fail(&format!("--{name} has no value\nusage: {usage}")),
                },
            }
        }
        if options.words.len() < words {
            fail(&format!("usage: {usage}"));
        }
        options
    }

    /// The value of an option as text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.named.get(name).map(String::as_str)
    }

    /// The value of an option as a number, or `default`.
    pub fn number(&self, name: &str, default: u64) -> u64 {
        let Some(value) = self.text(name) else { return default };
        value.parse().unwrap_or_else(|_| fail(&format!("--{name} wants a number, not {value}")))
    }

    /// The value of an option in milliseconds, or `default`.
    pub fn millis(&self, name: &str, default: u64) -> Duration {
        Duration::from_millis(self.number(name, default))
    }
}

/// Ends the program with a sentence on stderr and exit code 2.
pub fn fail(message: &str) -> ! {
    // Nothing is left to do when stderr is gone too.
    let _ = writeln!(io::stderr(), "{message}");
    exit(2)
}

/// Ends the program when a system call returned -1; passes its value on otherwise.
pub fn must(value: i32, call: &str) -> i32 {
    if value < 0 {
        fail(&format!("{call}: {}", io::Error::last_os_error()));
    }
    value
}

/// The errno of the last system call.
pub fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// Addresses of `10.0.0.1,10.1.0.0/24`: single ones and whole blocks.
pub fn hosts(spec: &str) -> Vec<u32> {
    let mut hosts = Vec::new();
    for word in spec.split(',') {
        let (address, bits) = word.split_once('/').unwrap_or((word, "32"));
        let (Ok(address), Ok(bits @ 0..=32)) = (address.parse::<Ipv4Addr>(), bits.parse::<u32>())
        else {
            fail(&format!("not an address or a block: {word}"))
        };
        let size = 1u64 << (32 - bits);
        let first = u64::from(u32::from(address)) & !(size - 1);
        // Both ends lie within 32 bits by construction.
        hosts.extend((first..first + size).map(|address| address as u32));
    }
    hosts
}

/// Ports of `1-1024,8080`.
pub fn ports(spec: &str) -> Vec<u16> {
    let mut ports = Vec::new();
    for word in spec.split(',') {
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        match (first.parse::<u16>(), last.parse::<u16>()) {
            (Ok(first), Ok(last)) if first <= last => ports.extend(first..=last),
            _ => fail(&format!("not a port or a range of ports: {word}")),
        }
    }
    ports
}

/// A socket address as the kernel wants it.
pub fn sockaddr(address: u32, port: u16) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: address.to_be() },
        sin_zero: [0; 8],
    }
}

/// Length of [`sockaddr`] for the calls that ask for it.
pub const SOCKADDR_LEN: u32 = size_of::<libc::sockaddr_in>() as u32;

/// Sets an integer socket option; whether the kernel took it.
pub fn set_option(fd: i32, level: i32, name: i32, value: i32) -> bool {
    // SAFETY: the value outlives the call and its size is given.
    unsafe { libc::setsockopt(fd, level, name, (&raw const value).cast(), 4) == 0 }
}

/// Closes a descriptor.
pub fn close(fd: i32) {
    // SAFETY: the caller owns the descriptor and does not use it again.
    unsafe { libc::close(fd) };
}

/// Raises the soft limit of descriptors to the hard one and returns it.
pub fn raise_descriptor_limit() -> u64 {
    // SAFETY: plain structures of integers, alive during the calls.
    unsafe {
        let mut limit: libc::rlimit = zeroed();
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur
    }
}

/// An epoll instance whose events carry a number of the caller's.
pub struct Epoll {
    fd: i32,
    events: Vec<libc::epoll_event>,
}

impl Epoll {
    /// A new instance that hands over at most `batch` events at once.
    pub fn new(batch: usize) -> Self {
        // SAFETY: no pointers.
        let fd = must(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) }, "epoll_create1");
        Self { fd, events: vec![libc::epoll_event { events: 0, u64: 0 }; batch] }
    }

    /// Watches a descriptor for `events`; `token` comes back with each event.
    pub fn add(&self, fd: i32, events: i32, token: u64) {
        let mut event = libc::epoll_event { events: events as u32, u64: token };
        // SAFETY: the event outlives the call.
        must(unsafe { libc::epoll_ctl(self.fd, libc::EPOLL_CTL_ADD, fd, &mut event) }, "epoll_ctl");
    }

    /// Waits until something happens or `until` is reached (rounded up to a
    /// millisecond), and returns the tokens and events.
    pub fn wait(&mut self, until: Option<Instant>) -> impl Iterator<Item = (u64, i32)> + '_ {
        let millis = until.map_or(-1, |until| {
            let left = until.saturating_duration_since(Instant::now());
            left.as_micros().div_ceil(1000) as i32
        });
        // SAFETY: the buffer has the capacity that is given.
        let count = unsafe {
            libc::epoll_wait(self.fd, self.events.as_mut_ptr(), self.events.len() as i32, millis)
        };
        self.events[..count.max(0) as usize].iter().map(|event| (event.u64, event.events as i32))
    }
}

/// What this process has used so far: seconds of CPU and most KiB in memory.
pub fn used() -> (f64, i64) {
    // SAFETY: a plain structure of integers, alive during the call.
    let usage = unsafe {
        let mut usage: libc::rusage = zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    (seconds(usage.ru_utime) + seconds(usage.ru_stime), usage.ru_maxrss)
}

/// A kernel time value in seconds.
pub fn seconds(time: libc::timeval) -> f64 {
    time.tv_sec as f64 + time.tv_usec as f64 / 1e6
}

/// A JSON array of `address:port`.
pub fn endpoints_json(endpoints: impl Iterator<Item = (u32, u16)>) -> String {
    let mut text = String::from("[");
    for (address, port) in endpoints {
        let comma = if text.len() > 1 { "," } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(text, "{comma}\"{}:{port}\"", Ipv4Addr::from(address));
    }
    text + "]"
}

/// Prints the last line: the given fields and what the process used.
pub fn finish(started: Instant, fields: &str) {
    let (cpu, rss) = used();
    let wall = started.elapsed().as_secs_f64();
    let line = format!("{{{fields},\"wall_s\":{wall:.4},\"cpu_s\":{cpu:.4},\"rss_kib\":{rss}}}");
    if let Err(error) = writeln!(io::stdout(), "{line}") {
        fail(&format!("stdout: {error}"));
    }
}
