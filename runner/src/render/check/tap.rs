use std::io::{self, Write};

use super::{advice, name, plain, sentences};
use crate::expect::{Check, Status};

/// The Test Anything Protocol, version 13: a test per expectation, why it failed
/// below it.
pub(super) fn tap(out: &mut dyn Write, check: &Check) -> io::Result<()> {
    writeln!(out, "TAP version 13\n1..{}", check.expectations.len())?;
    for (at, case) in check.expectations.iter().enumerate() {
        let ok = match case.status {
            Status::AsExpected | Status::Skipped => "ok",
            Status::Differs | Status::NotMeasured => "not ok",
        };
        // A number sign would begin a directive.
        let text = format!("{}: {}", name(case), plain(&case.expected)).replace('#', "");
        let why = sentences(case);
        let directive = match case.status {
            Status::Skipped => format!(" # SKIP {}", why.join("; ")),
            _ => String::new(),
        };
        writeln!(out, "{ok} {} - {text}{directive}", at + 1)?;
        if ok == "ok" {
            continue;
        }
        for line in why.into_iter().chain(advice(case)) {
            writeln!(out, "# {line}")?;
        }
        writeln!(out, "# at {}", plain(&case.place))?;
    }
    match check.interrupted {
        true => writeln!(out, "Bail out! interrupted"),
        false => Ok(()),
    }
}
