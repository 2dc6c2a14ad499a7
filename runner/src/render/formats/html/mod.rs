//! One self-contained page: a card per endpoint, readable on a phone, on paper and
//! without scripts.
//!
//! Nothing is fetched, and nothing may be: the page's own policy forbids it. Filters
//! are style alone (`:has`); the script adds a search field.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html as markup};
use sha2::{Digest, Sha256};

use super::{is_fine, plain};
use crate::model::{Health, PortState, Role};
use crate::report::{CheckRow, EndpointRow, EvidenceRow, Report, UnresolvedRow};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page.
pub fn html(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let page = page(report);
    out.write_all(page.into_string().as_bytes())
}

fn page(report: &Report) -> Markup {
    let title = title(report);
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    markup! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="generator" content={ "portscan " (plain(&report.head.portscan)) };
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    (header(report, &title))
                    (filter(report))
                    div.cards {
                        @for row in &report.endpoints { (card(row)) }
                        @for name in &report.tail.unresolved { (unresolved(name)) }
                    }
                }
                footer {
                    "portscan " (plain(&report.head.portscan)) ". What each state proves: "
                    code { "portscan explain filtered" } "."
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

/// A source of the policy: only what is in this page as it was written here.
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

fn title(report: &Report) -> String {
    let mut targets: Vec<&str> = report.endpoints.iter().map(|row| &*row.target).collect();
    targets.dedup();
    match targets[..] {
        [] => "portscan".to_owned(),
        [one] => format!("portscan: {}", plain(one)),
        [first, ..] => format!("portscan: {} and {} more", plain(first), targets.len() - 1),
    }
}

fn header(report: &Report, title: &str) -> Markup {
    let vantage = &report.head.vantage;
    let fine = report.endpoints.iter().filter(|row| is_fine(row)).count();
    let all = report.endpoints.len() + report.tail.unresolved.len();
    markup! {
        header {
            h1 { (title) }
            p.lede {
                @if report.tail.interrupted { span.bad { "Interrupted: what is not here was not asked. " } }
                (fine) " of " (all) " open and not unhealthy."
            }
            p.from {
                "Seen from " (plain(&vantage.in_words())) ", from "
                time { (moment(&report.head.started)) } " to " time { (moment(&report.tail.finished)) } "."
            }
            @for conclusion in &report.tail.conclusions {
                p { strong { (plain(&conclusion.target)) } ": " (plain(&conclusion.text)) }
            }
        }
    }
}

/// A moment without the parts of a second that nobody reads.
fn moment(text: &str) -> String {
    match text.split_once('.') {
        Some((seconds, _)) => format!("{}Z", plain(seconds)),
        None => plain(text),
    }
}

/// One choice of the filter: its id, its words, how many cards it leaves.
type Choice = (&'static str, &'static str, usize);

fn filter(report: &Report) -> Markup {
    let count = |state| report.endpoints.iter().filter(|row| row.state == state).count();
    let trouble = report.endpoints.iter().filter(|row| !is_fine(row)).count();
    let unresolved = report.tail.unresolved.len();
    let all: [Choice; 8] = [
        ("all", "all", report.endpoints.len() + unresolved),
        ("only-trouble", "not fine", trouble + unresolved),
        ("only-open", "open", count(PortState::Open)),
        ("only-closed", "closed", count(PortState::Closed)),
        ("only-filtered", "filtered", count(PortState::Filtered)),
        ("only-open-filtered", "open|filtered", count(PortState::OpenFiltered)),
        ("only-unknown", "unknown", count(PortState::Unknown)),
        ("only-unresolved", "unresolved", unresolved),
    ];
    markup! {
        fieldset.filter {
            legend { "which endpoints to show" }
            @for (id, words, count) in all.into_iter().filter(|(id, _, n)| *id == "all" || *n > 0) {
                label { input type="radio" name="show" id=(id) checked[id == "all"]; (words) " " b { (count) } }
            }
        }
    }
}

fn card(row: &EndpointRow<'_>) -> Markup {
    let (class, sign) = look(row.state);
    let fine = if is_fine(row) { "fine" } else { "" };
    markup! {
        article class={ "card " (class) " " (fine) } {
            div.top {
                h2 { (plain(&row.target)) " " (row.port) "/" (row.transport) }
                span.state { span aria-hidden="true" { (sign) " " } (row.state) }
            }
            p {
                (row.reason) (from(&row.evidence))
                @if let Some(ms) = row.rtt_ms { ", " (format!("{ms:.1} ms")) }
                @if row.address != row.target { " · " (plain(&row.address)) }
            }
            @if let Some(check) = &row.check { (service(check)) }
            @if !row.advice.is_empty() {
                h3 { "Next" }
                ul { @for advice in &row.advice { li { (plain(advice)) } } }
            }
            details open[!is_fine(row) && row.state != PortState::Closed] {
                summary { "evidence" }
                (evidence(&row.evidence))
                @if !row.notes.is_empty() {
                    ul { @for note in &row.notes { li { (plain(note)) } } }
                }
            }
        }
    }
}

/// A state's class, and its sign for those who see no colours.
fn look(state: PortState) -> (&'static str, &'static str) {
    match state {
        PortState::Open => ("open", "●"),
        PortState::Closed => ("closed", "○"),
        PortState::Filtered => ("filtered", "▲"),
        PortState::OpenFiltered => ("open-filtered", "◐"),
        PortState::Unknown => ("unknown", "?"),
    }
}

fn from(evidence: &EvidenceRow) -> String {
    let who = match evidence.from_role {
        Some(Role::Router) => "router ",
        Some(Role::Own) => "this machine, ",
        Some(Role::Target) | None => return String::new(),
    };
    evidence.from.as_deref().map(|from| format!(" from {who}{}", plain(from))).unwrap_or_default()
}

fn service(check: &CheckRow) -> Markup {
    let tone = match check.health {
        Health::Healthy => "good",
        Health::Degraded | Health::Unhealthy => "bad",
        Health::Unknown => "",
    };
    markup! {
        p {
            strong { (plain(&check.plugin)) } " "
            span class=(tone) { (check.verdict.name()) ", " (check.health.name()) }
            ": " (plain(&check.summary))
        }
        @if let Some(fault) = &check.fault { p { (plain(&fault.hint)) } }
        @if !check.findings.is_empty() {
            details {
                summary { (check.findings.len()) " findings" }
                dl { @for finding in &check.findings {
                    dt { (plain(&finding.name)) }
                    dd { (match &finding.value {
                        serde_json::Value::String(text) => plain(text),
                        other => plain(&other.to_string()),
                    }) }
                } }
            }
        }
    }
}

fn evidence(evidence: &EvidenceRow) -> Markup {
    let control = evidence.control.as_deref().map(plain);
    markup! {
        dl {
            @if let Some(icmp) = &evidence.icmp {
                dt { "ICMP" }
                dd { "type " (icmp.kind) ", code " (icmp.code) ": " (plain(&icmp.text)) }
            }
            @if let Some(from) = &evidence.from {
                dt { "from" }
                dd {
                    (plain(from))
                    @if let Some(role) = evidence.from_role { " (" (role.name()) ")" }
                    @if evidence.from_first_hop { ", the first hop" }
                    @if let Some(port) = evidence.from_port { ", port " (port) }
                }
            }
            @if let Some(errno) = &evidence.errno { dt { "error" } dd { (plain(errno)) } }
            dt { "packets" }
            dd { (evidence.answered) " of " (evidence.attempts) " answered, over " (format!("{:.0} ms", evidence.over_ms)) }
            @if let Some(control) = control { dt { "controls" } dd { (control) } }
            @if let Some(payload) = &evidence.payload { dt { "payload" } dd { (plain(payload)) } }
        }
    }
}

fn unresolved(name: &UnresolvedRow) -> Markup {
    markup! {
        article.card.unresolved {
            div.top {
                h2 { (plain(&name.target)) }
                span.state { span aria-hidden="true" { "? " } "unresolved" }
            }
            p { "the name has no address: " (name.reason.name()) }
        }
    }
}
