use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::glyphs::Glyphs;
use crate::expect::Status;
use crate::model::PortState;
use crate::render::{Style, escape};

/// How a piece of a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// As it is.
    Plain,
    /// A heading.
    Strong,
    /// Less important.
    Faint,
    /// Not as it should be.
    Bad,
    /// In a state's colour.
    State(PortState),
}

/// A line that is never wider than the terminal, whatever is put into it.
pub(super) struct Line {
    pieces: Vec<(String, Look)>,
    room: usize,
    glyphs: Glyphs,
}

impl Line {
    /// An empty line of at most `width` columns.
    pub fn new(width: usize, glyphs: Glyphs) -> Line {
        Line { pieces: Vec::new(), room: width, glyphs }
    }

    /// Appends a text, escaped, and cut where the line ends.
    pub fn text(mut self, text: &str, look: Look) -> Line {
        let text = fit(text, self.room, self.glyphs);
        self.room -= text.width().min(self.room);
        match self.pieces.last_mut() {
            Some((last, same)) if *same == look => last.push_str(&text),
            _ => self.pieces.push((text, look)),
        }
        self
    }

    /// Appends a cell of `width` columns, filled up on the right.
    pub fn left(self, text: &str, width: usize, look: Look) -> Line {
        let text = fit(text, width, self.glyphs);
        let rest = " ".repeat(width - text.width().min(width));
        self.text(&text, look).text(&rest, Look::Plain)
    }

    /// Appends a cell of `width` columns, filled up on the left.
    pub fn right(self, text: &str, width: usize, look: Look) -> Line {
        let text = fit(text, width, self.glyphs);
        let rest = " ".repeat(width - text.width().min(width));
        self.text(&rest, Look::Plain).text(&text, look)
    }

    /// The line with its colours.
    pub fn painted(self, style: &Style) -> String {
        let blank = |(text, look): &(String, Look)| *look == Look::Plain && text.trim().is_empty();
        let mut pieces = self.pieces;
        while pieces.last().is_some_and(blank) {
            pieces.pop();
        }
        let paint = |(text, look): (String, Look)| match look {
            Look::Plain => text,
            Look::Strong => style.strong(&text),
            Look::Faint => style.faint(&text),
            Look::Bad => style.status(Status::Differs, &text),
            Look::State(state) => style.state(state, &text),
        };
        pieces.into_iter().map(paint).collect()
    }
}

/// A text as the terminal may have it, in at most `width` columns; a cut is marked.
fn fit(text: &str, width: usize, glyphs: Glyphs) -> String {
    let safe = escape(text);
    let safe: String = match glyphs.ascii {
        true => safe.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect(),
        false => safe.into_owned(),
    };
    if safe.width() <= width {
        return safe;
    }
    let mut used = 0;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used < width
    };
    let mut short: String = safe.chars().take_while(fits).collect();
    if width > 0 {
        short.push(glyphs.cut);
    }
    short
}
