//! `scope.toml`.

use std::net::IpAddr;

use ipnet::IpNet;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Hours, Rule, Scope};
use crate::nearest::nearest;

const KEYS: [&str; 4] = ["allow", "never", "hours", "highest-rate"];

/// A file while it is read.
struct Reading<'a> {
    name: &'a str,
    text: &'a str,
    wrong: Vec<String>,
}

impl Scope {
    /// Reads a scope; `name` is what messages call it.
    ///
    /// # Errors
    /// Everything that is wrong with it, a line each, with file, line and column.
    pub fn parse(name: &str, text: &str) -> Result<Scope, String> {
        let mut reading = Reading { name, text, wrong: Vec::new() };
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            reading.complain(at, error.message());
        }
        let mut scope = Scope {
            name: name.to_owned(),
            allow: None,
            never: Vec::new(),
            hours: Vec::new(),
            highest_rate: None,
        };
        let mut entries: Vec<_> = table.get_ref().iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in entries {
            match &**key.get_ref() {
                "allow" => scope.allow = Some(reading.rules(value)),
                "never" => scope.never = reading.rules(value),
                "hours" => scope.hours = reading.hours(value),
                "highest-rate" => scope.highest_rate = reading.rate(value),
                other => {
                    let hint = match nearest(other, KEYS.into_iter()) {
                        Some(near) => format!("did you mean '{near}'?"),
                        None => format!("known are {}", KEYS.join(", ")),
                    };
                    reading.complain(key.span().start, &format!("unknown key '{other}': {hint}"));
                }
            }
        }
        match reading.wrong.is_empty() {
            true => Ok(scope),
            false => Err(reading.wrong.join("\n")),
        }
    }
}

impl Reading<'_> {
    fn line(&self, offset: usize) -> usize {
        self.text[..offset.min(self.text.len())].matches('\n').count() + 1
    }

    fn complain(&mut self, offset: usize, what: &str) {
        let before = &self.text[..offset.min(self.text.len())];
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let line = self.line(offset);
        self.wrong.push(format!("{}:{line}:{column}: {what}", self.name));
    }

    fn texts(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<(String, usize)> {
        let DeValue::Array(items) = value.get_ref() else {
            self.complain(value.span().start, "it must be a list of texts");
            return Vec::new();
        };
        let mut texts = Vec::new();
        for item in items.iter() {
            match item.get_ref() {
                DeValue::String(text) => texts.push((text.to_string(), item.span().start)),
                _ => self.complain(item.span().start, "it must be a text"),
            }
        }
        texts
    }

    fn rules(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<Rule> {
        let mut rules = Vec::new();
        for (text, at) in self.texts(value) {
            let single = text.parse::<IpAddr>().map(IpNet::from);
            match single.or_else(|_| text.parse::<IpNet>()) {
                Ok(network) => {
                    let place = format!("{}:{}", self.name, self.line(at));
                    rules.push(Rule { network: network.trunc(), place });
                }
                Err(_) => self.complain(
                    at,
                    &format!("'{text}' is no network: write 10.0.0.0/8, fd00::/8 or an address"),
                ),
            }
        }
        rules
    }

    fn hours(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<Hours> {
        let mut all = Vec::new();
        for (text, at) in self.texts(value) {
            let parsed = text
                .split_once('-')
                .and_then(|(from, to)| Some(Hours { from: minutes(from)?, to: minutes(to)? }));
            match parsed {
                Some(hours) => all.push(hours),
                None => {
                    self.complain(
                        at,
                        &format!("'{text}' are no hours of a day: write 08:00-18:00"),
                    );
                }
            }
        }
        all
    }

    fn rate(&mut self, value: &Spanned<DeValue<'_>>) -> Option<f64> {
        let number = match value.get_ref() {
            DeValue::Integer(number) => number.as_str().parse::<f64>().ok(),
            DeValue::Float(number) => number.as_str().parse::<f64>().ok(),
            _ => None,
        };
        let rate = number.filter(|rate| rate.is_finite() && *rate > 0.0);
        if rate.is_none() {
            self.complain(
                value.span().start,
                "it must be a number of packets a second, more than 0",
            );
        }
        rate
    }
}

/// `08:30` in minutes since midnight; `24:00` is the end of the day.
fn minutes(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let all = hour.checked_mul(60)?.checked_add(minute)?;
    (minute < 60 && all <= 24 * 60).then_some(all)
}
