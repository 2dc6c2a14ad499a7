use std::borrow::Borrow;
use std::collections::BTreeMap;

use super::{Key, state_in_words};
use crate::advice::{Seen, explain_place};
use crate::model::PortState;
use crate::report::{EndpointRow, Report};

/// Endpoints by vantage point. Its texts come from reports: escape before showing.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Matrix {
    /// Names of the vantage points, in the order of the reports.
    pub vantages: Vec<String>,
    /// A line for each endpoint, sorted.
    pub lines: Vec<Line>,
}

/// One endpoint from everywhere.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Line {
    /// Which.
    #[serde(flatten)]
    pub key: Key,
    /// What each vantage point saw; none where it did not look.
    pub cells: Vec<Option<Cell>>,
    /// What follows, where they do not agree.
    pub conclusion: Option<String>,
}

/// What one vantage point saw.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Cell {
    /// The state.
    pub state: PortState,
    /// The state with its reason, in words.
    pub text: String,
}

/// Puts reports from different places side by side.
///
/// Reports of one name are told apart by a number, so that no column is taken for
/// another.
pub fn matrix<R: Borrow<Report>>(reports: &[R]) -> Matrix {
    let mut vantages: Vec<String> = Vec::new();
    let reports: Vec<&Report> = reports.iter().map(Borrow::borrow).collect();
    for report in &reports {
        let name = report.head.vantage.shown_name().to_owned();
        let again = vantages.iter().filter(|known| known.split('#').next() == Some(&name)).count();
        vantages.push(if again == 0 { name } else { format!("{name}#{}", again + 1) });
    }
    let mut seen: BTreeMap<Key, Vec<Option<&EndpointRow<'static>>>> = BTreeMap::new();
    for (column, report) in reports.iter().enumerate() {
        for row in &report.endpoints {
            let cells = seen.entry(Key::of(row)).or_insert_with(|| vec![None; reports.len()]);
            cells[column] = Some(row);
        }
    }
    let line = |(key, rows): (Key, Vec<Option<&EndpointRow<'static>>>)| Line {
        conclusion: conclude(&vantages, &rows),
        cells: rows
            .iter()
            .map(|row| row.map(|row| Cell { state: row.state, text: state_in_words(row) }))
            .collect(),
        key,
    };
    let lines = seen.into_iter().map(line).collect();
    Matrix { vantages, lines }
}

/// The sentence for an endpoint that is open from some places only.
fn conclude(vantages: &[String], rows: &[Option<&EndpointRow<'static>>]) -> Option<String> {
    let seen = vantages.iter().zip(rows).filter_map(|(name, row)| Some((name, (*row)?)));
    // What could not be measured is no difference.
    let seen = seen.filter(|(_, row)| row.state != PortState::Unknown);
    let (open, not): (Vec<_>, Vec<_>) = seen.partition(|(_, row)| row.state == PortState::Open);
    if open.is_empty() || not.is_empty() {
        return None;
    }
    // One cause explains only what looks the same: the others are told one by one.
    let mut stories: Vec<(&EndpointRow<'static>, Vec<&str>)> = Vec::new();
    for (name, row) in &not {
        let same = |known: &EndpointRow<'_>| {
            state_in_words(known) == state_in_words(row) && meaning(known) == meaning(row)
        };
        match stories.iter_mut().find(|(known, _)| same(known)) {
            Some((_, names)) => names.push(name),
            None => stories.push((row, vec![name])),
        }
    }
    let told = stories.iter().map(|(row, names)| {
        format!("{} from {}{}", state_in_words(row), names.join(", "), meaning(row))
    });
    let open: Vec<&str> = open.iter().map(|(name, _)| name.as_str()).collect();
    Some(format!("open from {}, {}", open.join(", "), told.collect::<Vec<_>>().join("; ")))
}

/// What it means that a row is not open although it is so from elsewhere.
fn meaning(row: &EndpointRow<'_>) -> String {
    let seen = Seen {
        address: &row.address,
        port: row.port,
        transport: row.transport,
        state: row.state,
        reason: row.reason,
        from: row.evidence.from.as_deref(),
        from_role: row.evidence.from_role,
        asked_by_plugin: row.evidence.payload.as_deref() == Some("plugin"),
    };
    explain_place(&seen).map(|advice| format!(": {advice}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::sample::{from, row};
    use super::*;
    use crate::model::Role;

    #[test]
    fn a_rule_by_source_is_concluded_from_two_places() {
        let mut refused = row(5432, "filtered", "admin-prohibited", Some("10.0.0.1"));
        refused.evidence.from_role = Some(Role::Router);
        let matrix = matrix(&[
            from("vpc", &[row(5432, "open", "syn-ack", None)]),
            from("office", &[refused]),
        ]);
        assert_eq!(
            matrix.lines[0].conclusion.as_deref(),
            Some(
                "open from vpc, filtered (admin-prohibited from 10.0.0.1) from office: a rule by \
                 source at 10.0.0.1 (portscan trace 192.0.2.7 5432 there)"
            )
        );
    }

    #[test]
    fn places_that_fail_in_different_ways_are_explained_one_by_one() {
        let mut refused = row(5432, "filtered", "admin-prohibited", Some("10.0.0.1"));
        refused.evidence.from_role = Some(Role::Router);
        let silent = || row(5432, "filtered", "no-response", None);
        let matrix = matrix(&[
            from("office", &[refused]),
            from("vpc", &[row(5432, "open", "syn-ack", None)]),
            from("ci", &[silent()]),
            from("home", &[silent()]),
        ]);
        assert_eq!(
            matrix.lines[0].conclusion.as_deref(),
            Some(
                "open from vpc, filtered (admin-prohibited from 10.0.0.1) from office: a rule by \
                 source at 10.0.0.1 (portscan trace 192.0.2.7 5432 there); filtered (no-response) \
                 from ci, home: a rule by source drops it, or the way back is missing (portscan \
                 trace 192.0.2.7 5432 there)"
            )
        );
    }

    #[test]
    fn agreement_and_gaps_conclude_nothing_and_columns_keep_their_names() {
        let open = || row(22, "open", "syn-ack", None);
        let matrix = matrix(&[from("a", &[open()]), from("a", &[open()]), from("b", &[])]);
        assert_eq!(matrix.vantages, ["a", "a#2", "b"]);
        assert_eq!(matrix.lines[0].conclusion, None);
        assert_eq!(matrix.lines[0].cells[2], None);
    }
}
