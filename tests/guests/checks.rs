//! The dialogue half.

use std::time::{Duration, Instant};

use portscan::host::limits;
use portscan::model::{Health, Verdict};

use crate::plugin::Plugin;
use crate::world::{Service, check, check_within, guest, kind, load};

/// Sends `ping`, receives, concludes.
pub const DIALOGUE: &str = r#"
    (i32.store (i32.const 600) (i32.const 0x676e6970))
    (call $send (local.get $connection) (i32.const 600) (i32.const 4) (i32.const 16))
    (if (call $failed) (then (return (call $conversation))))
    (call $receive (local.get $connection) (i32.const 100) (i32.const 5000) (i32.const 16))
    (if (call $failed) (then (return (call $conversation))))
    (call $concluded (i32.load (i32.const 20)) (i32.load (i32.const 24)) (i32.const 0) (i32.const 0))"#;

#[tokio::test]
async fn an_obedient_check_talks_to_the_service_and_concludes() {
    let result = check(&guest(DIALOGUE), Service::Echo).await;
    assert_eq!(result.fault, None);
    assert_eq!(result.conclusion.verdict, Verdict::Confirmed);
    assert_eq!(result.conclusion.health, Health::Healthy);
    assert_eq!(result.conclusion.summary, "ping");
    assert_eq!((result.plugin.as_str(), result.version.as_str()), ("test", "1.2.3"));
}

#[tokio::test]
async fn silence_makes_the_check_inconclusive_and_is_no_fault() {
    let result = check_within(&guest(DIALOGUE), Service::Silent, Duration::from_millis(100)).await;
    assert_eq!(kind(&result), "inconclusive");
    assert_eq!(result.conclusion.summary, "no answer came in time");
}

