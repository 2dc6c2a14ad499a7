//! The only room that opens sockets.
//!
//! [`Net`] is the narrow door: four methods stand between the plan and the
//! network, so that the whole prober runs on a scripted network as well. The
//! live implementation is [`LiveNet`]; it needs no privilege. [`Pool`] spreads
//! a large scan over several of them, each in a thread of its own.
//!
//! Not here: why a packet is sent (`plan`), what an answer means (`probe`).
//! Start reading at [`Net`].

mod binding;
mod connected;
pub mod conversation;
mod live;
mod platform;
mod pool;
mod stop;

pub use binding::SourceBinding;
pub use connected::Connected;
pub use live::LiveNet;
pub(crate) use platform::read_offender;
pub use platform::{descriptor_limit, make_room};
pub use pool::Pool;
pub use stop::Stop;

use std::time::Duration;

use crate::model::{Endpoint, Farewell, Handle, Moment, Sent, Signal};

/// Most bytes of a datagram that are kept for a judge.
///
/// A DNS answer without truncation has at most 4,096 bytes in practice and
/// discovery answers are smaller. What is longer is cut, which a judge sees as
/// a truncated message.
pub const MAX_ANSWER: usize = 8 * 1024;

/// One packet to send: a SYN, or a datagram.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// Comes back with every [`Event`] of this attempt; opaque here.
    pub key: u64,
    /// Where to.
    pub endpoint: Endpoint,
    /// The datagram; unused for TCP.
    pub payload: &'a [u8],
    /// Time to live or hop limit, when it is not the system's default.
    pub hops: Option<u8>,
}

/// A signal for one attempt.
#[derive(Debug)]
pub struct Arrival {
    /// The attempt's key.
    pub key: u64,
    /// When it was noticed.
    pub at: Moment,
    /// The kernel's own measure of the round trip (TCP handshakes).
    pub rtt: Option<Duration>,
    /// SYNs that the kernel had to send again before this answer.
    pub retransmits: u8,
    /// What arrived.
    pub signal: Signal,
    /// The connection, when the handshake completed.
    pub stream: Option<Connected>,
    /// Whether the attempt's handle is still listening after this signal.
    pub listening: bool,
}

/// What comes out of [`Net::wait`].
#[derive(Debug)]
pub enum Event {
    /// What became of an attempt that [`Net::send`] could not tell at once.
    /// Comes before any other event of that attempt.
    Departed {
        /// The attempt's key.
        key: u64,
        /// What became of it.
        sent: Sent,
        /// When.
        at: Moment,
    },
    /// A signal.
    Arrived(Arrival),
    /// What was known of an attempt that [`Net::forget`] could not tell at once.
    Forgotten {
        /// The attempt's key.
        key: u64,
        /// What the kernel knew of it.
        farewell: Farewell,
    },
}

/// The network, as the plan needs it.
pub trait Net {
    /// The time.
    fn now(&self) -> Moment;

    /// Sends one packet and listens for what it brings. None when that is
    /// under way: then an [`Event::Departed`] follows.
    fn send(&mut self, attempt: Attempt<'_>) -> Option<Sent>;

    /// Stops listening for an attempt. None when that is under way: then an
    /// [`Event::Forgotten`] follows.
    fn forget(&mut self, key: u64, handle: Handle) -> Option<Farewell>;

    /// Waits until something happened, `until` came or [`Stop`] was asked for,
    /// and appends what happened. `None` waits for events alone.
    fn wait(&mut self, until: Option<Moment>, events: &mut Vec<Event>);
}
