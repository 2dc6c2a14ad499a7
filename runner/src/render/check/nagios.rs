use std::io::{self, Write};

use super::{name, sentences};
use crate::expect::{Case, Check, Status};
use crate::render::formats::safe;

/// Differences in the first line; it is what pagers show.
const MOST_NAMED: usize = 3;

/// One line for Nagios and its kin, with performance data, and a line per
/// expectation that is not as it ought to be below it.
pub(super) fn nagios(out: &mut dyn Write, check: &Check) -> io::Result<()> {
    let counts = check.counts;
    // The word that goes with the exit code.
    let word = match (check.interrupted || counts.not_measured > 0, counts.differ) {
        (true, _) => "UNKNOWN",
        (false, 0) => "OK",
        (false, _) => "CRITICAL",
    };
    let bad = |case: &&Case| matches!(case.status, Status::Differs | Status::NotMeasured);
    let bad: Vec<String> = check
        .expectations
        .iter()
        .filter(bad)
        .map(|case| format!("{} {}", name(case), sentences(case).join("; ")))
        .collect();
    let total = counts.as_expected + counts.differ + counts.not_measured;
    let named = match bad.is_empty() {
        true => String::new(),
        false => format!(": {}", bad[..bad.len().min(MOST_NAMED)].join("; ")),
    };
    writeln!(
        out,
        "PORTSCAN {word} - {} of {total} as expected{} | as_expected={};;;0;{total} differ={} not_measured={} skipped={}",
        counts.as_expected,
        safe(&named),
        counts.as_expected,
        counts.differ,
        counts.not_measured,
        counts.skipped
    )?;
    bad.iter().try_for_each(|line| writeln!(out, "{}", safe(line)))
}
