//! The system calls that the harness needs and `std` does not have. All
//! `unsafe` of the harness is here.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Moves the calling thread into a new, empty network namespace.
pub fn unshare_network() -> io::Result<()> {
    // SAFETY: takes no pointers; changes this thread only.
    check(unsafe { libc::unshare(libc::CLONE_NEWNET) }).map(drop)
}

/// Moves the calling thread into the network namespace behind `fd`.
pub fn enter_network(fd: RawFd) -> io::Result<()> {
    // SAFETY: takes no pointers; changes this thread only.
    check(unsafe { libc::setns(fd, libc::CLONE_NEWNET) }).map(drop)
}

/// Makes the TUN device `name` in the calling thread's network namespace.
///
/// Reads and writes are whole IP packets without a link header; reads do not
/// block. The device lives as long as the descriptor (`tuntap.rst`).
pub fn open_tun(name: &str) -> io::Result<OwnedFd> {
    use std::os::unix::fs::OpenOptionsExt;
    let file = File::options()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open("/dev/net/tun")?;
    // SAFETY: an all-zero ifreq is a valid one.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.as_bytes()) {
        *to = *from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
    // SAFETY: `request` outlives the call and is the type that TUNSETIFF reads.
    check(unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &request) })?;
    Ok(file.into())
}

/// A socket that sees every packet of all interfaces in the calling thread's
/// network namespace, without link headers (packet(7), `SOCK_DGRAM`).
pub fn open_packet_socket() -> io::Result<OwnedFd> {
    let every_protocol = i32::from((libc::ETH_P_ALL as u16).to_be());
    // SAFETY: takes no pointers.
    let fd = check(unsafe {
        libc::socket(libc::AF_PACKET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, every_protocol)
    })?;
    // SAFETY: the descriptor was just made and belongs to nobody else.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let size: libc::c_int = 64 << 20;
    // SAFETY: the option reads one c_int from a live local.
    check(unsafe {
        libc::setsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_RCVBUFFORCE,
            (&raw const size).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    })?;
    Ok(socket)
}

/// Which way a packet went, seen from the namespace of a packet socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Out,
    In,
}

/// Reads one packet into `buffer`, without waiting. Returns its length there.
pub fn read_packet(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, Direction)> {
    // SAFETY: an all-zero sockaddr_ll is a valid one.
    let mut from: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    let mut from_len = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: buffer and address are live and their lengths are passed with them.
    let read = unsafe {
        libc::recvfrom(
            socket.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            libc::MSG_DONTWAIT,
            (&raw mut from).cast(),
            &raw mut from_len,
        )
    };
    if read < 0 {
        return Err(io::Error::last_os_error());
    }
    let direction =
        if from.sll_pkttype == libc::PACKET_OUTGOING { Direction::Out } else { Direction::In };
    Ok((read as usize, direction))
}

/// Waits until one of `fds` can be read, at most `timeout_ms`.
pub fn wait_readable(fds: &[RawFd], timeout_ms: i32) -> io::Result<()> {
    let mut polled: Vec<libc::pollfd> =
        fds.iter().map(|&fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 }).collect();
    // SAFETY: the array is live and its length is passed with it.
    match check(unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as _, timeout_ms) }) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        other => other.map(drop),
    }
}

/// Lets `command` start in the network namespace behind `network`.
pub fn start_in_network(command: &mut Command, network: RawFd) {
    // SAFETY: the closure only makes one system call, which is allowed between fork and exec.
    unsafe {
        command.pre_exec(move || enter_network(network));
    }
}

/// Lets `command` get `signal` when the thread that started it ends, so that
/// no server outlives a test run that was killed (prctl(2)).
pub fn end_with_parent(command: &mut Command, signal: libc::c_int) {
    // SAFETY: the closure only makes one system call, which is allowed between
    // fork and exec. It runs after the change of user, which would undo it.
    unsafe {
        command.pre_exec(move || check(libc::prctl(libc::PR_SET_PDEATHSIG, signal)).map(drop));
    }
}

/// How a program under test is confined; see [`start_as_nobody`].
pub struct Confinement {
    /// The network namespace it lives in.
    pub network: RawFd,
    /// Files that it sees at another place: (what, where).
    pub mounts: Vec<(CString, CString)>,
    /// Its descriptor limit, when not the inherited one.
    pub descriptors: Option<u64>,
}

/// The user and group `nobody` (Debian's fixed id).
pub const NOBODY: u32 = 65534;

/// Lets `command` start as `nobody`: no groups, no capabilities now or later,
/// in the network and with the files of `confinement`, and never alive after us.
pub fn start_as_nobody(command: &mut Command, confinement: Confinement) {
    // SAFETY: between fork and exec only system calls are made, on memory that
    // was prepared before the fork.
    unsafe {
        command.pre_exec(move || {
            check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
            enter_network(confinement.network)?;
            mount_over(&confinement.mounts)?;
            if let Some(limit) = confinement.descriptors {
                let limit = libc::rlimit { rlim_cur: limit, rlim_max: limit };
                check(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit))?;
            }
            // Ends with EINVAL at the first number that is no capability.
            for capability in 0..64 {
                if libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) < 0 {
                    break;
                }
            }
            check(libc::setgroups(0, std::ptr::null()))?;
            check(libc::setresgid(NOBODY, NOBODY, NOBODY))?;
            check(libc::setresuid(NOBODY, NOBODY, NOBODY))?;
            check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
            // Changing the user clears it.
            check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL)).map(drop)
        });
    }
}

/// Binds files over others in a mount namespace of the calling process' own.
fn mount_over(mounts: &[(CString, CString)]) -> io::Result<()> {
    let bind = |what: &CStr, place: &CStr, flags: libc::c_ulong| {
        // SAFETY: both strings are live and end with a zero byte; no data is passed.
        check(unsafe {
            libc::mount(what.as_ptr(), place.as_ptr(), std::ptr::null(), flags, std::ptr::null())
        })
    };
    // SAFETY: takes no pointers; this process has one thread here.
    check(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
    // Our binds must not travel back to the system's own mounts.
    bind(c"none", c"/", libc::MS_REC | libc::MS_PRIVATE)?;
    for (what, place) in mounts {
        bind(what, place, libc::MS_BIND)?;
    }
    Ok(())
}

/// Waits until the process ends, at most `timeout_ms`. Says whether it did.
pub fn wait_for_end(pid: u32, timeout_ms: i32) -> io::Result<bool> {
    // SAFETY: takes no pointers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid as libc::pid_t, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made and belongs to nobody else.
    let process = unsafe { OwnedFd::from_raw_fd(fd as RawFd) };
    let mut polled = libc::pollfd { fd: process.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one live element.
    Ok(check(unsafe { libc::poll(&raw mut polled, 1, timeout_ms) })? > 0)
}
