use std::io::{self, Write};

use super::plain;
use crate::report::{EndpointRow, Report};

const HEAD: [&str; 17] = [
    "target",
    "address",
    "port",
    "transport",
    "state",
    "reason",
    "from",
    "icmp_type",
    "icmp_code",
    "attempts",
    "answered",
    "rtt_ms",
    "plugin",
    "verdict",
    "health",
    "summary",
    "advice",
];

/// Comma-separated values (RFC 4180), a line per endpoint under a head.
///
/// A cell that a spreadsheet would take for a formula begins with an apostrophe.
pub fn csv(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut table = csv::Writer::from_writer(out);
    table.write_record(HEAD)?;
    for row in &report.endpoints {
        table.write_record(cells(row).iter().map(|cell| harmless(cell)))?;
    }
    for name in &report.tail.unresolved {
        let mut cells = vec![String::new(); HEAD.len()];
        cells[0].clone_from(&name.target);
        cells[4] = "unresolved".into();
        cells[5] = name.reason.name().into();
        table.write_record(cells.iter().map(|cell| harmless(cell)))?;
    }
    table.flush()
}

fn cells(row: &EndpointRow<'_>) -> [String; 17] {
    let (evidence, check) = (&row.evidence, row.check.as_ref());
    let number = |n: Option<u8>| n.map(|n| n.to_string()).unwrap_or_default();
    [
        row.target.to_string(),
        row.address.clone(),
        row.port.to_string(),
        row.transport.to_string(),
        row.state.to_string(),
        row.reason.to_string(),
        evidence.from.clone().unwrap_or_default(),
        number(evidence.icmp.as_ref().map(|icmp| icmp.kind)),
        number(evidence.icmp.as_ref().map(|icmp| icmp.code)),
        evidence.attempts.to_string(),
        evidence.answered.to_string(),
        row.rtt_ms.map(|ms| ms.to_string()).unwrap_or_default(),
        check.map(|check| check.plugin.clone()).unwrap_or_default(),
        check.map(|check| check.verdict.name().to_owned()).unwrap_or_default(),
        check.map(|check| check.health.name().to_owned()).unwrap_or_default(),
        check.map(|check| check.summary.clone()).unwrap_or_default(),
        row.advice.join(" "),
    ]
}

/// A cell that no spreadsheet takes for a formula.
pub fn harmless(cell: &str) -> String {
    let text = plain(cell);
    match text.starts_with(['=', '+', '-', '@']) {
        true => format!("'{text}"),
        false => text,
    }
}