#[tokio::test]
async fn a_wait_of_49_days_ends_at_the_deadline() {
    let body = r#"
        (call $receive (local.get $connection) (i32.const 1) (i32.const -1) (i32.const 16))
        (call $conversation)"#;
    let started = Instant::now();
    let result = check_within(&guest(body), Service::Silent, Duration::from_millis(100)).await;
    assert_eq!(kind(&result), "inconclusive");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_check_that_declines_is_not_checked_and_its_words_are_kept() {
    for (case, expected) in [(1, "invalid-setting"), (2, "failed")] {
        let result =
            check(&guest(&format!("(call $declined (i32.const {case}))")), Service::Silent).await;
        assert_eq!(kind(&result), expected);
        assert_eq!(result.conclusion.verdict, Verdict::NotChecked);
        assert_eq!(result.fault.expect("declined").text, "all is well");
    }
}

#[tokio::test]
async fn terminal_escapes_arrive_as_they_are_for_render_to_escape() {
    let result = check(&guest("(call $ok)"), Service::Silent).await;
    assert_eq!(result.conclusion.summary, "all is well\u{1b}[31m");
}

/// Runs each body against an echo service and compares the kinds.
pub async fn expect(cases: &[(&str, &str)]) {
    for (body, expected) in cases {
        let result = check(&guest(body), Service::Echo).await;
        assert_eq!(kind(&result), *expected, "{body}\n{result:?}");
        if let Some(fault) = &result.fault {
            assert_eq!(result.conclusion.verdict, Verdict::NotChecked);
            assert!(!fault.hint.is_empty() && !fault.text.is_empty());
        }
    }
}

#[tokio::test]
async fn cpu_time_is_bounded() {
    expect(&[
        // About a millisecond of work.
        (
            "(loop $l (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $l (i32.lt_u (local.get $i) (i32.const 100000)))) (call $ok)",
            "confirmed",
        ),
        ("(loop $l (br $l)) (unreachable)", "cpu-budget"),
        // Bulk operations look up only once each.
        (
            "(loop $l (memory.fill (i32.const 65536) (i32.const 0) (i32.const 131072)) (br $l)) (unreachable)",
            "cpu-budget",
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_loop_outside_of_the_check_itself_is_bounded() {
    let forever = "(func $forever (loop $l (br $l))) (start $forever)";
    // The start function runs before `describe` already.
    let start = Plugin { extra: forever.to_owned(), ..Plugin::check("(call $ok)") };
    assert_eq!(load(&start.build()).err().map(|e| e.kind()), Some("cpu-budget"));

    let after = "(func (export \"cabi_post_portscan:plugin/check@0.1.1#run\") (param i32) (loop $l (br $l)))";
    for extra in [crate::plugin::STALLING_ALLOCATOR, after] {
        let plugin = Plugin { extra: extra.to_owned(), ..Plugin::check("(call $ok)") };
        let result = check(&load(&plugin.build()).expect("loads"), Service::Silent).await;
        assert_eq!(kind(&result), "cpu-budget", "{extra}");
    }
}

#[tokio::test]
async fn memory_is_bounded() {
    let pages = limits::MAX_MEMORY / 65_536 - 4;
    expect(&[
        (&format!("(drop (memory.grow (i32.const {pages}))) (call $ok)"), "confirmed"),
        (&format!("(drop (memory.grow (i32.const {}))) (call $ok)", pages + 1), "memory"),
        ("(loop $l (drop (memory.grow (i32.const 1))) (br $l)) (unreachable)", "memory"),
    ])
    .await;
}

#[tokio::test]
async fn tables_are_bounded() {
    // wit-component adds a table of its own, with an element for each import.
    let most = limits::MAX_TABLE_ELEMENTS;
    for (grown, expected) in
        [(most - 100, "confirmed"), (most, "memory"), (u32::MAX as usize, "memory")]
    {
        let body = format!(
            "(drop (table.grow $t (ref.null func) (i32.const {}))) (call $ok)",
            grown as u32
        );
        let plugin = Plugin { extra: "(table $t 1 funcref)".to_owned(), ..Plugin::check(&body) };
        let result = check(&load(&plugin.build()).expect("loads"), Service::Silent).await;
        assert_eq!(kind(&result), expected, "{grown} elements: {result:?}");
    }
}

#[tokio::test]
async fn recursion_ends_as_a_trap_and_the_next_check_is_fine() {
    let plugin = Plugin {
        extra: "(func $deeper (param i32) (result i32)
            (i32.add (call $deeper (i32.add (local.get 0) (i32.const 1))) (local.get 0)))"
            .to_owned(),
        ..Plugin::check(
            // Misbehaves only when the peer is silent.
            "(call $receive (local.get $connection) (i32.const 1) (i32.const 50) (i32.const 16))
             (if (call $failed) (then (drop (call $deeper (i32.const 0)))))
             (call $ok)",
        )
    };
    let guest = load(&plugin.build()).expect("loads");
    for _ in 0..3 {
        assert_eq!(kind(&check(&guest, Service::Silent).await), "trap");
        assert_eq!(kind(&check(&guest, Service::Endless).await), "confirmed");
    }
}

#[tokio::test]
async fn traps_and_broken_conventions_are_told_apart() {
    expect(&[
        ("(unreachable)", "trap"),
        ("(drop (i32.load (i32.const -4))) (call $ok)", "trap"),
        // A summary that is no UTF-8, beyond the memory, of 4 GiB.
        ("(i32.store8 (i32.const 512) (i32.const 0xff)) (call $ok)", "broken-abi"),
        (
            "(call $concluded (i32.const -16) (i32.const 9) (i32.const 0) (i32.const 0))",
            "broken-abi",
        ),
        (
            "(call $concluded (i32.const 0) (i32.const -1) (i32.const 0) (i32.const 0))",
            "broken-abi",
        ),
        // A result outside the memory, unaligned, of a case that does not exist.
        ("(i32.const -4)", "broken-abi"),
        ("(drop (call $ok)) (i32.const 257)", "broken-abi"),
        (
            "(drop (call $ok)) (i32.store8 (i32.const 256) (i32.const 7)) (i32.const 256)",
            "broken-abi",
        ),
        // A forged handle, one dropped twice.
        ("(call $finish (i32.const 77) (i32.const 16)) (call $ok)", "broken-abi"),
        (
            "(call $drop (local.get $connection)) (call $drop (local.get $connection)) (call $ok)",
            "broken-abi",
        ),
    ])
    .await;
}

#[tokio::test]
async fn dropping_the_connection_or_leaking_it_is_fine() {
    expect(&[
        ("(call $drop (local.get $connection)) (call $ok)", "confirmed"),
        ("(call $ok)", "confirmed"),
    ])
    .await;
}

#[tokio::test]
async fn one_call_carries_so_many_bytes_and_no_more() {
    let send = |bytes: usize| {
        format!(
            "(drop (memory.grow (i32.const 8)))
             (call $send (local.get $connection) (i32.const 65536) (i32.const {bytes}) (i32.const 16))
             (call $ok)"
        )
    };
    expect(&[
        (&send(limits::MAX_CALL_BYTES - 100), "confirmed"),
        (&send(limits::MAX_CALL_BYTES + 1), "broken-abi"),
    ])
    .await;
}

#[tokio::test]
async fn a_receive_without_measure_gets_64_kib_at_most() {
    let body = "(loop $l
            (call $receive (local.get $connection) (i32.const -1) (i32.const 5000) (i32.const 16))
            (if (call $failed) (then (return (call $conversation))))
            (if (i32.gt_u (i32.load (i32.const 24)) (i32.const 65536)) (then (unreachable)))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $l (i32.lt_u (local.get $i) (i32.const 50))))
        (call $ok)";
    let result = check(&guest(body), Service::Endless).await;
    assert_eq!(kind(&result), "confirmed", "{result:?}");
}

#[tokio::test]
async fn an_endless_answer_ends_at_the_limit_of_received_bytes() {
    let body = "(loop $l
            (global.set $heap (i32.const 32768))
            (call $receive (local.get $connection) (i32.const 65536) (i32.const 5000) (i32.const 16))
            (br_if $l (i32.eqz (call $failed))))
        (call $conversation)";
    let result = check(&guest(body), Service::Endless).await;
    assert_eq!(kind(&result), "inconclusive");
    assert!(
        result.conclusion.summary.contains("16777216 bytes were received"),
        "{}",
        result.conclusion.summary
    );
}

#[tokio::test]
async fn sent_bytes_are_bounded_by_the_host_where_the_plugin_declares_more() {
    let body = "(drop (memory.grow (i32.const 8)))
        (loop $l
            (call $send (local.get $connection) (i32.const 65536) (i32.const 200000) (i32.const 16))
            (br_if $l (i32.eqz (call $failed))))
        (call $conversation)";
    let plugin = Plugin::check(body);
    let mut generous = plugin.metadata.clone();
    generous.sends.largest = u32::MAX;
    let plugin = Plugin { metadata: generous, ..plugin };
    let result = check(&load(&plugin.build()).expect("loads"), Service::Silent).await;
    assert_eq!(kind(&result), "inconclusive", "{result:?}");
    assert!(
        result.conclusion.summary.contains("1048576 bytes were sent"),
        "{}",
        result.conclusion.summary
    );
}

#[tokio::test]
async fn what_was_not_declared_is_not_sent() {
    let body = |sends: u32, bytes: u32| {
        format!(
            "(loop $l
                (call $send (local.get $connection) (i32.const 512) (i32.const {bytes}) (i32.const 16))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $l (i32.lt_u (local.get $i) (i32.const {sends}))))
             (call $ok)"
        )
    };
    for (sends, bytes, expected) in [
        (2, 5, "confirmed"),
        (1, 10, "confirmed"),
        (3, 1, "over-budget"),
        (1, 11, "over-budget"),
        (2, 6, "over-budget"),
    ] {
        let mut plugin = Plugin::check(&body(sends, bytes));
        plugin.metadata.sends.packets = 2;
        plugin.metadata.sends.largest = 10;
        let result = check(&load(&plugin.build()).expect("loads"), Service::Echo).await;
        assert_eq!(kind(&result), expected, "{sends} x {bytes}");
    }
}

