use std::io::{self, Write};

use super::{advice, counts, name, sentences};
use crate::expect::{Case, Check, Status};
use crate::render::formats::cell;

/// A table for tickets and merge requests, with the counts below it.
pub(super) fn markdown(out: &mut dyn Write, check: &Check, all: bool) -> io::Result<()> {
    let shown = |case: &&Case| all || matches!(case.status, Status::Differs | Status::NotMeasured);
    let cases: Vec<&Case> = check.expectations.iter().filter(shown).collect();
    if !cases.is_empty() {
        writeln!(out, "| | what | expected | difference | where |\n|---|---|---|---|---|")?;
    }
    for case in &cases {
        writeln!(
            out,
            "| {} | {} | {} | {} | {} |",
            case.status.name(),
            cell(&name(case)),
            cell(&case.expected),
            cell(&sentences(case).join("; ")),
            cell(&case.place)
        )?;
    }
    let advised: Vec<_> = cases
        .iter()
        .flat_map(|case| advice(case).into_iter().map(|text| (name(case), text)))
        .collect();
    if !cases.is_empty() {
        writeln!(out)?;
    }
    for (name, text) in advised {
        writeln!(out, "- {}: {}", cell(&name), cell(&text))?;
    }
    writeln!(out, "- {}", counts(check))
}
