use std::collections::HashSet;

use serde::Deserialize;

use super::Trouble;
use crate::model::Transport;
use crate::report::{EndpointRow, HeadRow, SCHEMA, TailRow};

/// Longest line: a row with a long check has some kilobytes.
pub(super) const MAX_LINE: usize = 1 << 20;

/// Bytes before the first line of ours: what a login prints.
const MAX_GREETING: usize = 64 * 1024;

/// Rows of one place that are taken.
const MAX_ROWS: usize = 1_000_000;

/// What was asked for; rows about anything else are nobody's answer.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Targets as written.
    pub targets: HashSet<String>,
    /// Ports.
    pub ports: HashSet<(u16, Transport)>,
}

/// One thing that a place says.
#[derive(Debug)]
pub enum Said {
    /// It begins.
    Start(Box<HeadRow>),
    /// An endpoint.
    Row(Box<EndpointRow<'static>>),
    /// It is done.
    End(Box<TailRow>),
}

/// Reads the lines of one place.
#[derive(Debug)]
pub(super) struct Reader {
    asked: Asked,
    started: bool,
    ended: bool,
    stopped: bool,
    greeting: usize,
    pub rows: usize,
}

/// Which kind of line it is.
#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: String,
}

impl Reader {
    pub fn new(asked: Asked) -> Reader {
        Reader { asked, started: false, ended: false, stopped: false, greeting: 0, rows: 0 }
    }

    /// Whether the beginning has come, and the end.
    pub fn state(&self) -> (bool, bool) {
        (self.started, self.ended)
    }

    /// Whether the end says that it came before its time.
    pub fn was_stopped(&self) -> bool {
        self.stopped
    }

    /// Takes a line without its end. None for a greeting before the first of ours.
    ///
    /// # Errors
    /// Whatever portscan of this version does not say when it is asked that.
    pub fn line(&mut self, line: &[u8]) -> Result<Option<Said>, Trouble> {
        let nonsense = |what: &str| Trouble::Nonsense { what: what.to_owned() };
        let kind = serde_json::from_slice::<Kind>(line).ok();
        if !self.started && kind.as_ref().is_none_or(|kind| kind.kind != "start") {
            self.greeting += line.len() + 1;
            return match self.greeting > MAX_GREETING {
                true => Err(nonsense("a greeting without an end")),
                false => Ok(None),
            };
        }
        let Some(Kind { kind }) = kind else {
            return Err(nonsense("a line between the rows is no JSON of a known kind"));
        };
        if self.ended {
            return Err(nonsense("a line after the end"));
        }
        match kind.as_str() {
            "start" if !self.started => {
                /// Looked at first: another version's rows need not fit ours.
                #[derive(Deserialize)]
                struct Version {
                    schema: String,
                    portscan: String,
                }
                let ours = env!("CARGO_PKG_VERSION");
                let version: Version = read(line)?;
                if version.schema != SCHEMA || version.portscan != ours {
                    let ours = ours.to_owned();
                    return Err(Trouble::Version { theirs: version.portscan, ours });
                }
                self.started = true;
                Ok(Some(Said::Start(read(line)?)))
            }
            "endpoint" => {
                let row: Box<EndpointRow<'static>> = read(line)?;
                let asked = self.asked.targets.contains(&*row.target)
                    && self.asked.ports.contains(&(row.port, row.transport));
                if !asked {
                    return Err(nonsense("a row about an endpoint that nobody asked for"));
                }
                self.rows += 1;
                if self.rows > MAX_ROWS {
                    return Err(nonsense("more than a million rows"));
                }
                Ok(Some(Said::Row(row)))
            }
            "end" => {
                let end: Box<TailRow> = read(line)?;
                (self.ended, self.stopped) = (true, end.interrupted);
                Ok(Some(Said::End(end)))
            }
            _ => Err(nonsense("a line of an unknown kind")),
        }
    }
}

fn read<'a, T: Deserialize<'a>>(line: &'a [u8]) -> Result<T, Trouble> {
    serde_json::from_slice(line).map_err(|error| Trouble::Nonsense { what: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::closed;
    use proptest::prelude::*;

    fn asked() -> Asked {
        let outcome = closed(80);
        Asked { targets: [outcome.target.to_string()].into(), ports: [(80, Transport::Tcp)].into() }
    }

    fn start(version: &str) -> String {
        format!(
            r#"{{"type":"start","schema":"{SCHEMA}","portscan":"{version}","started":"2026-01-01T00:00:00Z",
            "vantage":{{"hostname":"h","user":"u","privileged":false,"source_addresses":[]}}}}"#
        )
        .replace('\n', "")
    }

    fn row(port: u16) -> Vec<u8> {
        let outcome = closed(port);
        let mut value = serde_json::to_value(EndpointRow::from(&outcome)).unwrap();
        value["type"] = "endpoint".into();
        value.to_string().into_bytes()
    }

    const END: &[u8] = br#"{"type":"end","finished":"2026-01-01T00:00:01Z","unresolved":[]}"#;

    #[test]
    fn a_greeting_is_passed_over_and_rows_come_until_the_end() {
        let mut reader = Reader::new(asked());
        assert!(reader.line(b"Welcome to bastion!").unwrap().is_none());
        assert!(reader.line(b"{\"type\":\"news\"}").unwrap().is_none());
        let first = reader.line(start(env!("CARGO_PKG_VERSION")).as_bytes()).unwrap();
        assert!(matches!(first, Some(Said::Start(_))));
        assert!(matches!(reader.line(&row(80)).unwrap(), Some(Said::Row(_))));
        assert!(matches!(reader.line(END).unwrap(), Some(Said::End(_))));
        assert_eq!((reader.state(), reader.rows), ((true, true), 1));
        assert!(reader.line(b"logout").is_err());
    }

    #[test]
    fn another_version_other_rows_and_noise_are_refused() {
        let mut reader = Reader::new(asked());
        let other = reader.line(start("9.9.9").as_bytes()).unwrap_err();
        assert!(other.to_string().contains("9.9.9"), "{other}");
        let begun = || {
            let mut reader = Reader::new(asked());
            reader.line(start(env!("CARGO_PKG_VERSION")).as_bytes()).unwrap();
            reader
        };
        assert!(begun().line(&row(81)).is_err(), "another port");
        assert!(begun().line(b"motd").is_err());
        assert!(begun().line(b"{\"type\":\"start\"}").is_err());
        assert!(begun().line(b"{\"type\":\"endpoint\"}").is_err());
        let mut reader = Reader::new(asked());
        let endless = (0..1000).find_map(|_| reader.line(&[b'x'; 1000]).err());
        assert!(endless.is_some(), "a greeting has an end");
    }

    proptest! {
        #[test]
        fn no_bytes_are_an_accident(lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20)) {
            let mut reader = Reader::new(asked());
            for line in &lines {
                let _ = reader.line(line);
            }
            prop_assert_eq!(reader.rows, 0);
        }
    }
}
