//! One thread of a pool: what it is told, what it does, what it tells.

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::LANE_SHIFT;
use crate::model::{Endpoint, Handle, Sent};
use crate::net::{Attempt, Event, LiveNet, Net};

/// Orders carried out before arrivals are looked at again: as in a scan on one
/// thread, few enough that a refused socket is at hand for the next attempt.
const ORDERS_PER_TURN: usize = 32;

#[derive(Default)]
pub struct Orders {
    pub list: Vec<Order>,
    /// The datagrams, one after the other.
    pub bytes: Vec<u8>,
}

pub enum Order {
    /// Send one packet. Its datagram begins where that of the order before it
    /// ended.
    Send {
        key: u64,
        endpoint: Endpoint,
        hops: Option<u8>,
        length: usize,
    },
    Forget {
        key: u64,
        handle: Handle,
    },
}

#[derive(Default)]
pub struct Inbox {
    pub orders: Mutex<Orders>,
    /// The lane waits in the kernel and must be woken.
    pub asleep: AtomicBool,
    pub closed: AtomicBool,
}

pub struct Outbox {
    pub state: Mutex<Filled>,
    pub filled: Condvar,
}

pub struct Filled {
    /// By lane: what happened to one attempt stays in order.
    pub events: Vec<Vec<Event>>,
    /// The scan waits and must be woken.
    pub awaited: bool,
    /// A lane panicked: a scan that waited for it would wait for ever.
    pub broken: Option<Box<dyn Any + Send>>,
}

/// A thread that panicked holds no lock while its data is half changed.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a lane does: carry out orders, listen, and tell.
pub fn serve(mut net: LiveNet, number: u64, inbox: &Inbox, outbox: &Outbox) {
    let mut orders = Orders::default();
    let mut events = Vec::new();
    while !inbox.closed.load(Ordering::SeqCst) {
        std::mem::swap(&mut *lock(&inbox.orders), &mut orders);
        match orders.list.is_empty() {
            true => sleep(&mut net, inbox, &mut events),
            false => carry_out(&mut net, number, &mut orders, &mut events),
        }
        tell(outbox, number as usize, &mut events);
    }
}

fn tell(outbox: &Outbox, lane: usize, events: &mut Vec<Event>) {
    if events.is_empty() {
        return;
    }
    let mut state = lock(&outbox.state);
    match state.events[lane].is_empty() {
        true => std::mem::swap(&mut state.events[lane], events),
        false => state.events[lane].append(events),
    }
    if std::mem::take(&mut state.awaited) {
        drop(state);
        outbox.filled.notify_one();
    }
}

/// Waits for the network or for orders, whichever comes first.
fn sleep(net: &mut LiveNet, inbox: &Inbox, events: &mut Vec<Event>) {
    inbox.asleep.store(true, Ordering::SeqCst);
    // Orders that came before the flag was up wake nobody.
    if lock(&inbox.orders).list.is_empty() && !inbox.closed.load(Ordering::SeqCst) {
        net.wait(None, events);
    }
    inbox.asleep.store(false, Ordering::SeqCst);
}

fn carry_out(net: &mut LiveNet, number: u64, orders: &mut Orders, events: &mut Vec<Event>) {
    let mut from = 0;
    for (done, order) in orders.list.drain(..).enumerate() {
        match order {
            Order::Send { key, endpoint, hops, length } => {
                let payload = &orders.bytes[from..from + length];
                from += length;
                let at = net.now();
                let sent = match net.send_now(&Attempt { key, endpoint, payload, hops }) {
                    Sent::Listening(handle) => {
                        Sent::Listening(Handle(handle.0 | number << LANE_SHIFT))
                    }
                    other => other,
                };
                events.push(Event::Departed { key, sent, at });
            }
            Order::Forget { key, handle } => {
                events.push(Event::Forgotten { key, farewell: net.forget_now(handle) });
            }
        }
        if done % ORDERS_PER_TURN == ORDERS_PER_TURN - 1 {
            listen(net, events);
        }
    }
    orders.bytes.clear();
    listen(net, events);
}

/// Takes what has arrived, without waiting.
fn listen(net: &mut LiveNet, events: &mut Vec<Event>) {
    let now = net.now();
    net.wait(Some(now), events);
}
