use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::Socket;

use crate::model::{IcmpError, IcmpFamily};

/// An entry of a socket's error queue (ip(7), `struct sock_extended_err`).
#[derive(Clone, Copy, Debug)]
pub struct QueuedError {
    /// The ICMP error, or none when the kernel itself is the origin.
    pub icmp: Option<IcmpError>,
    /// Where the packet was going that the error is about.
    pub destination: Option<SocketAddr>,
}

/// Asks for ICMP errors in the error queue (ip(7) IP_RECVERR, ipv6(7) IPV6_RECVERR).
pub fn set_receive_errors(socket: &Socket, v6: bool, on: bool) -> io::Result<()> {
    let (level, name) = match v6 {
        true => (libc::IPPROTO_IPV6, libc::IPV6_RECVERR),
        false => (libc::IPPROTO_IP, libc::IP_RECVERR),
    };
    set_int(socket, level, name, i32::from(on))
}

/// Leaves the choice of the local port to connect(), which may then share it
/// between targets (ip(7) IP_BIND_ADDRESS_NO_PORT).
pub fn bind_without_port(socket: &Socket) -> io::Result<()> {
    set_int(socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1)
}

/// Sets the time to live or hop limit of what the socket sends.
pub fn set_hops(socket: &Socket, v6: bool, hops: u8) -> io::Result<()> {
    match v6 {
        true => socket.set_unicast_hops_v6(u32::from(hops)),
        false => socket.set_ttl_v4(u32::from(hops)),
    }
}

fn set_int(socket: &Socket, level: i32, name: i32, value: i32) -> io::Result<()> {
    // SAFETY: the option value is a valid int for the length given.
    let rc = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            mem::size_of::<i32>() as libc::socklen_t,
        )
    };
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Control-message buffer: room for a `sock_extended_err` with an IPv6
/// offender, and aligned as `cmsghdr` wants it.
#[repr(C, align(8))]
struct ControlBuffer([u8; 256]);

/// Takes the next entry of the error queue, or none when it is empty.
///
/// Reading the queue clears SO_ERROR: read that one first.
pub fn next_queued_error(fd: RawFd) -> Option<QueuedError> {
    let mut control = ControlBuffer([0; 256]);
    // SAFETY: sockaddr_storage is plain data for which all zeroes is a value.
    let mut name: libc::sockaddr_storage = unsafe { mem::zeroed() };
    let mut byte = [0u8; 1];
    let mut iov = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: byte.len() };
    // SAFETY: msghdr is plain data for which all zeroes is a value.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_name = (&raw mut name).cast();
    message.msg_namelen = mem::size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    message.msg_iov = &raw mut iov;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = control.0.len();
    // SAFETY: every pointer in `message` is to a live buffer of the length given.
    let n = unsafe { libc::recvmsg(fd, &raw mut message, libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT) };
    if n < 0 {
        return None;
    }
    let destination = (message.msg_namelen > 0).then(|| read_address(&name)).flatten();
    let mut found = QueuedError { icmp: None, destination };
    // SAFETY: the kernel filled in msg_control up to msg_controllen; the CMSG
    // macros stay within it, and each payload is read by value at its full size.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(&raw const message);
        while !header.is_null() {
            let kind = ((*header).cmsg_level, (*header).cmsg_type);
            let length = (*header).cmsg_len - libc::CMSG_LEN(0) as usize;
            let is_error = kind == (libc::IPPROTO_IP, libc::IP_RECVERR)
                || kind == (libc::IPPROTO_IPV6, libc::IPV6_RECVERR);
            if is_error && length >= mem::size_of::<libc::sock_extended_err>() {
                let data = libc::CMSG_DATA(header);
                let error: libc::sock_extended_err =
                    data.cast::<libc::sock_extended_err>().read_unaligned();
                let rest = std::slice::from_raw_parts(
                    data.add(mem::size_of::<libc::sock_extended_err>()),
                    length - mem::size_of::<libc::sock_extended_err>(),
                );
                found.icmp = read_icmp(&error, rest);
            }
            header = libc::CMSG_NXTHDR(&raw const message, header);
        }
    }
    Some(found)
}

fn read_icmp(error: &libc::sock_extended_err, offender: &[u8]) -> Option<IcmpError> {
    let family = match error.ee_origin {
        libc::SO_EE_ORIGIN_ICMP => IcmpFamily::V4,
        libc::SO_EE_ORIGIN_ICMP6 => IcmpFamily::V6,
        _ => return None,
    };
    Some(IcmpError {
        family,
        kind: error.ee_type,
        code: error.ee_code,
        from: read_offender(offender)?,
        errno: error.ee_errno as i32,
    })
}

