//! Datagrams in batches: `sendmmsg` and `recvmmsg` with their control data.

use std::mem::{size_of, zeroed};

use super::{SOCKADDR_LEN, sockaddr};

/// Datagrams that one system call moves.
///
/// 64 is safe: with 256 a burst of port-unreachables overflows the error queue
/// before it is read (195 of 50,001 lost).
pub const BATCH: usize = 64;

/// Most bytes of a datagram; longer ones are cut.
const SIZE: usize = 2048;

/// Room for one control message with an address in it.
const CONTROL: usize = 128;

/// One datagram: address, bytes, control data.
#[repr(C, align(8))]
pub struct Slot {
    /// Where it goes or came from (for an error: the original destination).
    pub address: libc::sockaddr_in,
    /// The first `length` bytes.
    pub bytes: [u8; SIZE],
    /// How many bytes count.
    pub length: usize,
    control: [u8; CONTROL],
    control_length: usize,
}

/// A batch of datagrams that is used again and again.
pub struct Batch {
    slots: Vec<Slot>,
}

impl Batch {
    /// Room for [`BATCH`] datagrams.
    pub fn new() -> Self {
        let empty = || Slot {
            address: sockaddr(0, 0),
            bytes: [0; SIZE],
            length: 0,
            control: [0; CONTROL],
            control_length: 0,
        };
        Self { slots: std::iter::repeat_with(empty).take(BATCH).collect() }
    }

    /// The datagram at `index`.
    pub fn slot(&mut self, index: usize) -> &mut Slot {
        &mut self.slots[index]
    }

    /// Puts a datagram in at `index`.
    pub fn put(&mut self, index: usize, address: u32, port: u16, bytes: &[u8]) {
        let slot = &mut self.slots[index];
        slot.address = sockaddr(address, port);
        slot.length = bytes.len().min(SIZE);
        slot.bytes[..slot.length].copy_from_slice(&bytes[..slot.length]);
        slot.control_length = 0;
    }

    /// Sends the datagrams from `first` to `end`; how many went out. An error
    /// before the first one counts as none.
    pub fn send(&mut self, fd: i32, first: usize, end: usize) -> usize {
        let call = |headers: &mut [libc::mmsghdr]| {
            // SAFETY: the headers point into slots that outlive the call.
            unsafe { libc::sendmmsg(fd, headers.as_mut_ptr(), headers.len() as u32, 0) }
        };
        self.with_headers(first, end, Direction::Out, call)
    }

    /// Receives what is there, at most a batch; `flags` may ask for the error queue.
    pub fn receive(&mut self, fd: i32, flags: i32) -> usize {
        let call = |headers: &mut [libc::mmsghdr]| {
            let none = std::ptr::null_mut();
            // SAFETY: the headers point into slots that outlive the call.
            unsafe { libc::recvmmsg(fd, headers.as_mut_ptr(), headers.len() as u32, flags, none) }
        };
        self.with_headers(0, BATCH, Direction::In, call)
    }

    fn with_headers(
        &mut self,
        first: usize,
        end: usize,
        direction: Direction,
        call: impl FnOnce(&mut [libc::mmsghdr]) -> i32,
    ) -> usize {
        // SAFETY: zero is a valid value of these structures of integers and pointers.
        let (mut vectors, mut headers): ([libc::iovec; BATCH], [libc::mmsghdr; BATCH]) =
            unsafe { (zeroed(), zeroed()) };
        for index in first..end {
            let slot = &mut self.slots[index];
            let (length, control) = match direction {
                Direction::Out => (slot.length, slot.control_length),
                Direction::In => (SIZE, CONTROL),
            };
            vectors[index] =
                libc::iovec { iov_base: slot.bytes.as_mut_ptr().cast(), iov_len: length };
            let header = &mut headers[index].msg_hdr;
            header.msg_name = (&raw mut slot.address).cast();
            header.msg_namelen = SOCKADDR_LEN;
            header.msg_iov = &raw mut vectors[index];
            header.msg_iovlen = 1;
            header.msg_controllen = control as _;
            if control > 0 {
                header.msg_control = slot.control.as_mut_ptr().cast();
            }
        }
        let count = call(&mut headers[first..end]).max(0) as usize;
        if matches!(direction, Direction::In) {
            for (slot, header) in self.slots.iter_mut().zip(&headers[..count]) {
                slot.length = header.msg_len as usize;
                slot.control_length = header.msg_hdr.msg_controllen;
            }
        }
        count
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Out,
    In,
}

impl Slot {
    /// The ICMP type and code of an entry of the error queue, and who sent it.
    pub fn icmp(&self) -> Option<(u8, u8, u32)> {
        let data = self.control_data(libc::IP_RECVERR)?;
        let extended = size_of::<libc::sock_extended_err>();
        let offender = data.get(extended + 4..extended + 8)?;
        let address = u32::from_be_bytes([offender[0], offender[1], offender[2], offender[3]]);
        // Fields of sock_extended_err: errno (4 bytes), origin, type, code.
        (data[4] == libc::SO_EE_ORIGIN_ICMP).then_some((data[5], data[6], address))
    }

    /// Makes the answer leave from the address that was asked: the received
    /// packet information, handed back with no interface set.
    pub fn answer_from_asked_address(&mut self) {
        if self.control_data(libc::IP_PKTINFO).is_some() {
            self.control[HEADER..HEADER + 4].fill(0);
        }
    }

    /// The data of the first control message when it is of the IP level and
    /// this type. These sockets ask for one kind of control message each.
    fn control_data(&self, kind: i32) -> Option<&[u8]> {
        let word =
            |at: usize| i32::from_ne_bytes([0, 1, 2, 3].map(|index| self.control[at + index]));
        let end = self.control_length.min(CONTROL);
        (end > HEADER && word(8) == libc::IPPROTO_IP && word(12) == kind)
            .then(|| &self.control[HEADER..end])
    }
}

/// Length of `cmsghdr` on 64-bit Linux: a length of 8 bytes, level, type.
const HEADER: usize = 16;
