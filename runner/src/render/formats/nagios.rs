use std::io::{self, Write};

use super::{is_fine, name, plain, verdict};
use crate::model::PortState;
use crate::report::{EndpointRow, Report};

/// Endpoints named in the first line; it is what pagers show.
const MOST_NAMED: usize = 3;

/// One line for Nagios and its kin, with performance data (Monitoring Plugins
/// Development Guidelines, "Plugin Output"), and a line per endpoint below it.
pub fn nagios(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let rows = &report.endpoints;
    let unresolved = report.tail.unresolved.len();
    let bad: Vec<&EndpointRow<'_>> = rows.iter().filter(|row| !is_fine(row)).collect();
    let unknown = rows.iter().any(|row| row.state == PortState::Unknown) || unresolved > 0;
    // The word that goes with the exit code.
    let word = match (unknown, bad.is_empty()) {
        (true, _) => "UNKNOWN",
        (false, false) => "CRITICAL",
        (false, true) => "OK",
    };
    let fine = rows.len() - bad.len();
    let mut named: Vec<String> =
        bad.iter().take(MOST_NAMED).map(|row| format!("{} {}", name(row), verdict(row))).collect();
    named.extend(
        report
            .tail
            .unresolved
            .iter()
            .take(MOST_NAMED)
            .map(|name| format!("{} unresolved ({})", name.target, name.reason.name())),
    );
    let named = match named.is_empty() {
        true => String::new(),
        false => format!(": {}", named.join("; ")),
    };
    write!(out, "PORTSCAN {word} - {fine} of {} fine{}", rows.len() + unresolved, safe(&named))?;
    write!(out, " | fine={fine};;;0;{}", rows.len() + unresolved)?;
    for row in rows.iter().filter(|row| row.rtt_ms.is_some()).take(50) {
        let label = format!("{}_{}_{}", row.address, row.port, row.transport);
        let seconds = row.rtt_ms.unwrap_or_default() / 1e3;
        write!(out, " '{}'={seconds:.6}s", safe(&label).replace(['\'', '='], ""))?;
    }
    writeln!(out)?;
    for row in rows {
        writeln!(out, "{} {}", safe(&name(row)), safe(&verdict(row)))?;
    }
    Ok(())
}

/// A bar would begin the performance data.
pub fn safe(text: &str) -> String {
    plain(text).replace("open|filtered", "open-or-filtered").replace('|', "/")
}
