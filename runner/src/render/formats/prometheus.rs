use std::io::{self, Write};

use super::plain;
use crate::model::{Health, PortState};
use crate::report::{CheckRow, EndpointRow, Report};

/// One kind of figure: its name, what it says, and its value for a row that has it.
type Metric = (&'static str, &'static str, fn(&EndpointRow<'_>) -> Option<f64>);

const METRICS: [Metric; 4] = [
    ("portscan_open", "Whether the endpoint is open.", |row| {
        Some(f64::from(row.state == PortState::Open))
    }),
    ("portscan_rtt_seconds", "Round trip of the packet that decided.", |row| {
        row.rtt_ms.map(|ms| ms / 1e3)
    }),
    ("portscan_healthy", "Whether the service can serve, as a plugin found.", |row| {
        let health = row.check.as_ref()?.health;
        (health != Health::Unknown).then(|| f64::from(health == Health::Healthy))
    }),
    ("portscan_certificate_days_left", "Days until the service's certificate ends.", |row| {
        row.check.as_ref().and_then(days_left)
    }),
];

/// Prometheus' text format, for the text-file collector of its node exporter
/// (prometheus.io, "Exposition formats").
pub fn prometheus(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    for (metric, help, value) in METRICS {
        let samples: Vec<(&EndpointRow<'_>, f64)> =
            report.endpoints.iter().filter_map(|row| Some((row, value(row)?))).collect();
        if samples.is_empty() {
            continue;
        }
        writeln!(out, "# HELP {metric} {help}\n# TYPE {metric} gauge")?;
        for (row, value) in samples {
            writeln!(
                out,
                "{metric}{{target=\"{}\",address=\"{}\",port=\"{}\",transport=\"{}\"}} {value}",
                label(&row.target),
                label(&row.address),
                row.port,
                row.transport
            )?;
        }
    }
    writeln!(
        out,
        "# HELP portscan_state The endpoint's state and reason, always 1.\n# TYPE portscan_state gauge"
    )?;
    for row in &report.endpoints {
        writeln!(
            out,
            "portscan_state{{target=\"{}\",address=\"{}\",port=\"{}\",transport=\"{}\",state=\"{}\",reason=\"{}\"}} 1",
            label(&row.target),
            label(&row.address),
            row.port,
            row.transport,
            row.state,
            row.reason
        )?;
    }
    writeln!(
        out,
        "# HELP portscan_unresolved Names without an address.\n# TYPE portscan_unresolved gauge\nportscan_unresolved {}",
        report.tail.unresolved.len()
    )
}

fn days_left(check: &CheckRow) -> Option<f64> {
    let finding = check.findings.iter().find(|finding| finding.name == "tls.days-left")?;
    finding.value.as_f64()
}

fn label(text: &str) -> String {
    plain(text).replace('\\', "\\\\").replace('"', "\\\"")
}
