use std::fmt;

use super::{TargetError, TargetSpec, parse_words};

/// Complaints shown of one file; a wrong file has them in every line.
const MAX_COMPLAINTS: usize = 20;

/// What is wrong with a target file, all of it at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    /// The file's name as the user gave it.
    pub file: String,
    /// Line, column (both from 1) and complaint.
    pub complaints: Vec<(usize, usize, TargetError)>,
}

impl std::error::Error for FileError {}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.complaints.iter().take(MAX_COMPLAINTS);
        for (n, (line, column, error)) in shown.enumerate() {
            if n > 0 {
                writeln!(f)?;
            }
            write!(f, "{}:{line}:{column}: {error}", self.file)?;
        }
        match self.complaints.len().saturating_sub(MAX_COMPLAINTS) {
            0 => Ok(()),
            more => write!(f, "\n{}: and {more} more lines", self.file),
        }
    }
}

/// Reads a target file: one target a line with its ports, `#` starts a comment.
///
/// # Errors
/// Every line that is wrong, with its place.
pub fn parse_file(name: &str, text: &str) -> Result<Vec<TargetSpec>, FileError> {
    let mut targets = Vec::new();
    let mut complaints = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or(line);
        let words: Vec<String> = line.split_whitespace().map(str::to_string).collect();
        if words.is_empty() {
            continue;
        }
        match parse_words(&words) {
            Ok(specs) => targets.extend(specs),
            Err(error) => complaints.push((number + 1, column(line, &error), error)),
        }
    }
    match complaints.is_empty() {
        true => Ok(targets),
        false => Err(FileError { file: name.to_string(), complaints }),
    }
}

/// Where in the line the offending text stands.
fn column(line: &str, error: &TargetError) -> usize {
    let text = match error {
        TargetError::Empty => "",
        TargetError::Host { text, .. }
        | TargetError::Port { text, .. }
        | TargetError::NoPorts { text, .. }
        | TargetError::NoTarget { text }
        | TargetError::Url { text, .. }
        | TargetError::PortsTwice { text } => text,
    };
    let byte = line.find(text).unwrap_or(0);
    line[..byte].chars().count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_line_is_named_with_its_place() {
        let text = "# ours\nok.example 80 # web\n\n  bad..name:80\nhost:80,x7\n";
        let error = parse_file("hosts.txt", text).unwrap_err().to_string();
        let lines: Vec<&str> = error.lines().collect();
        assert!(lines[0].starts_with("hosts.txt:4:3: 'bad..name'"), "{error}");
        assert!(lines[1].starts_with("hosts.txt:5:9: 'x7'"), "{error}");
    }

    #[test]
    fn comments_and_empty_lines_are_skipped() {
        let specs = parse_file("f", "a:1\n#\n\nb 2,3 #c\n").unwrap();
        assert_eq!(specs.len(), 2);
    }
}
