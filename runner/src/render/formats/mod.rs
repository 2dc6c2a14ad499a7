//! Reports in the forms of other tools: each a function from the document to text.
//!
//! They are written when the run is over, in the user's order.

mod csv;
mod html;
mod junit;
mod markdown;
mod nagios;
mod nmap;
mod prometheus;
mod tap;

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Renderer, json};
use crate::model::{Health, Outcome, PortState};
use crate::render::background::Rows as _;
use crate::report::{EndpointRow, Footer, Header, Report};

pub(super) use self::csv::{csv, harmless};
pub(super) use html::html;
pub(super) use junit::junit;
pub(super) use markdown::{cell, markdown};
pub(super) use nagios::{nagios, safe};
pub(super) use nmap::nmap;
pub(super) use prometheus::prometheus;
pub(super) use tap::tap;

/// Writes a report in one form.
pub(super) type Form = fn(&Report, &mut dyn Write) -> io::Result<()>;

/// Collects a report, and writes it in another form at the end.
pub(super) struct AtTheEnd {
    text: Shared,
    document: json::Document,
    form: Form,
    out: Box<dyn Write + Send>,
}

/// Text that is read again by whoever handed it out.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AtTheEnd {
    pub fn new(form: Form, out: Box<dyn Write + Send>) -> AtTheEnd {
        let text = Shared::default();
        AtTheEnd { document: json::Document::new(Box::new(text.clone())), text, form, out }
    }
}

impl Renderer for AtTheEnd {
    fn begin(&mut self, header: &Header) -> io::Result<()> {
        self.document.begin(header)
    }

    fn outcome(&mut self, outcome: Outcome) -> io::Result<()> {
        self.document.row(&outcome)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self, footer: &Footer) -> io::Result<()> {
        self.document.end(footer)?;
        let bytes =
            std::mem::take(&mut *self.text.0.lock().unwrap_or_else(PoisonError::into_inner));
        let text = String::from_utf8(bytes).map_err(io::Error::other)?;
        let report = Report::read(&text).map_err(io::Error::other)?;
        (self.form)(&report, &mut self.out)?;
        self.out.flush()
    }
}

/// Whether all is well with an endpoint: the exit code's rule, row by row.
fn is_fine(row: &EndpointRow<'_>) -> bool {
    let unhealthy = row.check.as_ref().is_some_and(|check| check.health == Health::Unhealthy);
    row.state == PortState::Open && !unhealthy
}

/// `db.example.com 10.0.0.5 5432/tcp`; the address once where it is the target.
fn name(row: &EndpointRow<'_>) -> String {
    match row.address == row.target {
        true => format!("{} {}/{}", row.target, row.port, row.transport),
        false => format!("{} {} {}/{}", row.target, row.address, row.port, row.transport),
    }
}

/// State and reason, and how the service is: `open (syn-ack), dns healthy`.
fn verdict(row: &EndpointRow<'_>) -> String {
    let from = row.evidence.from.as_deref().filter(|from| *from != row.address);
    let from = from.map(|from| format!(" from {from}")).unwrap_or_default();
    let check = row.check.as_ref().map(|check| match check.health {
        Health::Unknown => format!(", {} {}", check.plugin, check.verdict.name()),
        health => format!(", {} {}", check.plugin, health.name()),
    });
    format!("{} ({}{from}){}", row.state, row.reason, check.unwrap_or_default())
}

/// Text without control characters: those of the network and of plugins end here.
fn plain(text: &str) -> String {
    super::escape(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report with one row of each kind, and text that wants to break out.
    fn report() -> Report {
        let evidence = |from: Option<&str>| {
            serde_json::json!({"icmp": null, "from": from, "from_role": null, "errno": null,
                "attempts": 3, "answered": 0})
        };
        let row = |port: u16, state: &str, reason: &str, from: Option<&str>| {
            serde_json::json!({"target": "a.example", "address": "192.0.2.7", "port": port,
                "transport": "tcp", "state": state, "reason": reason, "rtt_ms": 1.5, "check": null,
                "advice": ["start it, or \"not\" <b>|</b>"], "evidence": evidence(from)})
        };
        let mut checked = row(443, "open", "syn-ack", Some("192.0.2.7"));
        checked["check"] = serde_json::json!({"plugin": "http", "version": "0.1.0",
            "verdict": "confirmed", "health": "unhealthy", "summary": "=1+1|<script>\u{1b}[31m\n\"",
            "findings": [{"name": "tls.days-left", "value": -3}], "fault": null, "duration_ms": 2.0});
        let report = serde_json::json!({
            "schema": "portscan/report/1", "portscan": "0.1.0", "started": "2026-01-01T00:00:00Z",
            "finished": "2026-01-01T00:00:02Z", "interrupted": false, "conclusions": [],
            "endpoints": [row(22, "open", "syn-ack", Some("192.0.2.7")), checked,
                row(25, "filtered", "admin-prohibited", Some("10.0.0.1")),
                row(26, "unknown", "local-no-route", None)],
            "unresolved": [{"target": "no.example", "reason": "nxdomain"}],
            "vantage": {"hostname": "h", "user": "u", "privileged": false,
                "source_addresses": ["192.0.2.1", "2001:db8::1"], "interfaces": ["eth0", "|<b>"],
                "name_servers": ["192.0.2.53"]},
        });
        Report::read(&report.to_string()).unwrap()
    }

    fn written(form: Form) -> String {
        let mut out = Vec::new();
        form(&report(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(!text.contains('\u{1b}'), "{text}");
        text
    }

    #[test]
    fn the_page_holds_every_row_and_no_markup_of_strangers() {
        let page = written(html);
        for text in ["a.example", "admin-prohibited", "no.example", "unhealthy", "&lt;script&gt;"] {
            assert!(page.contains(text), "no {text} in {page}");
        }
        assert_eq!(page.matches("<script>").count(), 1, "ours alone");
        assert_eq!(page.matches("<article").count(), 5);
    }

    #[test]
    fn each_form_says_the_same_in_its_own_way() {
        let forms: [(&str, Form); 7] = [
            ("csv", csv),
            ("junit", junit),
            ("markdown", markdown),
            ("nagios", nagios),
            ("nmap", nmap),
            ("prometheus", prometheus),
            ("tap", tap),
        ];
        let all: Vec<String> =
            forms.iter().map(|(name, form)| format!("== {name}\n{}", written(*form))).collect();
        insta::assert_snapshot!(all.join("\n"));
    }
}
