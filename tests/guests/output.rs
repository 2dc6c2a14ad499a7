//! What a check says: its log, its findings, its summary.

use portscan::host::limits;
use portscan::model::FindingValue;

use crate::checks::expect;
use crate::world::{Service, check, guest, kind};

/// Writes `lines` lines of `bytes` bytes.
pub fn logs(lines: usize, bytes: usize) -> String {
    format!(
        "(memory.fill (i32.const 65536) (i32.const 0x61) (i32.const 65536))
         (loop $l
            (call $log (i32.const 65536) (i32.const {bytes}))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $l (i32.lt_u (local.get $i) (i32.const {lines}))))
         (call $ok)"
    )
}

#[tokio::test]
async fn log_lines_are_kept_cut_and_counted() {
    let obeyed =
        check(&guest(&logs(limits::MAX_LOG_LINES, limits::MAX_LOG_LINE)), Service::Silent).await;
    assert_eq!(obeyed.log.len(), limits::MAX_LOG_LINES);
    assert_eq!(obeyed.log[0].len(), limits::MAX_LOG_LINE);

    let violated =
        check(&guest(&logs(limits::MAX_LOG_LINES + 7, limits::MAX_LOG_LINE + 1)), Service::Silent)
            .await;
    assert_eq!(kind(&violated), "confirmed");
    assert_eq!(violated.log.len(), limits::MAX_LOG_LINES + 1);
    assert_eq!(violated.log[0].len(), limits::MAX_LOG_LINE);
    assert_eq!(violated.log[limits::MAX_LOG_LINES], "(7 more lines were dropped)");
}

#[tokio::test]
async fn the_log_survives_a_fault() {
    let result = check(
        &guest(&format!("(drop (block (result i32) {})) (unreachable)", logs(1, 3))),
        Service::Silent,
    )
    .await;
    assert_eq!(kind(&result), "trap");
    assert_eq!(result.log, ["aaa"]);
}

/// Concludes with `count` findings whose values are texts of `bytes` bytes.
pub fn findings(count: usize, bytes: usize) -> String {
    format!(
        "(memory.fill (i32.const 131072) (i32.const 0x61) (i32.const 131072))
         (loop $l
            ;; name at 0, its length at 4, the value's case at 8, its text at 16.
            (local.set $j (i32.add (i32.const 65536) (i32.mul (local.get $i) (i32.const 24))))
            (i32.store (local.get $j) (i32.const 131072))
            (i32.store offset=4 (local.get $j) (i32.const 4))
            (i32.store offset=8 (local.get $j) (i32.const 0))
            (i32.store offset=16 (local.get $j) (i32.const 131072))
            (i32.store offset=20 (local.get $j) (i32.const {bytes}))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $l (i32.lt_u (local.get $i) (i32.const {count}))))
         (call $concluded (i32.const 512) (i32.const 3) (i32.const 65536) (i32.const {count}))"
    )
}

#[tokio::test]
async fn findings_are_counted_and_their_values_cut() {
    let obeyed = check(&guest(&findings(limits::MAX_FINDINGS, 10)), Service::Silent).await;
    assert_eq!(obeyed.conclusion.findings.len(), limits::MAX_FINDINGS);
    assert_eq!(obeyed.conclusion.findings[0].name, "aaaa");
    assert!(obeyed.log.is_empty());

    let surplus = check(&guest(&findings(limits::MAX_FINDINGS + 3, 10)), Service::Silent).await;
    assert_eq!(surplus.conclusion.findings.len(), limits::MAX_FINDINGS);
    assert_eq!(surplus.log, ["(3 more findings were dropped)"]);

    let long = check(&guest(&findings(1, limits::MAX_FINDING + 1)), Service::Silent).await;
    let FindingValue::Text(text) = &long.conclusion.findings[0].value else { panic!("{long:?}") };
    assert_eq!(text.len(), limits::MAX_FINDING);
}

#[tokio::test]
async fn a_verdict_beyond_its_size_is_a_fault() {
    expect(&[
        (&findings(15, 4096), "confirmed"),
        (&findings(16, 4096), "too-much-output"),
        // Small each, many: the record itself counts.
        (&findings(2600, 20), "too-much-output"),
        (
            "(call $concluded (i32.const 131072) (i32.const 65536) (i32.const 0) (i32.const 0))",
            "confirmed",
        ),
        (
            "(call $concluded (i32.const 131072) (i32.const 65537) (i32.const 0) (i32.const 0))",
            "too-much-output",
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_long_summary_is_cut() {
    let body = "(memory.fill (i32.const 65536) (i32.const 0x61) (i32.const 2000))
        (call $concluded (i32.const 65536) (i32.const 2000) (i32.const 0) (i32.const 0))";
    let result = check(&guest(body), Service::Silent).await;
    assert_eq!(result.conclusion.summary.len(), limits::MAX_SUMMARY);
}
