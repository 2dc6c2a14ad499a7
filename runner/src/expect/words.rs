//! Words of a file: variables put in, and the word that was probably meant.

use std::collections::BTreeMap;

use super::source::{Node, Value};
use super::{Complaints, Place};
use crate::nearest::nearest;

/// What `[variables]` says.
#[derive(Default)]
pub(super) struct Variables {
    pub known: BTreeMap<String, (Place, String)>,
    /// A file could not be read in full: a missing name may stand there.
    pub partial: bool,
}

impl Variables {
    /// `text` with each `${name}` replaced.
    pub fn expand(&self, text: &str, place: &Place, wrong: &mut Complaints) -> String {
        let mut full = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            full.push_str(before);
            let Some((name, after)) = after.split_once('}') else {
                wrong.add(place, format!("'{text}' has a '${{' without its '}}'"));
                return full;
            };
            match self.known.get(name) {
                Some((_, value)) => full.push_str(value),
                None if self.partial => {}
                None => {
                    let known = self.known.keys().map(String::as_str);
                    wrong.add(place, format!("no variable '{name}'{}", meant(name, known)));
                }
            }
            rest = after;
        }
        full.push_str(rest);
        full
    }

    /// A value that must be text, its variables replaced.
    pub fn text(&self, node: &Node, what: &str, wrong: &mut Complaints) -> Option<String> {
        match &node.value {
            Value::Text(text) => Some(self.expand(text, &node.place, wrong)),
            other => {
                wrong.add(&node.place, format!("{what} is text, not {}", other.kind()));
                None
            }
        }
    }

    /// A text or a list of them, each with its place.
    pub fn texts(&self, node: &Node, what: &str, wrong: &mut Complaints) -> Vec<(Place, String)> {
        let nodes = match &node.value {
            Value::List(nodes) => nodes.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let text = |node: &Node| Some((node.place.clone(), self.text(node, what, wrong)?));
        nodes.iter().filter_map(text).collect()
    }
}

/// `; did you mean 'x'?`, or which words there are when they are few.
pub(super) fn meant<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> String {
    /// More are a list that nobody reads.
    const FEW: usize = 12;
    let known: Vec<&str> = known.collect();
    match nearest(typed, known.iter().copied()) {
        Some(word) => format!("; did you mean '{word}'?"),
        None if known.is_empty() => "; there are none".to_owned(),
        None if known.len() <= FEW => format!("; known are {}", known.join(", ")),
        None => String::new(),
    }
}
