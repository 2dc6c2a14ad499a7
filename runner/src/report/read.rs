use serde::{Deserialize, Serialize};

use super::{EndpointRow, HeadRow, SCHEMA, TailRow};

/// A whole document, as `--format json` writes it: what later runs are
/// compared with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Who looked, when and from where.
    #[serde(flatten)]
    pub head: HeadRow,
    /// Rows, in the order of the request.
    pub endpoints: Vec<EndpointRow<'static>>,
    /// What is known after the last row.
    #[serde(flatten)]
    pub tail: TailRow,
}

/// Why a document cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is no JSON, or not of the form that the schema gives it.
    #[error("line {line}, column {column}: {problem}")]
    Form {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// What is wrong there. Quotes the document: escape before showing.
        problem: String,
    },
    /// A document, and not one of ours, or of another version.
    #[error("the schema is '{found}', not '{SCHEMA}'")]
    Schema {
        /// What it calls itself. From outside: escape before showing.
        found: String,
    },
}

impl ReadError {
    /// What the user can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            ReadError::Form { .. } => {
                "give a report that portscan wrote with --format json; docs/schema/report-1.schema.json describes it"
            }
            ReadError::Schema { .. } => {
                "use the portscan version that wrote it, or make the report again"
            }
        }
    }
}

impl Report {
    /// Reads a document. Fields that this version does not know are ignored,
    /// optional ones may be absent.
    ///
    /// # Errors
    /// [`ReadError`], which names the place.
    pub fn read(text: &str) -> Result<Report, ReadError> {
        /// Looked at first: another schema's rows need not fit ours.
        #[derive(Deserialize)]
        struct Name {
            schema: String,
        }
        let name: Name = serde_json::from_str(text).map_err(form)?;
        if name.schema != SCHEMA {
            return Err(ReadError::Schema { found: name.schema });
        }
        serde_json::from_str(text).map_err(form)
    }
}

fn form(error: serde_json::Error) -> ReadError {
    let (line, column) = (error.line(), error.column());
    let place = format!(" at line {line} column {column}");
    let problem = error.to_string().replace(&place, "");
    ReadError::Form { line, column, problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Transport;
    use crate::model::sample::{closed, silent};

    fn document(rows: &str) -> String {
        format!(
            r#"{{"schema":"portscan/report/1","portscan":"0.1.0","started":"2026-01-01T00:00:00Z",
            "vantage":{{"hostname":"h","user":"u","privileged":false,"source_addresses":[]}},
            "endpoints":[{rows}],"later":1,
            "finished":"2026-01-01T00:00:01Z","unresolved":[],"conclusions":[],"interrupted":false}}"#
        )
    }

    #[test]
    fn what_was_written_is_read_back() {
        let outcomes = [closed(80), silent(443, Transport::Tcp, None)];
        let rows = outcomes.iter().map(|o| serde_json::to_string(&EndpointRow::from(o)).unwrap());
        let text = document(&rows.collect::<Vec<_>>().join(","));
        let report = Report::read(&text).unwrap();
        assert_eq!(report.endpoints.len(), 2);
        for (row, outcome) in report.endpoints.iter().zip(&outcomes) {
            assert_eq!((row.port, row.state), (outcome.endpoint.port(), outcome.state));
            assert_eq!(row.evidence.attempts, outcome.evidence.attempts);
        }
    }

    #[test]
    fn another_schema_is_named_and_a_wrong_form_has_its_place() {
        let other = document("").replace("report/1", "report/9");
        let error = Report::read(&other).unwrap_err();
        assert!(error.to_string().contains("portscan/report/9"), "{error}");
        let error = Report::read(&document("{}")).unwrap_err();
        assert!(matches!(error, ReadError::Form { line: 3, .. }), "{error}");
    }
}
