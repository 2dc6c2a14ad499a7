use std::collections::BTreeMap;
use std::io::{self, Write};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{Renderer, Style, escape};
use crate::model::{Evidence, Outcome, PayloadKind, PortState, Reason, Role, Verdict};
use crate::report::{Footer, Header, errno_name, sentence};

/// Rows of one address with the same state and reason that are shown one by
/// one; more are counted, as nmap does.
const MANY: usize = 25;

/// The table for people. It is written when the run is over, so that its
/// columns fit and its rows are in the order of the request.
pub(super) struct Table {
    out: Box<dyn Write + Send>,
    style: Style,
    outcomes: Vec<Outcome>,
}

impl Table {
    pub fn new(out: Box<dyn Write + Send>, style: Style) -> Table {
        Table { out, style, outcomes: Vec::new() }
    }

    fn group(&mut self, rows: &[Outcome]) -> io::Result<()> {
        let Some(first) = rows.first() else { return Ok(()) };
        writeln!(self.out, "{}", self.style.strong(&title(first)))?;
        let mut same: BTreeMap<(PortState, Reason), usize> = BTreeMap::new();
        for row in rows.iter().filter(|r| is_plain(r)) {
            *same.entry((row.state, row.reason)).or_default() += 1;
        }
        let hidden = |row: &Outcome| {
            is_plain(row)
                && row.state != PortState::Open
                && same.get(&(row.state, row.reason)).is_some_and(|n| *n > MANY)
        };
        for row in rows.iter().filter(|r| !hidden(r)) {
            self.row(row)?;
        }
        for ((state, reason), count) in
            same.iter().filter(|((s, _), n)| **n > MANY && *s != PortState::Open)
        {
            let text = format!("  not shown: {count} {state} ({reason})");
            writeln!(self.out, "{}", self.style.faint(&text))?;
        }
        Ok(())
    }

    fn row(&mut self, row: &Outcome) -> io::Result<()> {
        let port = format!("{}/{}", row.endpoint.port(), row.endpoint.transport);
        let rtt =
            row.rtt.map_or_else(String::new, |rtt| format!("{:.1} ms", rtt.as_secs_f64() * 1e3));
        let state = self.style.state(row.state, &format!("{:<13}", row.state.name()));
        let mut line = format!("  {port:<10} {state} {rtt:>9}  ");
        let used = 2 + 10 + 1 + 13 + 1 + 9 + 2;
        line.push_str(&cut(&why(row), self.style.width.saturating_sub(used)));
        writeln!(self.out, "{}", line.trim_end())?;
        if let Some(check) = &row.check {
            let health = check.conclusion.health;
            let name = match check.conclusion.verdict {
                Verdict::Confirmed => format!("{} {}", check.plugin, health.name()),
                other => format!("{} {}", check.plugin, other.name()),
            };
            let text = format!("{name}: {}", escape(&check.conclusion.summary));
            self.indented(&text, |style, text| style.health(health, text))?;
            if let Some(fault) = &check.fault {
                let text =
                    format!("{}: {}; {}", fault.kind, escape(&fault.text), escape(&fault.hint));
                self.indented(&text, |style, text| style.faint(text))?;
            }
        }
        for note in &row.notes {
            self.indented(&format!("note: {}", sentence(note)), |_, text| text.to_string())?;
        }
        for advice in &row.advice {
            self.indented(&format!("-> {}", escape(advice)), |_, text| text.to_string())?;
        }
        if self.style.explain {
            self.explained(row)?;
        }
        Ok(())
    }

    fn explained(&mut self, row: &Outcome) -> io::Result<()> {
        let mut facts = vec![facts(&row.evidence)];
        if let Some(check) = &row.check {
            facts.extend(check.conclusion.findings.iter().map(|finding| {
                let row = crate::report::CheckRow::from(check.as_ref());
                let value = row
                    .findings
                    .iter()
                    .find(|f| f.name == finding.name)
                    .map(|f| f.value.to_string());
                format!("{} = {}", escape(&finding.name), escape(&value.unwrap_or_default()))
            }));
            facts.extend(check.log.iter().map(|line| format!("log: {}", escape(line))));
        }
        for fact in facts {
            self.indented(&fact, |style, text| style.faint(text))?;
        }
        Ok(())
    }

    /// A line below a row, wrapped at the width.
    fn indented(&mut self, text: &str, paint: impl Fn(&Style, &str) -> String) -> io::Result<()> {
        const INDENT: &str = "             ";
        for line in wrap(text, self.style.width.saturating_sub(INDENT.len())) {
            writeln!(self.out, "{INDENT}{}", paint(&self.style, &line))?;
        }
        Ok(())
    }

