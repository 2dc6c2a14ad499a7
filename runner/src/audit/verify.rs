use std::fmt;
use std::io::{self, BufRead};

use serde_json::Value;

use super::{FIRST, Head, MAX_LINE, digest};

/// The first thing that is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// A line that is no entry.
    NotAnEntry {
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
    /// An entry's number does not follow the one before it: lines were removed, put in
    /// or moved.
    Number {
        /// The line, from 1.
        line: u64,
        /// The number that is due.
        due: u64,
        /// The number that it has.
        found: u64,
    },
    /// An entry does not follow from the line before it: that line was changed, or
    /// this one.
    Chain {
        /// The line, from 1.
        line: u64,
    },
    /// The log ends before the head that was kept.
    Cut {
        /// The last entry that is there.
        last: u64,
        /// The head's.
        head: u64,
    },
    /// The entry of the head is another one now.
    OtherHead {
        /// Its number.
        number: u64,
    },
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Flaw::NotAnEntry { line, why } => write!(f, "line {line} is no entry: {why}"),
            Flaw::Number { line, due, found } => write!(
                f,
                "line {line} has entry {found} where {due} is due: lines were removed, put in or moved"
            ),
            Flaw::Chain { line } => {
                write!(
                    f,
                    "line {line} does not follow from the line before it: one of the two was changed"
                )
            }
            Flaw::Cut { last, head } => {
                write!(f, "the log ends with entry {last}; the head that was kept is entry {head}")
            }
            Flaw::OtherHead { number } => {
                write!(f, "entry {number} is not the one of the head that was kept")
            }
        }
    }
}

/// What was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The last whole entry.
    pub head: Head,
    /// Bytes behind it without an end: a crash left them, nobody was told of them.
    pub torn: u64,
}

/// Walks a log from its beginning, and holds it against a head that was kept.
///
/// # Errors
/// Those of reading. What is wrong with the log is the inner result.
pub fn verify(log: &mut dyn BufRead, kept: Option<&Head>) -> io::Result<Result<Verified, Flaw>> {
    let mut head = Head { number: 0, digest: FIRST.to_owned() };
    let mut seen = kept.is_none_or(|kept| kept.number == 0);
    let mut line = Vec::new();
    for at in 1_u64.. {
        line.clear();
        let read = io::Read::take(&mut *log, MAX_LINE as u64 + 1).read_until(b'\n', &mut line)?;
        if line.pop_if(|byte| *byte == b'\n').is_none() {
            if read > MAX_LINE {
                let why = format!("longer than {MAX_LINE} bytes");
                return Ok(Err(Flaw::NotAnEntry { line: at, why }));
            }
            return Ok(match (seen, kept) {
                (false, Some(kept)) => Err(Flaw::Cut { last: head.number, head: kept.number }),
                _ => Ok(Verified { head, torn: read as u64 }),
            });
        }
        match follow(&head, &line, at) {
            Ok(next) => head = next,
            Err(flaw) => return Ok(Err(flaw)),
        }
        if let Some(kept) = kept.filter(|kept| kept.number == head.number) {
            if kept.digest != head.digest {
                return Ok(Err(Flaw::OtherHead { number: kept.number }));
            }
            seen = true;
        }
    }
    unreachable!("lines are counted in 64 bits")
}

/// The head after a line, if it follows.
fn follow(head: &Head, line: &[u8], at: u64) -> Result<Head, Flaw> {
    let entry: Value = serde_json::from_slice(line)
        .map_err(|error| Flaw::NotAnEntry { line: at, why: error.to_string() })?;
    let (Some(found), Some(previous)) = (entry["entry"].as_u64(), entry["previous"].as_str())
    else {
        return Err(Flaw::NotAnEntry { line: at, why: "no `entry` and `previous`".to_owned() });
    };
    let due = head.number + 1;
    if found != due {
        return Err(Flaw::Number { line: at, due, found });
    }
    match previous == head.digest {
        true => Ok(Head { number: found, digest: digest(line) }),
        false => Err(Flaw::Chain { line: at }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Log;
    use super::*;

    /// A log of five entries, as lines.
    fn lines() -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        for n in 0..5 {
            let entry = serde_json::json!({"n": n}).as_object().unwrap().clone();
            assert_eq!(Log::new(&path).append(entry).unwrap().number, n + 1);
        }
        let text = std::fs::read_to_string(&path).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn verdict(lines: &[String], kept: Option<&Head>) -> Result<Verified, Flaw> {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        verify(&mut text.as_bytes(), kept).unwrap()
    }

    #[test]
    fn a_whole_log_is_whole_and_every_change_is_found() {
        let whole = lines();
        let head = verdict(&whole, None).unwrap().head;
        assert_eq!(head.number, 5);
        assert_eq!(verdict(&whole, Some(&head)).unwrap().head, head);
        assert_eq!(head.to_string().parse::<Head>().unwrap(), head);
        for at in 0..5 {
            let mut removed = whole.clone();
            removed.remove(at);
            let mut edited = whole.clone();
            edited[at] = edited[at].replace("\"n\":", "\"n\":1");
            assert!(verdict(&removed, Some(&head)).is_err(), "line {at} removed");
            assert!(verdict(&edited, Some(&head)).is_err(), "line {at} edited");
            // Without a head, only the last line can be changed unseen.
            assert_eq!(verdict(&edited, None).is_err(), at < 4, "line {at} edited, no head");
            for other in at + 1..5 {
                let mut moved = whole.clone();
                moved.swap(at, other);
                assert!(verdict(&moved, None).is_err(), "{at} and {other} moved");
            }
        }
        let cut = Flaw::Cut { last: 3, head: 5 };
        assert_eq!(verdict(&whole[..3], Some(&head)), Err(cut));
        assert_eq!(verdict(&whole[..3], None).unwrap().head.number, 3);
    }

    #[test]
    fn half_a_line_is_taken_away_by_the_next_entry_which_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let log = Log::new(&path);
        log.append(serde_json::Map::new()).unwrap();
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str("{\"entry\":2,\"prev");
        std::fs::write(&path, &text).unwrap();
        assert_eq!(verify(&mut text.as_bytes(), None).unwrap().unwrap().torn, 16);
        assert_eq!(log.append(serde_json::Map::new()).unwrap().number, 2);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("\"removed_bytes_without_end\":16"), "{text}");
        assert_eq!(verify(&mut text.as_bytes(), None).unwrap().unwrap().torn, 0);
    }

    #[test]
    fn nothing_is_written_behind_what_is_no_log() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passwd");
        for text in ["root:x:0:0\n", "{\"a\":1}\n", "\n", "a key without an end of line", "{\"a\""]
        {
            std::fs::write(&path, text).unwrap();
            assert!(Log::new(&path).append(serde_json::Map::new()).is_err(), "{text}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }
}
