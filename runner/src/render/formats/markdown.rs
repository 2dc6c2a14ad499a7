use std::io::{self, Write};

use super::{plain, verdict};
use crate::report::Report;

/// A table for tickets and merge requests (GitHub Flavored Markdown, tables), with
/// the advice below it, and from where it was seen.
pub fn markdown(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "| target | address | port | verdict | RTT |")?;
    writeln!(out, "|---|---|--:|---|--:|")?;
    for row in &report.endpoints {
        let rtt = row.rtt_ms.map(|ms| format!("{ms:.1} ms")).unwrap_or_default();
        writeln!(
            out,
            "| {} | {} | {}/{} | {} | {rtt} |",
            cell(&row.target),
            cell(&row.address),
            row.port,
            row.transport,
            cell(&verdict(row))
        )?;
    }
    for name in &report.tail.unresolved {
        writeln!(out, "| {} | | | unresolved ({}) | |", cell(&name.target), name.reason.name())?;
    }
    let remarks: Vec<String> = report
        .endpoints
        .iter()
        .flat_map(|row| {
            let said = row.check.as_ref().map(|check| check.summary.as_str());
            let all = said.into_iter().chain(row.advice.iter().map(|advice| &**advice));
            let port = format!("{} {}/{}", cell(&row.address), row.port, row.transport);
            all.map(move |text| format!("- {port}: {}", cell(text))).collect::<Vec<_>>()
        })
        .collect();
    if !remarks.is_empty() {
        writeln!(out, "\n{}", remarks.join("\n"))?;
    }
    for conclusion in &report.tail.conclusions {
        writeln!(out, "- {}: {}", cell(&conclusion.target), cell(&conclusion.text))?;
    }
    writeln!(out, "\nSeen from {}.", cell(&report.head.vantage.in_words()))
}

/// Text that means nothing but itself in a table's cell.
pub fn cell(text: &str) -> String {
    let mut cell = String::with_capacity(text.len());
    for c in plain(text).chars() {
        match c {
            '&' => cell.push_str("&amp;"),
            '<' => cell.push_str("&lt;"),
            '>' => cell.push_str("&gt;"),
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '#' => {
                cell.push('\\');
                cell.push(c);
            }
            c => cell.push(c),
        }
    }
    cell
}
