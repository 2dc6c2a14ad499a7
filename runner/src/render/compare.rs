//! Comparisons of reports as text and as documents.

use std::io::{self, Write};

use serde::Serialize;

use super::{Style, escape};
use crate::compare::{Change, Key, Matrix};
use crate::model::PortState;

/// A document of changes.
#[derive(Serialize)]
struct ChangesDocument<'a> {
    schema: &'static str,
    changes: &'a [Change],
}

/// A document of endpoints by vantage point.
#[derive(Serialize)]
struct MatrixDocument<'a> {
    schema: &'static str,
    #[serde(flatten)]
    matrix: &'a Matrix,
}

/// Writes changes for people, one a line; nothing where there are none, as diff(1) does.
///
/// # Errors
/// Those of writing.
pub fn changes(out: &mut dyn Write, changes: &[Change]) -> io::Result<()> {
    let side = |text: &Option<String>| escape(text.as_deref().unwrap_or("-")).into_owned();
    for change in changes {
        let (before, after) = (side(&change.before), side(&change.after));
        writeln!(out, "{}  {}: {before} -> {after}", name(&change.key), change.what.name())?;
    }
    match changes.len() {
        0 => {}
        1 => writeln!(out, "1 change")?,
        n => writeln!(out, "{n} changes")?,
    }
    out.flush()
}

/// Writes changes as they come, each with its time (RFC 3339).
///
/// # Errors
/// Those of writing.
pub fn stamped(out: &mut dyn Write, time: &str, changes: &[Change]) -> io::Result<()> {
    for change in changes {
        writeln!(out, "{}  {}  {}", second(time), name(&change.key), told(change))?;
    }
    out.flush()
}

/// Writes a line beside those of [`stamped`].
///
/// # Errors
/// Those of writing.
pub fn remark(out: &mut dyn Write, time: &str, text: &str) -> io::Result<()> {
    writeln!(out, "{}  {}", second(time), escape(text))?;
    out.flush()
}

/// A time (RFC 3339, UTC) without the fractions of its second.
fn second(time: &str) -> String {
    let time = time.split('.').next().unwrap_or(time).trim_end_matches('Z');
    format!("{time}Z")
}

/// A change in words: `state: closed (reset) -> open (syn-ack)`.
pub(super) fn told(change: &Change) -> String {
    let side = |text: &Option<String>| text.as_deref().map(|text| escape(text).into_owned());
    match (side(&change.before), side(&change.after)) {
        (None, Some(after)) => after,
        (Some(before), None) => format!("{before} -> gone"),
        (before, after) => {
            let [before, after] = [before, after].map(Option::unwrap_or_default);
            format!("{}: {before} -> {after}", change.what.name())
        }
    }
}

/// Writes changes as one document, schema `portscan/changes/1`.
///
/// # Errors
/// Those of writing.
pub fn changes_json(out: &mut dyn Write, changes: &[Change]) -> io::Result<()> {
    document(out, &ChangesDocument { schema: "portscan/changes/1", changes })
}

/// Writes endpoints by vantage point for people: a column each, and under a line
/// what follows from it.
///
/// # Errors
/// Those of writing.
pub fn matrix(out: &mut dyn Write, matrix: &Matrix, style: Style) -> io::Result<()> {
    let names: Vec<String> = matrix.lines.iter().map(|line| name(&line.key)).collect();
    let first = width(names.iter().map(String::as_str).chain(["endpoint"]));
    let heads: Vec<String> = matrix.vantages.iter().map(|name| escape(name).into_owned()).collect();
    let cells: Vec<Vec<(Option<PortState>, String)>> = matrix
        .lines
        .iter()
        .map(|line| {
            line.cells
                .iter()
                .map(|cell| match cell {
                    Some(cell) => (Some(cell.state), escape(&cell.text).into_owned()),
                    None => (None, "-".into()),
                })
                .collect()
        })
        .collect();
    let widths: Vec<usize> = (0..heads.len())
        .map(|column| {
            width(cells.iter().map(|row| row[column].1.as_str()).chain([heads[column].as_str()]))
        })
        .collect();
    let head: Vec<String> =
        heads.iter().zip(&widths).map(|(head, width)| format!("{head:<width$}")).collect();
    writeln!(out, "{}", format!("{:<first$}  {}", "endpoint", head.join("  ")).trim_end())?;
    for ((line, name), row) in matrix.lines.iter().zip(&names).zip(&cells) {
        write!(out, "{name:<first$}")?;
        for ((state, text), width) in row.iter().zip(&widths) {
            let text = format!("{text:<width$}");
            match state {
                Some(state) => write!(out, "  {}", style.state(*state, &text))?,
                None => write!(out, "  {text}")?,
            }
        }
        writeln!(out)?;
        if let Some(conclusion) = &line.conclusion {
            writeln!(out, "  -> {}", escape(conclusion))?;
        }
    }
    out.flush()
}

/// Writes endpoints by vantage point as one document, schema `portscan/matrix/1`.
///
/// # Errors
/// Those of writing.
pub fn matrix_json(out: &mut dyn Write, matrix: &Matrix) -> io::Result<()> {
    document(out, &MatrixDocument { schema: "portscan/matrix/1", matrix })
}

fn document(out: &mut dyn Write, document: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, document)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// `db.example.com 10.0.0.5 5432/tcp`; the address once where it is the target.
pub(super) fn name(key: &Key) -> String {
    let target = escape(&key.target).into_owned();
    match (&key.address, key.port) {
        (address, 0) if address.is_empty() => target,
        (address, port) if address.is_empty() || *address == key.target => {
            format!("{target} {port}/{}", key.transport)
        }
        (address, port) => format!("{target} {} {port}/{}", escape(address), key.transport),
    }
}

fn width<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or(0)
}
