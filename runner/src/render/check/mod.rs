//! What ought to be beside what is, in every format.

mod csv;
mod json;
mod junit;
mod markdown;
mod nagios;
mod prometheus;
mod table;
mod tap;

use std::collections::HashSet;
use std::io::{self, Write};

use super::{Format, Style, escape, formats};
use crate::expect::{Case, Check, Status};
use crate::report::{NameConclusion, Report};

/// Writes a check in one format; `all` shows people what is as expected, too.
///
/// nmap's XML knows no expectations: it has what was found.
///
/// # Errors
/// Those of writing.
pub fn write(
    out: &mut dyn Write,
    format: Format,
    style: Style,
    check: &Check,
    report: &Report,
    all: bool,
) -> io::Result<()> {
    match format {
        Format::Table => table::table(out, check, style, all),
        Format::Json => json::document(out, check),
        Format::JsonLines => json::lines(out, check),
        Format::Csv => csv::csv(out, check),
        Format::Markdown => markdown::markdown(out, check, all),
        Format::Html => formats::html(&page(check, report), out),
        Format::Xml => formats::nmap(report, out),
        Format::Junit => junit::junit(out, check),
        Format::Tap => tap::tap(out, check),
        Format::Nagios => nagios::nagios(out, check),
        Format::Prometheus => prometheus::prometheus(out, check),
    }?;
    out.flush()
}

/// The report, headed by what is not as it ought to be. What is so needs no next step:
/// a port that ought to be closed is not told to be opened.
fn page(check: &Check, report: &Report) -> Report {
    let mut page = report.clone();
    let differs = |case: &&Case| matches!(case.status, Status::Differs | Status::NotMeasured);
    let wrong = || check.expectations.iter().filter(differs);
    let places: HashSet<_> =
        wrong().filter_map(|c| Some((c.address.as_deref()?, c.port?, c.transport?))).collect();
    for row in &mut page.endpoints {
        if !places.contains(&(row.address.as_str(), row.port, row.transport)) {
            row.advice.clear();
        }
    }
    page.tail
        .conclusions
        .insert(0, NameConclusion { target: "Expectations".to_owned(), text: counts(check) });
    let told =
        |case: &Case| NameConclusion { target: name(case), text: sentences(case).join("; ") };
    page.tail.conclusions.extend(wrong().map(told));
    page
}

/// `web1.example.com 10.0.0.5 443/tcp`; the address once where it is the target.
fn name(case: &Case) -> String {
    let mut name = plain(&case.target);
    if let Some(address) = case.address.as_ref().filter(|address| **address != case.target) {
        name += &format!(" {}", plain(address));
    }
    match (case.port, case.transport) {
        (Some(port), Some(transport)) => name + &format!(" {port}/{transport}"),
        _ => name + " addresses",
    }
}

/// What is not as it ought to be, a sentence each: `state: expected open, is closed (reset)`.
fn sentences(case: &Case) -> Vec<String> {
    case.sentences().iter().map(|sentence| plain(sentence)).collect()
}

/// The next steps for a case that is not as it ought to be.
fn advice(case: &Case) -> Vec<String> {
    let wrong = matches!(case.status, Status::Differs | Status::NotMeasured);
    let row = case.endpoint.as_ref().filter(|_| wrong);
    row.map(|row| row.advice.iter().map(|text| plain(text)).collect()).unwrap_or_default()
}

/// `12 as expected, 1 differs`; what there is none of is left out, but not the first.
pub fn counts(check: &Check) -> String {
    let counts = check.counts;
    let mut parts = vec![format!("{} as expected", counts.as_expected)];
    let rest = [
        (counts.differ, if counts.differ == 1 { "differs" } else { "differ" }),
        (counts.not_measured, "not measured"),
        (counts.skipped, "skipped"),
    ];
    parts.extend(rest.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")));
    if check.interrupted {
        parts.push("interrupted".into());
    }
    parts.join(", ")
}

/// Text without control characters.
fn plain(text: &str) -> String {
    escape(text).into_owned()
}
