use std::io::{self, Write};

use super::{advice, counts, name, plain, sentences};
use crate::expect::{Case, Check, Status};
use crate::render::Style;
use crate::render::table::wrap;

/// Before everything that is said of a case.
const INDENT: &str = "                ";

/// For people: what differs, with the place in the file, and a line of counts.
pub(super) fn table(out: &mut dyn Write, check: &Check, style: Style, all: bool) -> io::Result<()> {
    let shown = |case: &&Case| all || matches!(case.status, Status::Differs | Status::NotMeasured);
    for case in check.expectations.iter().filter(shown) {
        one(out, case, style)?;
    }
    writeln!(out, "{}", counts(check))
}

fn one(out: &mut dyn Write, case: &Case, style: Style) -> io::Result<()> {
    let word = match case.status {
        Status::AsExpected => "as expected",
        Status::Differs => "differs",
        Status::NotMeasured => "not measured",
        Status::Skipped => "skipped",
    };
    let place = match &case.role {
        Some(role) => format!("{}, role {}", plain(&case.place), plain(role)),
        None => plain(&case.place),
    };
    let word = style.status(case.status, &format!("{word:<12}"));
    writeln!(out, "{word}  {}  {}", style.strong(&name(case)), style.faint(&place))?;
    match case.status {
        Status::AsExpected => writeln!(out, "{INDENT}{}", plain(&case.expected))?,
        Status::Skipped => {
            writeln!(out, "{INDENT}{}", style.faint(&sentences(case).join("; ")))?;
        }
        Status::Differs | Status::NotMeasured => {
            let steps = advice(case).into_iter().map(|text| format!("-> {text}"));
            for text in sentences(case).into_iter().chain(steps) {
                for line in wrap(&text, style.width.saturating_sub(INDENT.len())) {
                    writeln!(out, "{INDENT}{line}")?;
                }
            }
        }
    }
    Ok(())
}
