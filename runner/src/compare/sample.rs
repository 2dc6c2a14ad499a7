//! Made-up reports for tests.

use crate::report::{EndpointRow, Report};

/// A row of 192.0.2.7, TCP.
pub(super) fn row(
    port: u16,
    state: &str,
    reason: &str,
    from: Option<&str>,
) -> EndpointRow<'static> {
    let row = serde_json::json!({
        "target": "a.example", "address": "192.0.2.7", "port": port, "transport": "tcp",
        "state": state, "reason": reason, "rtt_ms": 1.5, "check": null, "advice": [],
        "evidence": {"icmp": null, "from": from.unwrap_or("192.0.2.7"), "from_role": null,
                     "errno": null, "attempts": 1, "answered": 1},
    });
    serde_json::from_value(row).unwrap()
}

/// A report with these rows.
pub(super) fn report(rows: &[EndpointRow<'static>]) -> Report {
    from("here", rows)
}

/// The same, from a named vantage point.
pub(super) fn from(vantage: &str, rows: &[EndpointRow<'static>]) -> Report {
    let report = serde_json::json!({
        "schema": "portscan/report/1", "portscan": "0.1.0", "started": "2026-01-01T00:00:00Z",
        "finished": "2026-01-01T00:00:01Z", "endpoints": rows, "unresolved": [], "conclusions": [],
        "interrupted": false,
        "vantage": {"name": vantage, "hostname": "h", "user": "u", "privileged": false,
                    "source_addresses": []},
    });
    Report::read(&report.to_string()).unwrap()
}