#[tokio::test]
async fn connections_are_bounded_by_the_declaration_and_by_the_host() {
    let body = |count: u32| {
        format!(
            "(loop $l
                (call $reconnect (local.get $connection) (i32.const 16))
                (if (call $failed) (then (return (call $conversation))))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $l (i32.lt_u (local.get $i) (i32.const {count}))))
             (call $ok)"
        )
    };
    for (declared, more, expected) in [
        (3, 2, "confirmed"),
        (3, 3, "over-budget"),
        (100, 3, "confirmed"),
        (100, 4, "inconclusive"),
    ] {
        let mut plugin = Plugin::check(&body(more));
        plugin.metadata.sends.connections = declared;
        let result = check(&load(&plugin.build()).expect("loads"), Service::Echo).await;
        assert_eq!(kind(&result), expected, "{declared} declared, {more} more");
    }
}

#[tokio::test]
async fn host_calls_are_bounded() {
    let body = |calls: u32| {
        format!(
            "(loop $l
                (drop (call $now))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $l (i32.lt_u (local.get $i) (i32.const {calls}))))
             (call $ok)"
        )
    };
    expect(&[
        // The end of the check drops the connection without a call.
        (&body(limits::MAX_HOST_CALLS), "confirmed"),
        (&body(limits::MAX_HOST_CALLS + 1), "over-budget"),
    ])
    .await;
}

