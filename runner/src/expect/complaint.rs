use std::fmt;
use std::sync::Arc;

/// Complaints shown at once; a wrong file has them in every line.
const MOST_SHOWN: usize = 100;

/// Where in a file something stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file's name as the user, or the file that includes it, gave it.
    pub file: Arc<str>,
    /// Counted from 1; 0 for a file that cannot be read at all.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// What is wrong with a file and those that it includes, all of it at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Complaints(Vec<(Place, String)>);

impl Complaints {
    /// Takes one more.
    pub(super) fn add(&mut self, place: &Place, text: impl Into<String>) {
        self.0.push((place.clone(), text.into()));
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each with its place, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &(Place, String)> {
        self.0.iter()
    }

    /// Those of a file from top to bottom, each once. The first `syntax` ones are about
    /// the form: what else is said of their lines is about something that nobody wrote.
    pub(super) fn sorted(mut self, syntax: usize) -> Complaints {
        let meaning = self.0.split_off(syntax);
        let line = |place: &Place| (place.file.clone(), place.line);
        let lines: Vec<_> = self.0.iter().map(|(place, _)| line(place)).collect();
        self.0.extend(meaning.into_iter().filter(|(place, _)| !lines.contains(&line(place))));
        self.0.sort();
        self.0.dedup();
        self
    }
}

impl std::error::Error for Complaints {}

impl fmt::Display for Complaints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (place, text)) in self.0.iter().take(MOST_SHOWN).enumerate() {
            let end = if n == 0 { "" } else { "\n" };
            match place.line {
                0 => write!(f, "{end}{}: {text}", place.file)?,
                _ => write!(f, "{end}{place}: {text}")?,
            }
        }
        match self.0.len().saturating_sub(MOST_SHOWN) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}
