use std::io::IsTerminal;

use anstyle::{AnsiColor, Style as Paint};

use crate::expect::Status;
use crate::model::{Health, PortState};

/// How the table looks.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Colours are on.
    pub color: bool,
    /// Columns of the terminal; lines are not cut beyond.
    pub width: usize,
    /// Show all evidence.
    pub explain: bool,
}

/// Width when nobody tells: wide enough that nothing is cut in a file.
const UNBOUNDED: usize = 100_000;

impl Style {
    /// The style for standard output: `color` as asked for, or none to follow
    /// the terminal and NO_COLOR (no-color.org).
    pub fn for_stdout(color: Option<bool>, explain: bool) -> Style {
        let terminal = std::io::stdout().is_terminal();
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        let columns = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
        let seen = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        Style {
            color: color.unwrap_or(terminal && wanted),
            width: columns.or(seen.filter(|_| terminal)).unwrap_or(UNBOUNDED).max(40),
            explain,
        }
    }

    fn paint(&self, paint: Paint, text: &str) -> String {
        match self.color {
            true => format!("{}{text}{}", paint.render(), paint.render_reset()),
            false => text.to_string(),
        }
    }

    /// A state, in its colour: open green, closed grey, filtered amber.
    pub(super) fn state(&self, state: PortState, text: &str) -> String {
        let color = match state {
            PortState::Open => AnsiColor::Green,
            PortState::Closed => AnsiColor::BrightBlack,
            PortState::Filtered | PortState::OpenFiltered => AnsiColor::Yellow,
            PortState::Unknown => AnsiColor::Red,
        };
        self.paint(color.on_default(), text)
    }

    /// A service's health, in its colour.
    pub(super) fn health(&self, health: Health, text: &str) -> String {
        match health {
            Health::Healthy => self.paint(AnsiColor::Green.on_default(), text),
            Health::Degraded => self.paint(AnsiColor::Yellow.on_default(), text),
            Health::Unhealthy => self.paint(AnsiColor::Red.on_default(), text),
            Health::Unknown => text.to_string(),
        }
    }

    /// What became of an expectation, in its colour.
    pub(super) fn status(&self, status: Status, text: &str) -> String {
        match status {
            Status::AsExpected => self.paint(AnsiColor::Green.on_default(), text),
            Status::Differs => self.paint(AnsiColor::Red.on_default(), text),
            Status::NotMeasured => self.paint(AnsiColor::Yellow.on_default(), text),
            Status::Skipped => self.faint(text),
        }
    }

    /// A heading.
    pub(super) fn strong(&self, text: &str) -> String {
        self.paint(Paint::new().bold(), text)
    }

    /// Something less important.
    pub(super) fn faint(&self, text: &str) -> String {
        self.paint(Paint::new().dimmed(), text)
    }
}
