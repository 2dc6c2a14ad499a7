use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Write};

use serde::Serialize;

use super::background::Rows;
use crate::model::Outcome;
use crate::report::{EndpointRow, Footer, HeadRow, Header, TailRow};

/// One JSON document: its rows in the user's order, each written as soon as those
/// before it are.
pub(super) struct Document {
    out: Box<dyn Write + Send>,
    /// Bytes on their way out. Rows are made here, then leave in large pieces.
    buffer: Vec<u8>,
    rows: u64,
    /// The place of the next row, while none before it is missing.
    next: u64,
    /// Rows that came before their turn, as text: half the size of an outcome.
    early: BinaryHeap<Reverse<(u64, Box<[u8]>)>>,
    /// Where such a row is made, so that its text is copied once and not grown.
    scratch: Vec<u8>,
}

/// Bytes that are written at once.
const PIECE: usize = 64 * 1024;

impl Document {
    pub fn new(out: Box<dyn Write + Send>) -> Document {
        let buffer = Vec::with_capacity(PIECE + 4096);
        Document { out, buffer, rows: 0, next: 0, early: BinaryHeap::new(), scratch: Vec::new() }
    }

    fn separate(&mut self) {
        if self.rows > 0 {
            self.buffer.push(b',');
        }
        self.rows += 1;
    }

    /// Takes the rows whose turn has come, or all when none will come any more.
    fn take_early(&mut self, all: bool) -> io::Result<()> {
        while let Some(Reverse((order, _))) = self.early.peek()
            && (all || *order == self.next)
            && let Some(Reverse((order, row))) = self.early.pop()
        {
            self.separate();
            self.buffer.extend_from_slice(&row);
            self.next = order + 1;
            self.flush_when(PIECE)?;
        }
        Ok(())
    }

    fn flush_when(&mut self, full: usize) -> io::Result<()> {
        if self.buffer.len() >= full {
            self.out.write_all(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }
}

impl Rows for Document {
    fn begin(&mut self, header: &Header) -> io::Result<()> {
        serde_json::to_writer(&mut self.buffer, &HeadRow::from(header))?;
        // The rows and the tail are fields of the same object.
        self.buffer.pop();
        self.buffer.extend_from_slice(b",\"endpoints\":[");
        Ok(())
    }

    fn row(&mut self, outcome: &Outcome) -> io::Result<()> {
        let row = EndpointRow::from(outcome);
        if outcome.order != self.next {
            self.scratch.clear();
            serde_json::to_writer(&mut self.scratch, &row)?;
            self.early.push(Reverse((outcome.order, self.scratch.as_slice().into())));
            return Ok(());
        }
        self.separate();
        serde_json::to_writer(&mut self.buffer, &row)?;
        self.next += 1;
        self.flush_when(PIECE)?;
        self.take_early(false)
    }

    fn flush(&mut self) -> io::Result<()> {
        // Nobody can read half a document.
        Ok(())
    }

    fn end(&mut self, footer: &Footer) -> io::Result<()> {
        self.take_early(true)?;
        self.buffer.extend_from_slice(b"],");
        let tail = serde_json::to_vec(&TailRow::from(footer))?;
        self.buffer.extend_from_slice(tail.get(1..).unwrap_or_default());
        self.buffer.push(b'\n');
        self.flush_when(0)?;
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

impl Rows for Lines {
    fn begin(&mut self, header: &Header) -> io::Result<()> {
        self.line("start", &HeadRow::from(header))?;
        self.out.flush()
    }

    fn row(&mut self, outcome: &Outcome) -> io::Result<()> {
        self.line("endpoint", &EndpointRow::from(outcome))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn end(&mut self, footer: &Footer) -> io::Result<()> {
        self.line("end", &TailRow::from(footer))?;
        self.out.flush()
    }
}
