//! Report to text: the only room that writes to stdout and stderr. Decides
//! nothing.
//!
//! Data goes to stdout through a [`Renderer`], talk to stderr through
//! [`talk`]. Text from networks and plugins passes [`escape`] before it
//! reaches a terminal.

mod background;
pub mod check;
pub mod compare;
mod escape;
pub mod explain;
mod formats;
mod json;
pub mod live;
pub mod plugins;
mod progress;
mod several;
mod style;
mod table;
pub mod talk;
pub mod trace;
pub mod vantages;

use background::Background;
pub use escape::escape;
use formats::AtTheEnd;
pub use progress::Progress;
pub use several::{FileOutput, several};
pub use style::Style;

use std::io;

use crate::model::Outcome;
use crate::report::{Footer, Header};

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Table,
    /// One document.
    Json,
    /// A line per endpoint.
    JsonLines,
    /// Comma-separated values.
    Csv,
    /// A table for tickets.
    Markdown,
    /// One page.
    Html,
    /// nmap's XML.
    Xml,
    /// JUnit's XML.
    Junit,
    /// Test Anything Protocol.
    Tap,
    /// The line of a Nagios plugin.
    Nagios,
    /// Prometheus' text format.
    Prometheus,
}

/// Writes a report in one format.
///
/// Outcomes come in any order; the table and the document sort them by
/// [`Outcome::order`] at the end, JSON lines are written as they come.
pub trait Renderer: Send {
    /// The run begins.
    fn begin(&mut self, header: &Header) -> io::Result<()>;
    /// An endpoint is done.
    fn outcome(&mut self, outcome: Outcome) -> io::Result<()>;
    /// Whoever reads along should now see every row that is not held back for its order.
    fn flush(&mut self) -> io::Result<()>;
    /// The run is over.
    fn end(&mut self, footer: &Footer) -> io::Result<()>;
}

/// The renderer of a format, writing to `out`.
pub fn renderer(format: Format, style: Style, out: Box<dyn io::Write + Send>) -> Box<dyn Renderer> {
    match format {
        Format::Table => Box::new(table::Table::new(out, style)),
        Format::Json => Box::new(Background::new(Box::new(json::Document::new(out)))),
        Format::JsonLines => Box::new(Background::new(Box::new(json::Lines::new(out)))),
        Format::Csv => Box::new(AtTheEnd::new(formats::csv, out)),
        Format::Markdown => Box::new(AtTheEnd::new(formats::markdown, out)),
        Format::Html => Box::new(AtTheEnd::new(formats::html, out)),
        Format::Xml => Box::new(AtTheEnd::new(formats::nmap, out)),
        Format::Junit => Box::new(AtTheEnd::new(formats::junit, out)),
        Format::Tap => Box::new(AtTheEnd::new(formats::tap, out)),
        Format::Nagios => Box::new(AtTheEnd::new(formats::nagios, out)),
        Format::Prometheus => Box::new(AtTheEnd::new(formats::prometheus, out)),
    }
}

/// Standard output, buffered.
pub fn stdout() -> Box<dyn io::Write + Send> {
    Box::new(io::BufWriter::with_capacity(64 * 1024, io::stdout()))
}
