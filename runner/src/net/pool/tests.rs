use super::lane::lock;
use super::*;
use crate::model::Endpoint;
use crate::model::{Signal, Transport};
use std::net::{TcpListener, UdpSocket};

fn attempt(key: u64, endpoint: Endpoint) -> Attempt<'static> {
    Attempt { key, endpoint, payload: b"ping", hops: None }
}

/// Everything that happens to `attempts`, until each has ended or is heard of.
fn run(pool: &mut Pool, mut missing: usize) -> Vec<Event> {
    let (mut all, mut events) = (Vec::new(), Vec::new());
    while missing > 0 {
        let until = pool.now() + Duration::from_secs(20);
        pool.wait(Some(until), &mut events);
        assert!(!events.is_empty(), "{missing} attempts are never heard of");
        let told = events.iter().filter(|e| matches!(e, Event::Arrived(_))).count();
        missing -= told;
        all.append(&mut events);
    }
    all
}

#[test]
fn departures_come_first_and_every_attempt_is_heard_of() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let open = Endpoint::new(tcp.local_addr().unwrap(), Transport::Tcp);
    let echo = Endpoint::new(udp.local_addr().unwrap(), Transport::Udp);
    let mut pool = Pool::new(3, 600, &SourceBinding::default()).unwrap();
    for key in 0..200 {
        let endpoint = if key % 2 == 0 { open } else { echo };
        assert_eq!(pool.send(attempt(key, endpoint)), None);
    }
    pool.hand_over();
    let mut buffer = [0; 16];
    for _ in 0..100 {
        let (length, from) = udp.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"ping");
        udp.send_to(b"pong", from).unwrap();
    }
    let mut departed = std::collections::HashMap::new();
    let mut arrived = 0;
    for event in run(&mut pool, 200) {
        match event {
            Event::Departed { key, sent: Sent::Listening(handle), .. } => {
                departed.insert(key, handle);
            }
            Event::Arrived(arrival) => {
                assert!(departed.contains_key(&arrival.key), "{arrival:?}");
                let as_expected = match arrival.signal {
                    Signal::Connected { .. } => arrival.key % 2 == 0,
                    Signal::Answer { .. } => arrival.key % 2 == 1,
                    _ => false,
                };
                assert!(as_expected, "{arrival:?}");
                arrived += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(arrived, 200);
    for key in (1..200).step_by(2) {
        assert_eq!(pool.forget(key, departed[&key]), None);
    }
    let (mut events, mut forgotten) = (Vec::new(), 0);
    while forgotten < 100 {
        pool.wait(None, &mut events);
        forgotten += events.len();
        assert!(events.drain(..).all(|e| matches!(e, Event::Forgotten { .. })));
    }
    assert!(pool.lanes.iter().all(|lane| lane.outstanding == 0));
}

#[test]
fn a_stop_ends_a_wait_without_end() {
    let mut pool = Pool::new(2, 100, &SourceBinding::default()).unwrap();
    let stop = pool.stop();
    let other = std::thread::spawn(move || stop.ask());
    pool.wait(None, &mut Vec::new());
    other.join().unwrap();
    assert!(pool.stop().is_asked());
}

#[test]
fn a_lane_that_panics_ends_the_wait() {
    let mut pool = Pool::new(2, 100, &SourceBinding::default()).unwrap();
    lock(&pool.outbox.state).broken = Some(Box::new("a bug"));
    let waited = catch_unwind(AssertUnwindSafe(|| pool.wait(None, &mut Vec::new())));
    assert!(waited.is_err());
}
