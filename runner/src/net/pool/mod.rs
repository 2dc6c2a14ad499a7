//! A large scan's system calls, in threads of their own.

mod lane;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lane::{Filled, Inbox, Order, Orders, Outbox, lock, serve};

use super::{Attempt, Event, LiveNet, Net, SourceBinding, Stop};
use crate::model::{Farewell, Handle, Moment, Sent};

/// Where the number of a lane stands in a handle. The lowest bits count a
/// lane's sockets, of which there are never as many.
const LANE_SHIFT: u32 = 28;
const LANE_BITS: u64 = 0xF << LANE_SHIFT;

/// As coarse as epoll's timeouts: a wait for each timer of a busy scan would
/// cost more than it brings.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// Most lanes that a handle can name.
const MAX_LANES: usize = 16;

/// Several live networks, each in a thread of its own, as one.
///
/// The system calls of a large scan cost three times what deciding costs. Here
/// they happen beside it: what is to be sent is handed over in batches, and
/// what came of it comes back as [`Event`]s. For a handful of endpoints a
/// [`LiveNet`] alone is faster, because no thread has to be woken.
pub struct Pool {
    start: Instant,
    lanes: Vec<Lane>,
    outbox: Arc<Outbox>,
    stop: Stop,
}

/// One thread, seen from the scan.
struct Lane {
    inbox: Arc<Inbox>,
    /// What the next [`Net::wait`] hands over.
    orders: Orders,
    /// What happened, on its way from the outbox.
    events: Vec<Event>,
    /// Attempts that were handed over and have not ended.
    outstanding: usize,
    wake: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Pool {
    /// A pool of `lanes` threads (1 to 16) that hold at most `limit`
    /// sockets open together.
    ///
    /// # Errors
    /// When the system grants no thread or no epoll instance.
    pub fn new(lanes: usize, limit: usize, binding: &SourceBinding) -> io::Result<Pool> {
        let start = Instant::now();
        let lanes = lanes.clamp(1, MAX_LANES);
        let events = (0..lanes).map(|_| Vec::new()).collect();
        let state = Mutex::new(Filled { events, awaited: false, broken: None });
        let outbox = Arc::new(Outbox { state, filled: Condvar::new() });
        let woken = outbox.clone();
        let stop = Stop::new(move || {
            let _held = lock(&woken.state);
            woken.filled.notify_all();
        });
        let mut pool = Pool { start, lanes: Vec::new(), outbox, stop };
        for number in 0..lanes {
            let net = LiveNet::since(start, limit.div_ceil(lanes), binding.clone())?;
            let (inbox, outbox) = (Arc::new(Inbox::default()), pool.outbox.clone());
            let (wake, theirs) = (net.stop(), inbox.clone());
            let work = move || {
                let served =
                    catch_unwind(AssertUnwindSafe(|| serve(net, number as u64, &theirs, &outbox)));
                if let Err(panic) = served {
                    lock(&outbox.state).broken = Some(panic);
                    outbox.filled.notify_one();
                }
            };
            let name = format!("net-{number}");
            let thread = std::thread::Builder::new().name(name).spawn(work)?;
            let (orders, thread) = (Orders::default(), Some(thread));
            pool.lanes.push(Lane {
                inbox,
                orders,
                events: Vec::new(),
                outstanding: 0,
                wake,
                thread,
            });
        }
        Ok(pool)
    }

    /// A handle by which another thread ends the wait.
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    fn hand_over(&mut self) {
        for lane in &mut self.lanes {
            if lane.orders.list.is_empty() {
                continue;
            }
            {
                let mut inbox = lock(&lane.inbox.orders);
                match inbox.list.is_empty() {
                    true => std::mem::swap(&mut *inbox, &mut lane.orders),
                    false => {
                        inbox.list.append(&mut lane.orders.list);
                        inbox.bytes.append(&mut lane.orders.bytes);
                    }
                }
            }
            if lane.inbox.asleep.swap(false, Ordering::SeqCst) {
                lane.wake.wake();
            }
        }
    }

    /// Takes what has happened, and waits for it until then if nothing has.
    fn collect(&mut self, until: Option<Moment>, events: &mut Vec<Event>) {
        let mut state = lock(&self.outbox.state);
        let is_quiet = state.events.iter().all(Vec::is_empty) && state.broken.is_none();
        if is_quiet && !self.stop.is_asked() {
            let patience = until.map(|until| until.since(self.now()));
            if patience != Some(Duration::ZERO) {
                state.awaited = true;
                let patience = patience.map_or(Duration::MAX, |p| p.max(SHORTEST_WAIT));
                let woken = self.outbox.filled.wait_timeout(state, patience);
                state = woken.unwrap_or_else(PoisonError::into_inner).0;
                state.awaited = false;
            }
        }
        for (lane, theirs) in self.lanes.iter_mut().zip(&mut state.events) {
            std::mem::swap(theirs, &mut lane.events);
        }
        let broken = state.broken.take();
        drop(state);
        if let Some(panic) = broken {
            resume_unwind(panic);
        }
        for lane in &mut self.lanes {
            let ended = lane.events.iter().filter(|event| is_end(event)).count();
            lane.outstanding = lane.outstanding.saturating_sub(ended);
            events.append(&mut lane.events);
        }
    }
}

/// Whether nothing of that attempt follows.
fn is_end(event: &Event) -> bool {
    match event {
        Event::Departed { sent, .. } => !matches!(sent, Sent::Listening(_)),
        Event::Arrived(arrival) => !arrival.listening,
        Event::Forgotten { .. } => true,
    }
}

impl Net for Pool {
    fn now(&self) -> Moment {
        Moment::after_start(self.start.elapsed())
    }

    fn send(&mut self, attempt: Attempt<'_>) -> Option<Sent> {
        let Some(lane) = self.lanes.iter_mut().min_by_key(|lane| lane.outstanding) else {
            return Some(Sent::Refused { errno: libc::EBADF });
        };
        lane.outstanding += 1;
        lane.orders.bytes.extend_from_slice(attempt.payload);
        lane.orders.list.push(Order::Send {
            key: attempt.key,
            endpoint: attempt.endpoint,
            hops: attempt.hops,
            length: attempt.payload.len(),
        });
        None
    }

    fn forget(&mut self, key: u64, handle: Handle) -> Option<Farewell> {
        let lane = (handle.0 as u32 >> LANE_SHIFT) as usize;
        let Some(lane) = self.lanes.get_mut(lane) else { return Some(Farewell::default()) };
        let handle = Handle(handle.0 & !LANE_BITS);
        lane.orders.list.push(Order::Forget { key, handle });
        None
    }

    fn wait(&mut self, until: Option<Moment>, events: &mut Vec<Event>) {
        self.hand_over();
        self.collect(until, events);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for lane in &self.lanes {
            lane.inbox.closed.store(true, Ordering::SeqCst);
            lane.wake.wake();
        }
        for lane in &mut self.lanes {
            let _ = lane.thread.take().map(JoinHandle::join);
        }
    }
}

#[cfg(test)]
mod tests;
