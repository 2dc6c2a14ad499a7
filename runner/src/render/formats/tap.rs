use std::io::{self, Write};

use super::{is_fine, name, plain, verdict};
use crate::report::Report;

/// The Test Anything Protocol, version 13: a test per endpoint, why it failed below
/// it.
pub fn tap(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let (rows, unresolved) = (&report.endpoints, &report.tail.unresolved);
    writeln!(out, "TAP version 13\n1..{}", rows.len() + unresolved.len())?;
    for (at, row) in rows.iter().enumerate() {
        let ok = if is_fine(row) { "ok" } else { "not ok" };
        // A number sign would begin a directive.
        let description = plain(&format!("{} {}", name(row), verdict(row))).replace('#', "");
        writeln!(out, "{ok} {} - {description}", at + 1)?;
        let said = row.check.as_ref().map(|check| check.summary.as_str()).into_iter();
        for text in said.chain(row.advice.iter().map(|advice| &**advice)) {
            writeln!(out, "# {}", plain(text))?;
        }
    }
    for (at, name) in unresolved.iter().enumerate() {
        let target = plain(&name.target).replace('#', "");
        let number = rows.len() + at + 1;
        writeln!(out, "not ok {number} - {target} unresolved ({})", name.reason.name())?;
    }
    Ok(())
}
