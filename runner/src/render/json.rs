use std::io::{self, Write};

use serde::Serialize;

use super::Renderer;
use crate::model::Outcome;
use crate::report::{EndpointRow, Footer, HeadRow, Header, TailRow};

/// One JSON document, written when the run is over.
pub(super) struct Document {
    out: Box<dyn Write + Send>,
    head: Option<HeadRow>,
    outcomes: Vec<Outcome>,
}

impl Document {
    pub fn new(out: Box<dyn Write + Send>) -> Document {
        Document { out, head: None, outcomes: Vec::new() }
    }
}

/// A document without holding its rows twice: they are written one by one.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    head: &'a HeadRow,
    endpoints: Rows<'a>,
    #[serde(flatten)]
    tail: &'a TailRow,
}

struct Rows<'a>(&'a [Outcome]);

impl Serialize for Rows<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(EndpointRow::from))
    }
}

impl Renderer for Document {
    fn begin(&mut self, header: &Header) -> io::Result<()> {
        self.head = Some(HeadRow::from(header));
        Ok(())
    }

    fn outcome(&mut self, outcome: Outcome) -> io::Result<()> {
        self.outcomes.push(outcome);
        Ok(())
    }

    fn end(&mut self, footer: &Footer) -> io::Result<()> {
        self.outcomes.sort_by_key(|o| o.order);
        let tail = TailRow::from(footer);
        if let Some(head) = &self.head {
            let whole = Whole { head, endpoints: Rows(&self.outcomes), tail: &tail };
            serde_json::to_writer(&mut self.out, &whole)?;
        }
        self.out.write_all(b"\n")?;
        self.out.flush()
    }
}

/// JSON lines: `start`, an `endpoint` as each ends, `end`.
pub(super) struct Lines {
    out: Box<dyn Write + Send>,
}

impl Lines {
    pub fn new(out: Box<dyn Write + Send>) -> Lines {
        Lines { out }
    }

    fn line<T: Serialize>(&mut self, kind: &'static str, row: &T) -> io::Result<()> {
        #[derive(Serialize)]
        struct Line<'a, T> {
            #[serde(rename = "type")]
            kind: &'static str,
            #[serde(flatten)]
            row: &'a T,
        }
        serde_json::to_writer(&mut self.out, &Line { kind, row })?;
        self.out.write_all(b"\n")
    }
}

impl Renderer for Lines {
    fn begin(&mut self, header: &Header) -> io::Result<()> {
        self.line("start", &HeadRow::from(header))?;
        self.out.flush()
    }

    fn outcome(&mut self, outcome: Outcome) -> io::Result<()> {
        self.line("endpoint", &EndpointRow::from(&outcome))
    }

    fn end(&mut self, footer: &Footer) -> io::Result<()> {
        self.line("end", &TailRow::from(footer))?;
        self.out.flush()
    }
}
