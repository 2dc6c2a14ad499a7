//! Files to trees whose every key and value knows its place.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Complaints, Place};

/// Files in all; more are a mistake.
const MOST_FILES: usize = 200;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub place: Place,
    pub value: Value,
}

/// A key and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub place: Place,
    pub name: String,
}

/// What TOML can say, as far as it matters here.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Boolean(bool),
    /// A number or a time, as it was written.
    Bare(String),
    List(Vec<Node>),
    /// In the order of the file.
    Table(Vec<(Key, Node)>),
}

impl Value {
    /// What it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) => "text",
            Value::Boolean(_) => "true or false",
            Value::Bare(_) => "a number",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }
}

/// Reads one file's text, or says why not.
pub(super) type Reader<'a> = dyn FnMut(&Path) -> Result<String, String> + 'a;

/// The tables of a file and of all that it includes, the included ones first.
#[derive(Default)]
pub(super) struct Sources {
    /// The top level of each file.
    pub tables: Vec<Vec<(Key, Node)>>,
    /// A file was understood only in part: what is missing may stand in it.
    pub partial: bool,
    seen: Vec<PathBuf>,
}

impl Sources {
    /// Reads `path` and what it includes, each file once.
    pub fn read(path: &Path, reader: &mut Reader<'_>, wrong: &mut Complaints) -> Sources {
        let mut sources = Sources::default();
        let start = Place { file: shown(path), line: 0, column: 0 };
        sources.add(path, &start, &mut Vec::new(), reader, wrong);
        sources
    }

    fn add(
        &mut self,
        path: &Path,
        asked: &Place,
        open: &mut Vec<PathBuf>,
        reader: &mut Reader<'_>,
        wrong: &mut Complaints,
    ) {
        if let Some(at) = open.iter().position(|other| other == path) {
            let loop_of: Vec<_> = open[at..].iter().map(|path| shown(path)).collect();
            let way = format!("{} -> {}", loop_of.join(" -> "), shown(path));
            return wrong.add(asked, format!("files include each other in a loop: {way}"));
        }
        if self.seen.iter().any(|other| other == path) {
            return;
        }
        if self.seen.len() == MOST_FILES {
            return wrong.add(asked, format!("more than {MOST_FILES} files are included"));
        }
        self.seen.push(path.to_owned());
        let file = shown(path);
        let text = match reader(path) {
            Ok(text) => text,
            Err(why) => {
                self.partial = true;
                let why = if asked.line == 0 { why } else { format!("{file}: {why}") };
                return wrong.add(asked, why);
            }
        };
        let lines = Lines::new(file, &text);
        let (table, errors) = DeTable::parse_recoverable(&text);
        for error in &errors {
            self.partial = true;
            wrong.add(&lines.place(error.span().map_or(0, |span| span.start)), error.message());
        }
        let table = lines.table(table.get_ref());
        open.push(path.to_owned());
        for (name, place) in includes(&table, wrong) {
            self.add(&beside(path, &name), &place, open, reader, wrong);
        }
        open.pop();
        self.tables.push(table);
    }
}

/// What a file's `include` names: a text or a list of them.
fn includes(table: &[(Key, Node)], wrong: &mut Complaints) -> Vec<(String, Place)> {
    let Some((_, node)) = table.iter().find(|(key, _)| key.name == "include") else {
        return Vec::new();
    };
    let nodes = match &node.value {
        Value::List(nodes) => nodes.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut names = Vec::new();
    for node in nodes {
        match &node.value {
            Value::Text(name) if !name.is_empty() => names.push((name.clone(), node.place.clone())),
            _ => wrong.add(&node.place, "include is a list of file names"),
        }
    }
    names
}

/// A path as the file at `from` means it, without `.` and needless `..`.
fn beside(from: &Path, name: &str) -> PathBuf {
    let folder = from.parent().unwrap_or(Path::new(""));
    let mut clean = PathBuf::new();
    for part in folder.join(name).components() {
        let last = clean.components().next_back();
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(last, Some(Component::Normal(_))) => {
                clean.pop();
            }
            part => clean.push(part),
        }
    }
    clean
}

fn shown(path: &Path) -> Arc<str> {
    match path == Path::new("-") {
        true => "standard input".into(),
        false => path.display().to_string().into(),
    }
}

/// From bytes of a text to lines and columns.
struct Lines<'t> {
    file: Arc<str>,
    text: &'t str,
    /// Where each line begins.
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn new(file: Arc<str>, text: &'t str) -> Lines<'t> {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect();
        Lines { file, text, starts }
    }

    fn place(&self, byte: usize) -> Place {
        let line = self.starts.partition_point(|start| *start <= byte).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        let before = self.text.get(start..byte.min(self.text.len())).unwrap_or_default();
        Place { file: self.file.clone(), line, column: before.chars().count() + 1 }
    }

    fn table(&self, table: &DeTable<'_>) -> Vec<(Key, Node)> {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let entry = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
            let key: &Spanned<std::borrow::Cow<'_, str>> = key;
            let place = self.place(key.span().start);
            (Key { place, name: key.get_ref().to_string() }, self.node(value))
        };
        entries.into_iter().map(entry).collect()
    }

    fn node(&self, value: &Spanned<DeValue<'_>>) -> Node {
        let place = self.place(value.span().start);
        let value = match value.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Boolean(is) => Value::Boolean(*is),
            DeValue::Array(list) => Value::List(list.iter().map(|node| self.node(node)).collect()),
            DeValue::Table(table) => Value::Table(self.table(table)),
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Datetime(_) => {
                Value::Bare(self.text.get(value.span()).unwrap_or_default().to_owned())
            }
        };
        Node { place, value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads the first of these files.
    fn sources(files: &[(&str, &str)]) -> (Sources, Vec<String>) {
        let mut wrong = Complaints::default();
        let mut reader = |path: &Path| {
            let found = files.iter().find(|(name, _)| Path::new(name) == path);
            found.map(|(_, text)| text.to_string()).ok_or_else(|| "no such file".to_owned())
        };
        let sources = Sources::read(Path::new(files[0].0), &mut reader, &mut wrong);
        let said = wrong.iter().map(|(place, text)| format!("{place}: {text}")).collect();
        (sources, said)
    }

    #[test]
    fn includes_are_relative_to_their_file_and_read_once() {
        let (sources, said) = sources(&[
            ("a/main.toml", "include = ['x.toml', '../b/y.toml']\n[roles.m]"),
            ("a/x.toml", "include = '../b/y.toml'\n[roles.x]"),
            ("b/y.toml", "[roles.y]"),
        ]);
        assert_eq!(said, [""; 0]);
        assert_eq!(sources.tables.len(), 3);
    }

    #[test]
    fn a_loop_is_told_with_its_way() {
        let (_, said) = sources(&[
            ("a.toml", "include = 'b.toml'"),
            ("b.toml", "\ninclude = ['./a.toml', 'c.toml']"),
        ]);
        assert_eq!(
            said,
            [
                "b.toml:2:12: files include each other in a loop: a.toml -> b.toml -> a.toml",
                "b.toml:2:24: c.toml: no such file"
            ]
        );
    }

    #[test]
    fn every_flaw_of_the_syntax_has_its_place() {
        let (sources, said) = sources(&[("f", "a = \nb = 1\n'ü' = [1,,]\nb = 2\n")]);
        assert!(sources.partial);
        let places: Vec<_> = said.iter().map(|text| text.split(": ").next().unwrap()).collect();
        assert!(places.contains(&"f:1:5") && places.contains(&"f:3:10"), "{said:?}");
        assert!(places.contains(&"f:4:1"), "{said:?}");
    }
}
