//! One round of a watch: what is there, and what is not as it was.

use std::collections::BTreeMap;

use super::super::check::{Asked, Held};
use super::super::probe;
use crate::compare::{Change, Key, What, changes};
use crate::expect::{Case, Check, Status};
use crate::model::Transport;
use crate::report::Report;
use crate::settings::WatchSettings;

/// What is asked each time.
pub(super) enum Question<'a> {
    /// How are these targets?
    Targets(&'a WatchSettings),
    /// Is all as this file expects?
    File(Box<Asked>),
}

/// What a round came to.
pub(super) struct Answer {
    /// What is there.
    pub report: Report,
    /// What became of every expectation, where there is a file of them.
    pub check: Option<Check>,
}

impl Question<'_> {
    /// # Errors
    /// What is wrong with the file.
    pub fn read(settings: &WatchSettings) -> Result<Question<'_>, String> {
        Ok(match &settings.file {
            None => Question::Targets(settings),
            Some(file) => Question::File(Box::new(Asked::read(&settings.probe, file)?)),
        })
    }

    /// # Errors
    /// A sentence that says why it could not run.
    pub fn ask(&self) -> Result<Answer, String> {
        match self {
            Question::Targets(settings) => {
                let report = probe::measure(&settings.probe, Vec::new())?.report;
                Ok(Answer { report, check: None })
            }
            Question::File(asked) => {
                let Held { check, report, .. } = asked.hold()?;
                Ok(Answer { report, check: Some(check) })
            }
        }
    }
}

impl Answer {
    /// What is not as it was in the round before; in the first round, what there is to
    /// say at all: every endpoint, or what is not as expected.
    pub fn changes(&self, before: Option<&Answer>) -> Vec<Change> {
        match &self.check {
            None => {
                let mut empty = Report { endpoints: Vec::new(), ..self.report.clone() };
                empty.tail.unresolved.clear();
                changes(before.map_or(&empty, |before| &before.report), &self.report)
            }
            Some(check) => differences(before.and_then(|before| before.check.as_ref()), check),
        }
    }
}

/// Which expectation, which endpoint.
type Place<'a> = (Key, &'a str);

/// Expectations that are met no more, that are met again, and that are missed in
/// another way.
fn differences(before: Option<&Check>, after: &Check) -> Vec<Change> {
    let (old, new) = (before.map(told).unwrap_or_default(), told(after));
    let mut places: Vec<&Place<'_>> = old.keys().chain(new.keys()).collect();
    places.sort();
    places.dedup();
    let changed = places.into_iter().filter_map(|place| {
        let (was, is) = (old.get(place), new.get(place));
        let met = || Some("as expected".to_owned());
        let change =
            |before, after| Change { key: place.0.clone(), what: What::Expectation, before, after };
        match (was, is) {
            _ if was == is => None,
            (None, Some(now)) if before.is_none() => Some(change(None, Some(now.clone()))),
            (was, is) => Some(change(was.cloned().or_else(met), is.cloned().or_else(met))),
        }
    });
    changed.collect()
}

/// What is not as expected, in words.
fn told(check: &Check) -> BTreeMap<Place<'_>, String> {
    let wrong = check.expectations.iter().filter(|case| is_wrong(case));
    let told = wrong.map(|case| {
        let word = match case.status {
            Status::NotMeasured => "not measured: ",
            Status::AsExpected | Status::Differs | Status::Skipped => "",
        };
        ((key(case), &*case.place), format!("{word}{}", case.sentences().join("; ")))
    });
    told.collect()
}

/// The endpoint of a case, or the name.
pub(super) fn key(case: &Case) -> Key {
    Key {
        target: case.target.clone(),
        address: case.address.clone().unwrap_or_default(),
        port: case.port.unwrap_or_default(),
        transport: case.transport.unwrap_or(Transport::Tcp),
    }
}

/// Whether a case is not as it ought to be.
pub(super) fn is_wrong(case: &Case) -> bool {
    matches!(case.status, Status::Differs | Status::NotMeasured)
}
