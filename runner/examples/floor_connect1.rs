//! The floor for one cold probe: one blocking connect, nothing else.
//!
//! `floor_connect1 HOST PORT`

mod floor;

use std::time::Instant;

use floor::Options;

fn main() {
    let started = Instant::now();
    let options = Options::read("floor_connect1 HOST PORT", 2);
    let (hosts, ports) = (floor::hosts(&options.words[0]), floor::ports(&options.words[1]));
    let address = floor::sockaddr(hosts[0], ports[0]);
    // SAFETY: no pointers.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    floor::must(fd, "socket");
    // SAFETY: the address outlives the call and its size is given.
    let result = unsafe { libc::connect(fd, (&raw const address).cast(), floor::SOCKADDR_LEN) };
    let state = match if result == 0 { 0 } else { floor::errno() } {
        0 => "open",
        libc::ECONNREFUSED => "closed",
        _ => "filtered",
    };
    floor::finish(started, &format!("\"state\":\"{state}\""));
}
