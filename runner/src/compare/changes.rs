use std::collections::BTreeMap;

use super::{Key, state_in_words};
use crate::report::{CheckRow, EndpointRow, Report};

/// Kinds of change, the most telling first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// The endpoint is in the later report only.
    Appeared,
    /// The endpoint is in the earlier report only.
    Disappeared,
    /// Its state, its reason, or who gave it.
    State,
    /// Whether it is the service that a plugin looked for.
    Verdict,
    /// Whether the service can serve.
    Health,
    /// The certificate that the service shows.
    Certificate,
    /// Whether a name has an address.
    Name,
    /// Whether it is as a file says it ought to be.
    Expectation,
}

impl What {
    /// The word in documents.
    pub fn name(self) -> &'static str {
        match self {
            What::Appeared => "appeared",
            What::Disappeared => "disappeared",
            What::State => "state",
            What::Verdict => "verdict",
            What::Health => "health",
            What::Certificate => "certificate",
            What::Name => "name",
            What::Expectation => "expectation",
        }
    }
}

/// One thing that is not as it was. Its texts come from reports: escape before
/// showing.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Change {
    /// Of which endpoint. A name without address has port 0.
    #[serde(flatten)]
    pub key: Key,
    /// What kind.
    pub what: What,
    /// As it was.
    pub before: Option<String>,
    /// As it is.
    pub after: Option<String>,
}

/// What changed from one report to the next, by endpoint.
///
/// Times are no change: round trips, durations, days that a certificate has left
/// while it is the same one. A report compared with itself has none.
pub fn changes(before: &Report, after: &Report) -> Vec<Change> {
    let (old, new) = (rows(before), rows(after));
    let mut all = Vec::new();
    for (key, row) in &old {
        match new.get(key) {
            None => all.push(change(key, What::Disappeared, Some(state_in_words(row)), None)),
            Some(now) => compare(key, row, now, &mut all),
        }
    }
    for (key, row) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
        all.push(change(key, What::Appeared, None, Some(state_in_words(row))));
    }
    let (old, new) = (names(before), names(after));
    for key in old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))) {
        let (was, is) = (old.get(key).cloned(), new.get(key).cloned());
        if was != is {
            all.push(change(key, What::Name, was, is));
        }
    }
    all.sort_by(|a, b| (&a.key, a.what).cmp(&(&b.key, b.what)));
    all
}

fn rows(report: &Report) -> BTreeMap<Key, &EndpointRow<'static>> {
    report.endpoints.iter().map(|row| (Key::of(row), row)).collect()
}

/// Names without an address, and why.
fn names(report: &Report) -> BTreeMap<Key, String> {
    let word = |row: &crate::report::UnresolvedRow| row.reason.name().to_owned();
    report.tail.unresolved.iter().map(|row| (Key::of_name(&row.target), word(row))).collect()
}

fn change(key: &Key, what: What, before: Option<String>, after: Option<String>) -> Change {
    Change { key: key.clone(), what, before, after }
}

fn compare(key: &Key, was: &EndpointRow<'_>, is: &EndpointRow<'_>, all: &mut Vec<Change>) {
    let mut differ = |what, before: Option<String>, after: Option<String>| {
        if before != after {
            all.push(change(key, what, before, after));
        }
    };
    differ(What::State, Some(state_in_words(was)), Some(state_in_words(is)));
    let (was, is) = (was.check.as_ref(), is.check.as_ref());
    let verdict = |check: &CheckRow| format!("{} {}", check.plugin, check.verdict.name());
    differ(What::Verdict, was.map(verdict), is.map(verdict));
    // Without a check on either side, the verdict has said it all.
    if let (Some(was), Some(is)) = (was, is) {
        let health = |check: &CheckRow| Some(check.health.name().to_owned());
        differ(What::Health, health(was), health(is));
        differ(What::Certificate, certificate(was), certificate(is));
    }
}

/// What tells one certificate from another: who it is for and from, and the first
/// bytes of its fingerprint where a plugin tells them.
fn certificate(check: &CheckRow) -> Option<String> {
    const NAMES: [&str; 3] = ["tls.subject", "tls.issuer", "tls.fingerprint"];
    let facts: Vec<String> = NAMES
        .iter()
        .filter_map(|name| check.findings.iter().find(|finding| finding.name == *name))
        .map(|finding| finding.value.as_str().unwrap_or_default().to_owned())
        .collect();
    (!facts.is_empty()).then(|| facts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::sample::{report, row};
    use super::*;

    fn told(before: &Report, after: &Report) -> Vec<String> {
        let side = |text: &Option<String>| text.clone().unwrap_or("-".into());
        changes(before, after)
            .iter()
            .map(|c| {
                format!(
                    "{} {}: {} > {}",
                    c.key.port,
                    c.what.name(),
                    side(&c.before),
                    side(&c.after)
                )
            })
            .collect()
    }

    #[test]
    fn a_report_differs_from_itself_in_nothing_and_times_are_no_change() {
        let mut later = report(&[row(80, "open", "syn-ack", None)]);
        later.endpoints[0].rtt_ms = Some(99.0);
        let before = report(&[row(80, "open", "syn-ack", None)]);
        assert_eq!(changes(&before, &later), []);
    }

    #[test]
    fn what_appears_disappears_and_changes_is_told() {
        let before = report(&[row(22, "open", "syn-ack", None), row(80, "open", "syn-ack", None)]);
        let after = report(&[
            row(80, "filtered", "admin-prohibited", Some("10.0.0.1")),
            row(443, "open", "syn-ack", None),
        ]);
        assert_eq!(
            told(&before, &after),
            [
                "22 disappeared: open (syn-ack) > -",
                "80 state: open (syn-ack) > filtered (admin-prohibited from 10.0.0.1)",
                "443 appeared: - > open (syn-ack)",
            ]
        );
    }

    #[test]
    fn a_rule_that_drops_where_it_rejected_is_a_change() {
        let rejects = report(&[row(80, "filtered", "admin-prohibited", Some("10.0.0.1"))]);
        let drops = report(&[row(80, "filtered", "no-response", None)]);
        assert_eq!(told(&rejects, &drops).len(), 1);
    }

    #[test]
    fn health_and_certificate_are_told_apart_from_the_state() {
        let with = |health: &str, subject: &str| {
            let mut report = report(&[row(443, "open", "syn-ack", None)]);
            report.endpoints[0].check = Some(
                serde_json::from_value(serde_json::json!({
                    "plugin": "http", "version": "0.1.0", "verdict": "confirmed", "health": health,
                    "summary": "", "fault": null, "duration_ms": 1.0,
                    "findings": [{"name": "tls.subject", "value": subject}],
                }))
                .unwrap(),
            );
            report
        };
        assert_eq!(
            told(&with("healthy", "CN=a"), &with("unhealthy", "CN=b")),
            ["443 health: healthy > unhealthy", "443 certificate: CN=a > CN=b"]
        );
    }
}
