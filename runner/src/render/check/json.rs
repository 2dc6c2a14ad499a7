use std::io::{self, Write};

use serde::Serialize;

use crate::expect::{CHECK_SCHEMA, Case, Check, Counts};
use crate::report::VantageRow;

/// One document, schema `portscan/check/1`.
pub(super) fn document(out: &mut dyn Write, check: &Check) -> io::Result<()> {
    serde_json::to_writer(&mut *out, check)?;
    out.write_all(b"\n")
}

/// A line of its own, told by its `type`.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Line<'a> {
    Start {
        schema: &'a str,
        portscan: &'a str,
        started: &'a str,
        vantage: &'a VantageRow,
        warnings: &'a [String],
    },
    Expectation(&'a Case),
    End {
        counts: Counts,
        finished: &'a str,
        interrupted: bool,
    },
}

/// JSON lines: `start`, an `expectation` each, `end`.
pub(super) fn lines(out: &mut dyn Write, check: &Check) -> io::Result<()> {
    let start = Line::Start {
        schema: CHECK_SCHEMA,
        portscan: &check.portscan,
        started: &check.started,
        vantage: &check.vantage,
        warnings: &check.warnings,
    };
    let end = Line::End {
        counts: check.counts,
        finished: &check.finished,
        interrupted: check.interrupted,
    };
    let cases = check.expectations.iter().map(Line::Expectation);
    for line in std::iter::once(start).chain(cases).chain([end]) {
        serde_json::to_writer(&mut *out, &line)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}
