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
