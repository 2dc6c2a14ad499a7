//! The pure half: `describe`, `payloads`, `judge`.

use portscan::host::{Guest, limits};
use portscan::model::{Conclusion, Fault, Payload, Verdict};

use crate::plugin::Plugin;
use crate::world::{load, udp};

fn probe(judge: &str, payloads: &str) -> Guest {
    load(&Plugin::probe(judge, payloads).build()).expect("an obedient rest")
}

fn judge(guest: &Guest) -> Result<Conclusion, Fault> {
    guest.judge(&udp(), "target.example", 42, 0, 7, b"an answer", &[])
}

fn payloads(guest: &Guest) -> Result<Vec<Payload>, Fault> {
    guest.payloads(&udp(), "target.example", 42, &[])
}

const TWO: &str = "(call $payloads (i32.const 2) (i32.const 4))";

#[test]
fn payloads_and_judgement_of_an_obedient_probe() {
    let guest = probe("(call $judged)", TWO);
    let payloads = payloads(&guest).expect("two");
    assert_eq!(payloads.len(), 2);
    assert_eq!(
        (payloads[0].bytes.as_slice(), payloads[0].label.as_str()),
        (b"all ".as_slice(), "all")
    );
    assert_eq!(judge(&guest).expect("a conclusion").verdict, Verdict::Confirmed);
}

#[test]
fn the_guest_sees_the_answer_its_port_and_the_seed() {
    let body = "
        (if (i64.ne (local.get $seed) (i64.const 42)) (then (unreachable)))
        (if (i32.ne (local.get $port) (i32.const 7)) (then (unreachable)))
        (call $conclude_at (i32.const 260) (local.get $answer) (local.get $length) (i32.const 0) (i32.const 0))
        (i32.const 260)";
    assert_eq!(judge(&probe(body, TWO)).expect("a conclusion").summary, "an answer");
}

#[test]
fn a_loop_ends_and_the_next_call_is_served_by_a_new_instance() {
    // Loops when the seed is 1.
    let body =
        "(if (i64.eq (local.get $seed) (i64.const 1)) (then (loop $l (br $l)))) (call $judged)";
    let guest = probe(body, "(loop $l (br $l)) (unreachable)");
    let with_seed =
        |seed| guest.judge(&udp(), "", seed, 0, 7, b"", &[]).map_err(|fault| fault.kind);
    for _ in 0..2 {
        assert_eq!(with_seed(1).expect_err("a fault"), "cpu-budget");
        assert!(with_seed(2).is_ok());
    }
    assert_eq!(payloads(&guest).expect_err("a fault").kind, "cpu-budget");
}

#[test]
fn traps_memory_and_broken_conventions_are_faults_of_the_call() {
    for (body, expected) in [
        ("(unreachable)", "trap"),
        ("(loop $l (drop (memory.grow (i32.const 1))) (br $l)) (unreachable)", "memory"),
        ("(i32.store8 (i32.const 512) (i32.const 0xff)) (call $judged)", "broken-abi"),
        ("(i32.const -4)", "broken-abi"),
    ] {
        assert_eq!(judge(&probe(body, TWO)).expect_err("a fault").kind, expected, "{body}");
    }
}

#[test]
fn a_datagram_larger_than_declared_is_a_fault() {
    for (size, expected) in [(0, None), (10, None), (11, Some("over-budget"))] {
        let mut plugin = Plugin::probe(
            "(call $judged)",
            &format!("(call $payloads (i32.const 3) (i32.const {size}))"),
        );
        plugin.metadata.sends.packets = 1;
        plugin.metadata.sends.largest = 10;
        let guest = load(&plugin.build()).expect("loads");
        assert_eq!(payloads(&guest).err().map(|fault| fault.kind), expected, "{size} bytes");
    }
}

#[test]
fn payloads_are_counted() {
    for (count, expected) in
        [(limits::MAX_PAYLOADS, None), (limits::MAX_PAYLOADS + 1, Some("too-much-output"))]
    {
        let guest =
            probe("(call $judged)", &format!("(call $payloads (i32.const {count}) (i32.const 4))"));
        assert_eq!(payloads(&guest).err().map(|fault| fault.kind), expected, "{count}");
    }
}

#[test]
fn a_probe_that_keeps_memory_is_replaced_before_it_runs_out() {
    // Every call keeps 8 KiB: 64 MiB would be full after 8,000 calls of one
    // instance, were its allocator not reset with it.
    let body = "(drop (call $alloc (i32.const 0) (i32.const 0) (i32.const 8) (i32.const 4096))) (call $judged)";
    let guest = probe(body, TWO);
    for call in 0..2 * limits::CALLS_PER_INSTANCE {
        assert!(judge(&guest).is_ok(), "call {call}");
    }
}

#[test]
fn calls_from_many_threads_do_not_disturb_each_other() {
    let guest = probe("(call $judged)", TWO);
    std::thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| {
                for _ in 0..500 {
                    assert!(judge(&guest).is_ok());
                }
            });
        }
    });
}

#[test]
fn imports_cannot_be_used_where_there_is_no_check() {
    let mut plugin = Plugin::check("(call $ok)");
    plugin.describe = "(call $log (i32.const 512) (i32.const 3)) (i32.const 8192)".to_owned();
    assert_eq!(load(&plugin.build()).err().map(|e| e.kind()), Some("impure"));

    let mut plugin = Plugin::probe("(drop (call $now)) (call $judged)", TWO);
    plugin.check = Some("(call $ok)".to_owned());
    let guest = load(&plugin.build()).expect("loads");
    assert_eq!(judge(&guest).expect_err("a fault").kind, "impure");
}
