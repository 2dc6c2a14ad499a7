use std::io::{self, Write};

use super::plain;
use crate::expect::{Check, Status};

/// Text for Prometheus' node exporter: a gauge per expectation, and their counts.
pub(super) fn prometheus(out: &mut dyn Write, check: &Check) -> io::Result<()> {
    writeln!(out, "# HELP portscan_as_expected 1 where all is as expected, 0 where not.")?;
    writeln!(out, "# TYPE portscan_as_expected gauge")?;
    for case in &check.expectations {
        let value = match case.status {
            Status::AsExpected => 1,
            Status::Differs | Status::NotMeasured => 0,
            Status::Skipped => continue,
        };
        let labels = [
            ("target", case.target.clone()),
            ("address", case.address.clone().unwrap_or_default()),
            ("port", case.port.map(|port| port.to_string()).unwrap_or_default()),
            ("transport", case.transport.map(|t| t.to_string()).unwrap_or_default()),
            ("place", case.place.clone()),
        ];
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", label(value))).collect();
        writeln!(out, "portscan_as_expected{{{}}} {value}", labels.join(","))?;
    }
    writeln!(out, "# HELP portscan_expectations How many expectations have which status.")?;
    writeln!(out, "# TYPE portscan_expectations gauge")?;
    let counts = check.counts;
    for (status, count) in [
        (Status::AsExpected, counts.as_expected),
        (Status::Differs, counts.differ),
        (Status::NotMeasured, counts.not_measured),
        (Status::Skipped, counts.skipped),
    ] {
        writeln!(out, "portscan_expectations{{status=\"{}\"}} {count}", status.name())?;
    }
    Ok(())
}

/// A label's value, as the exposition format escapes it.
fn label(text: &str) -> String {
    plain(text).replace('\\', "\\\\").replace('"', "\\\"")
}