    fn summary(&mut self, footer: &Footer) -> io::Result<()> {
        for unresolved in &footer.unresolved {
            writeln!(
                self.out,
                "{}: unresolved: {}",
                escape(&unresolved.target),
                unresolved.reason.name()
            )?;
        }
        for conclusion in &footer.conclusions {
            writeln!(self.out, "{}: {}", escape(&conclusion.target), escape(&conclusion.text))?;
        }
        let count = |state| self.outcomes.iter().filter(|o| o.state == state).count();
        let mut parts: Vec<String> = PortState::ALL
            .into_iter()
            .map(|state| (count(state), state))
            .filter(|(n, _)| *n > 0)
            .map(|(n, state)| format!("{n} {state}"))
            .collect();
        if !footer.unresolved.is_empty() {
            parts.push(format!("{} unresolved", footer.unresolved.len()));
        }
        if footer.interrupted {
            parts.push("interrupted".into());
        }
        writeln!(self.out, "{}", parts.join(", "))
    }
}

impl Renderer for Table {
    fn begin(&mut self, _: &Header) -> io::Result<()> {
        Ok(())
    }

    fn outcome(&mut self, outcome: Outcome) -> io::Result<()> {
        self.outcomes.push(outcome);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        // Columns are as wide as their widest cell.
        Ok(())
    }

    fn end(&mut self, footer: &Footer) -> io::Result<()> {
        let mut outcomes = std::mem::take(&mut self.outcomes);
        outcomes.sort_by_key(|o| o.order);
        for group in
            outcomes.chunk_by(|a, b| a.target == b.target && a.endpoint.ip() == b.endpoint.ip())
        {
            self.group(group)?;
        }
        self.outcomes = outcomes;
        self.summary(footer)?;
        self.out.flush()
    }
}

/// Nothing about this row but its state and reason.
fn is_plain(row: &Outcome) -> bool {
    row.check.is_none() && row.notes.is_empty()
}

fn title(row: &Outcome) -> String {
    let address = row.endpoint.ip().to_string();
    match *row.target == address {
        true => address,
        false => format!("{} ({address})", escape(&row.target)),
    }
}

/// The reason with who said it and how.
fn why(row: &Outcome) -> String {
    let evidence = &row.evidence;
    let mut text = row.reason.name().to_string();
    if let (Some(from), Some(role)) = (evidence.from, evidence.from_role) {
        match role {
            Role::Target => {}
            Role::Router if evidence.from_first_hop => text += &format!(" from {from} (first hop)"),
            Role::Router => text += &format!(" from {from} (router)"),
            Role::Own => text += &format!(" from {from} (this machine)"),
        }
    }
    if let Some(icmp) = evidence.icmp {
        text += &format!(", icmp {}/{} {}", icmp.kind, icmp.code, icmp.text());
    } else if row.state == PortState::Unknown {
        text += &evidence.errno.map(|e| format!(", {}", errno_name(e))).unwrap_or_default();
    }
    if row.reason == Reason::NoResponse {
        text +=
            &format!(" to {} packets over {:.1} s", evidence.attempts, evidence.over.as_secs_f64());
    }
    text
}

fn facts(evidence: &Evidence) -> String {
    let payload = match evidence.payload {
        PayloadKind::None => "",
        PayloadKind::Generic => ", generic payload",
        PayloadKind::Plugin => ", the plugin's payload",
    };
    let control =
        evidence.control.map(|c| format!(", control ports {}", c.name())).unwrap_or_default();
    let errno = evidence.errno.map(|e| format!(", {}", errno_name(e))).unwrap_or_default();
    format!(
        "{} attempts, {} answered, over {:.3} s{payload}{control}{errno}",
        evidence.attempts,
        evidence.answered,
        evidence.over.as_secs_f64()
    )
}

/// Cuts a line to `width` columns, marking the cut.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_string();
    }
    let mut used = 0;
    let mut short: String = text
        .chars()
        .take_while(|c| {
            used += c.width().unwrap_or(0);
            used < width
        })
        .collect();
    short.push('…');
    short
}

/// Breaks text at spaces into lines of at most `width` columns.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let fits =
            lines.last().is_some_and(|l| l.is_empty() || l.width() + 1 + word.width() <= width);
        match lines.last_mut() {
            Some(line) if fits => {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            }
            _ => lines.push(format!("   {word}")),
        }
    }
    lines
}
