//! What several places say of one request, as lines, as a document and as text.

use std::collections::HashMap;
use std::io::{self, Write};

use serde::Serialize;

use super::{Style, compare, escape};
use crate::compare::{self as compared, Key, Matrix};
use crate::report::{EndpointRow, HeadRow, Report, TailRow};

/// Why a place did not answer the whole request.
#[derive(Clone, Debug, Serialize)]
pub struct Trouble {
    /// A word for it.
    pub kind: &'static str,
    /// A sentence. Quotes other machines.
    pub text: String,
}

/// One place.
#[derive(Debug, Serialize)]
pub struct Column {
    /// What it is called.
    pub name: String,
    /// Where it is: `local` or `ssh://...`.
    pub via: String,
    /// Why it did not answer the whole request, if so.
    pub trouble: Option<Trouble>,
    /// Its report, as far as it came; none when nothing came.
    pub report: Option<Report>,
}

/// A line of JSON with the vantage point that it is from. The first one of each has it
/// in its head.
#[derive(Serialize)]
struct Line<'a, T> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    vantage: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    via: Option<&'a str>,
    #[serde(flatten)]
    row: T,
}

fn line<T: Serialize>(out: &mut dyn Write, line: &Line<'_, T>) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

/// Writes that a place begins, as a line.
///
/// # Errors
/// Those of writing.
pub fn start(out: &mut dyn Write, via: &str, head: &HeadRow) -> io::Result<()> {
    line(out, &Line { kind: "start", vantage: None, via: Some(via), row: head })
}

/// Writes a row of a place, as a line.
///
/// # Errors
/// Those of writing.
pub fn row(out: &mut dyn Write, vantage: &str, row: &EndpointRow<'_>) -> io::Result<()> {
    line(out, &Line { kind: "endpoint", vantage: Some(vantage), via: None, row })
}

/// Writes that a place says no more, as a line: with its own end where that came, and
/// with the trouble where there was one.
///
/// # Errors
/// Those of writing.
pub fn end(
    out: &mut dyn Write,
    vantage: &str,
    via: &str,
    tail: Option<&TailRow>,
    trouble: Option<Trouble>,
) -> io::Result<()> {
    #[derive(Serialize)]
    struct End<'a> {
        #[serde(flatten)]
        tail: Option<&'a TailRow>,
        trouble: Option<Trouble>,
    }
    let row = End { tail, trouble };
    line(out, &Line { kind: "end", vantage: Some(vantage), via: Some(via), row })
}

/// Writes all of it as one document, schema `portscan/vantages/1`.
///
/// # Errors
/// Those of writing.
pub fn document(out: &mut dyn Write, columns: &[Column], matrix: Matrix) -> io::Result<()> {
    #[derive(Serialize)]
    struct Document<'a> {
        schema: &'static str,
        vantages: &'a [Column],
        lines: Vec<compared::Line>,
    }
    // A cell for each place, also where nothing came from.
    let cells = |cells: Vec<Option<compared::Cell>>| {
        let mut cells = cells.into_iter();
        columns.iter().map(|column| column.report.as_ref().and_then(|_| cells.next()?)).collect()
    };
    let lines = matrix.lines.into_iter();
    let lines = lines.map(|line| compared::Line { cells: cells(line.cells), ..line }).collect();
    let document = Document { schema: "portscan/vantages/1", vantages: columns, lines };
    serde_json::to_writer(&mut *out, &document)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Writes endpoints by place for people, and under them what each place advises.
///
/// # Errors
/// Those of writing.
pub fn table(
    out: &mut dyn Write,
    reports: &[&Report],
    matrix: &Matrix,
    style: Style,
) -> io::Result<()> {
    compare::matrix(&mut *out, matrix, style)?;
    for report in reports {
        let place = escape(report.head.vantage.shown_name());
        for name in &report.tail.unresolved {
            writeln!(
                out,
                "{place}: {} is unresolved: {}",
                escape(&name.target),
                name.reason.name()
            )?;
        }
        for (text, endpoints) in advice(report) {
            let first = endpoints.first().map(compare::name).unwrap_or_default();
            let more = match endpoints.len() - 1 {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            writeln!(out, "{place}, {first}{more}: {}", escape(text))?;
        }
    }
    out.flush()
}

/// The advice of a report, each once, with the endpoints that it is for.
fn advice(report: &Report) -> Vec<(&str, Vec<Key>)> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut all: Vec<(&str, Vec<Key>)> = Vec::new();
    for row in &report.endpoints {
        for text in &row.advice {
            let place = *places.entry(text).or_insert(all.len());
            if place == all.len() {
                all.push((text, Vec::new()));
            }
            all[place].1.push(Key::of(row));
        }
    }
    all
}