#[tokio::test]
async fn random_bytes_are_bounded() {
    expect(&[
        (
            &format!("(call $random (i32.const {}) (i32.const 16)) (call $ok)", limits::MAX_RANDOM),
            "confirmed",
        ),
        (
            &format!(
                "(call $random (i32.const {}) (i32.const 16)) (call $ok)",
                limits::MAX_RANDOM + 1
            ),
            "over-budget",
        ),
    ])
    .await;
}

#[tokio::test]
async fn tls_twice_and_sending_after_finish_are_answers_and_not_faults() {
    let finish = "(call $finish (local.get $connection) (i32.const 16))
        (call $send (local.get $connection) (i32.const 512) (i32.const 1) (i32.const 16))
        (if (i32.eqz (call $failed)) (then (unreachable)))
        (call $conversation)";
    let result = check(&guest(finish), Service::Echo).await;
    assert_eq!(kind(&result), "inconclusive");

    let tls = "(call $start_tls (local.get $connection) (i32.const 0) (i32.const 0) (i32.const 0)
            (i32.const 0) (i32.const 0) (i32.const 16))
        (if (i32.eqz (call $failed)) (then (unreachable)))
        (call $conversation)";
    // The echo of our own ClientHello is no ServerHello.
    let result = check(&guest(tls), Service::Echo).await;
    assert_eq!(kind(&result), "inconclusive");
    assert!(result.conclusion.summary.starts_with("TLS failed"), "{}", result.conclusion.summary);
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_the_peers_doing() {
    let tls = "(call $start_tls (local.get $connection) (i32.const 0) (i32.const 0) (i32.const 0)
            (i32.const 0) (i32.const 0) (i32.const 16))
        (call $conversation)";
    let result = check_within(&guest(tls), Service::Silent, Duration::from_millis(200)).await;
    assert_eq!(kind(&result), "inconclusive");
}

#[tokio::test]
async fn honest_checks_beside_hostile_ones_are_complete_and_right() {
    let hostile = guest("(loop $l (br $l)) (unreachable)");
    let honest = guest(DIALOGUE);
    let (a, b, c, d) = tokio::join!(
        check(&hostile, Service::Silent),
        check(&honest, Service::Echo),
        check(&hostile, Service::Silent),
        check(&honest, Service::Echo)
    );
    assert_eq!(
        [kind(&a), kind(&b), kind(&c), kind(&d)],
        ["cpu-budget", "confirmed", "cpu-budget", "confirmed"]
    );
}

#[tokio::test]
async fn an_instance_for_each_check_knows_nothing_of_the_last_one() {
    let body = "(if (i32.load (i32.const 1024)) (then (unreachable)))
        (i32.store (i32.const 1024) (i32.const 1))
        (call $ok)";
    let guest = guest(body);
    for _ in 0..20 {
        assert_eq!(kind(&check(&guest, Service::Silent).await), "confirmed");
    }
}
