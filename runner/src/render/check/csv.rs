use std::io::{self, Write};

use super::sentences;
use crate::expect::Check;
use crate::render::formats::harmless;

const HEAD: [&str; 10] = [
    "target",
    "address",
    "port",
    "transport",
    "status",
    "expected",
    "found",
    "differences",
    "place",
    "role",
];

/// Comma-separated values (RFC 4180), a line per expectation under a head.
pub(super) fn csv(out: &mut dyn Write, check: &Check) -> io::Result<()> {
    let mut table = csv::Writer::from_writer(out);
    table.write_record(HEAD)?;
    for case in &check.expectations {
        let row = case.endpoint.as_ref();
        let cells = [
            case.target.clone(),
            case.address.clone().unwrap_or_default(),
            case.port.map(|port| port.to_string()).unwrap_or_default(),
            case.transport.map(|transport| transport.to_string()).unwrap_or_default(),
            case.status.name().to_owned(),
            case.expected.clone(),
            row.map(|row| format!("{} ({})", row.state, row.reason)).unwrap_or_default(),
            sentences(case).join("; "),
            case.place.clone(),
            case.role.clone().unwrap_or_default(),
        ];
        table.write_record(cells.iter().map(|cell| harmless(cell)))?;
    }
    table.flush()
}