/// The address of a `sockaddr_in` or `sockaddr_in6` given as bytes.
pub fn read_offender(bytes: &[u8]) -> Option<IpAddr> {
    let family = u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?);
    match i32::from(family) {
        libc::AF_INET => {
            let octets: [u8; 4] = bytes.get(4..8)?.try_into().ok()?;
            Some(IpAddr::V4(Ipv4Addr::from(octets)))
        }
        libc::AF_INET6 => {
            let octets: [u8; 16] = bytes.get(8..24)?.try_into().ok()?;
            Some(IpAddr::V6(Ipv6Addr::from(octets)).to_canonical())
        }
        _ => None,
    }
}

fn read_address(storage: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match i32::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says that it is a sockaddr_in, and the storage is large enough for one.
            let v4 = unsafe { (&raw const *storage).cast::<libc::sockaddr_in>().read() };
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddr::V4(SocketAddrV4::new(ip, u16::from_be(v4.sin_port))))
        }
        libc::AF_INET6 => {
            // SAFETY: as above, for sockaddr_in6.
            let v6 = unsafe { (&raw const *storage).cast::<libc::sockaddr_in6>().read() };
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            let port = u16::from_be(v6.sin6_port);
            Some(SocketAddr::V6(SocketAddrV6::new(ip, port, 0, v6.sin6_scope_id)))
        }
        _ => None,
    }
}

/// What portscan reads of `struct tcp_info` (include/uapi/linux/tcp.h).
#[derive(Clone, Copy, Debug)]
pub struct TcpInfo {
    /// TCP state; see [`TcpInfo::is_connected`].
    state: u8,
    /// Segments sent again since the socket was made.
    pub retransmits: u32,
    /// Segments received.
    pub segments_in: u32,
    /// Smoothed round trip; none before the first measurement.
    pub rtt: Option<Duration>,
}

impl TcpInfo {
    /// Whether the handshake completed, whatever became of the connection
    /// later (net/tcp_states.h: 1 ESTABLISHED, 4 to 6 FIN_WAIT to TIME_WAIT,
    /// 8 CLOSE_WAIT, 9 LAST_ACK, 11 CLOSING).
    pub fn is_connected(&self) -> bool {
        matches!(self.state, 1 | 4 | 5 | 6 | 8 | 9 | 11)
    }
}

/// Reads TCP_INFO. Field offsets are part of the kernel's stable interface.
pub fn tcp_info(fd: RawFd) -> Option<TcpInfo> {
    let mut buffer = [0u8; 144];
    let mut length = buffer.len() as libc::socklen_t;
    // SAFETY: the buffer is as long as `length` says; the kernel writes at most that.
    let rc = unsafe {
        libc::getsockopt(
            fd,
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            buffer.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    let word = |at: usize| {
        u32::from_ne_bytes([buffer[at], buffer[at + 1], buffer[at + 2], buffer[at + 3]])
    };
    let rtt = word(68);
    (rc == 0).then(|| TcpInfo {
        state: buffer[0],
        retransmits: word(100),
        segments_in: word(140),
        rtt: (rtt > 0).then(|| Duration::from_micros(u64::from(rtt))),
    })
}

/// Raises the soft limit of open files to the hard one, which needs no
/// privilege, and returns it.
///
/// # Errors
/// Those of getrlimit(2); when only raising fails, the old limit is returned.
pub fn descriptor_limit() -> io::Result<usize> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let limit = match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(_) => soft,
    };
    Ok(usize::try_from(limit).unwrap_or(usize::MAX))
}

/// Has the kernel make room for `count` descriptors.
///
/// Once threads share the table, each doubling of it waits for a grace period
/// of the kernel: 10 to 20 ms, measured in the middle of a burst of probes
/// (fs/file.c `expand_fdtable`: `synchronize_rcu`). Before the first thread is
/// started it waits for nothing. What the limits forbid is left undone.
pub fn make_room(count: usize) {
    let Ok(null) = std::fs::File::open("/dev/null") else { return };
    let last = libc::c_int::try_from(count.saturating_sub(1)).unwrap_or(libc::c_int::MAX);
    // SAFETY: takes and returns a plain number.
    let copy = unsafe { libc::fcntl(null.as_raw_fd(), libc::F_DUPFD_CLOEXEC, last) };
    if copy >= 0 {
        // SAFETY: fcntl returned a descriptor that nobody else knows.
        drop(unsafe { OwnedFd::from_raw_fd(copy) });
    }
}

/// Receives one datagram with its sender, without blocking (recvfrom(2)).
///
/// # Errors
/// `WouldBlock` when there is none; a pending ICMP error as its errno.
pub fn receive_from(socket: &Socket, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    // SAFETY: sockaddr_storage is plain data for which all zeroes is a value.
    let mut name: libc::sockaddr_storage = unsafe { mem::zeroed() };
    let mut length = mem::size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    // SAFETY: buffer and name are live for the lengths given.
    let n = unsafe {
        libc::recvfrom(
            socket.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            libc::MSG_DONTWAIT,
            (&raw mut name).cast(),
            &raw mut length,
        )
    };
    let received = usize::try_from(n).map_err(|_| io::Error::last_os_error())?;
    match read_address(&name) {
        Some(from) => Ok((received, from)),
        None => Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT)),
    }
}
