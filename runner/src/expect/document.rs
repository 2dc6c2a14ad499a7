//! A check as a document with a stable schema, `portscan/check/1`:
//! docs/schema/check-1.schema.json describes it.

use serde::Serialize;

use super::Place;
use crate::model::Transport;
use crate::report::{EndpointRow, VantageRow};

/// The schema's name.
pub const CHECK_SCHEMA: &str = "portscan/check/1";

/// What became of every expectation.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// [`CHECK_SCHEMA`].
    pub schema: &'static str,
    /// Version of portscan.
    pub portscan: String,
    /// RFC 3339.
    pub started: String,
    /// From where.
    pub vantage: VantageRow,
    /// In the order of the file.
    pub expectations: Vec<Case>,
    /// How many of each status.
    pub counts: Counts,
    /// What the author of the file should know.
    pub warnings: Vec<String>,
    /// RFC 3339.
    pub finished: String,
    /// The run was interrupted.
    pub interrupted: bool,
}

/// How many expectations have which status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All is as it ought to be.
    pub as_expected: usize,
    /// Something is not.
    pub differ: usize,
    /// Nobody knows.
    pub not_measured: usize,
    /// Not held against anything here.
    pub skipped: usize,
}

/// What became of an expectation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// All is as it ought to be.
    AsExpected,
    /// Something is not.
    Differs,
    /// It could not be measured.
    NotMeasured,
    /// It holds for another vantage point, or follows from another difference.
    Skipped,
}

impl Status {
    /// The printed name, which is also the JSON value.
    pub fn name(self) -> &'static str {
        match self {
            Status::AsExpected => "as-expected",
            Status::Differs => "differs",
            Status::NotMeasured => "not-measured",
            Status::Skipped => "skipped",
        }
    }
}

/// One expectation at one address, beside what is there.
#[derive(Clone, Debug, Serialize)]
pub struct Case {
    /// The target as the file has it.
    pub target: String,
    /// The address; none where the name itself is meant, or led nowhere.
    pub address: Option<String>,
    /// The port; none where addresses are expected.
    pub port: Option<u16>,
    /// Its transport.
    pub transport: Option<Transport>,
    /// The role that says so, unless the target does itself.
    pub role: Option<String>,
    /// FILE:LINE:COLUMN.
    pub place: String,
    /// What ought to be, in one line.
    pub expected: String,
    /// What became of it.
    pub status: Status,
    /// Why it was skipped or not measured.
    pub why: Option<String>,
    /// What is not as it ought to be.
    pub differences: Vec<Difference>,
    /// What is there, as in portscan/report/1.
    pub endpoint: Option<EndpointRow<'static>>,
}

/// One fact that is not as it ought to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// `state`, `code`, `by`, `service`, `health`, `rtt`, `addresses`, `address`, or a
    /// finding's name.
    pub what: String,
    /// What ought to be.
    pub expected: String,
    /// What is. From outside: escape before showing.
    pub found: String,
}

impl Case {
    /// One that is as expected until something else is found.
    pub(super) fn new(target: &str, place: &Place, expected: String) -> Case {
        Case {
            target: target.to_owned(),
            address: None,
            port: None,
            transport: None,
            role: None,
            place: place.to_string(),
            expected,
            status: Status::AsExpected,
            why: None,
            differences: Vec::new(),
            endpoint: None,
        }
    }

    /// What is not as it ought to be, a sentence each: `state: expected open, is closed
    /// (reset)`. From outside: escape before showing.
    pub fn sentences(&self) -> Vec<String> {
        let told = |d: &Difference| format!("{}: expected {}, is {}", d.what, d.expected, d.found);
        self.differences.iter().map(told).chain(self.why.clone()).collect()
    }

    /// Forgets the next steps, for a reader who wants none.
    pub fn advise_nothing(&mut self) {
        if let Some(row) = &mut self.endpoint {
            row.advice.clear();
        }
    }

    pub(super) fn skipped(mut self, why: String) -> Case {
        (self.status, self.why) = (Status::Skipped, Some(why));
        self
    }

    pub(super) fn not_measured(mut self, why: String) -> Case {
        (self.status, self.why) = (Status::NotMeasured, Some(why));
        self
    }
}
