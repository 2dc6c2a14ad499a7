//! Messages for the person: stderr, one line each, escaped.
#![allow(clippy::print_stderr)] // This is the room's own way out.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::escape;

/// Different notes that are remembered; more are told as often as they come.
const MOST: usize = 1_000;

/// How notes are told.
struct Notes {
    /// Those that were told, where each is told once.
    told: Option<BTreeSet<String>>,
    /// Those that wait, while a live view has the terminal.
    waiting: Option<Vec<String>>,
}

static NOTES: Mutex<Notes> = Mutex::new(Notes { told: None, waiting: None });

fn notes() -> MutexGuard<'static, Notes> {
    NOTES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Something that keeps us from running as asked.
pub fn error(text: &str) {
    for line in text.lines() {
        eprintln!("portscan: {}", escape(line));
    }
}

/// Whether a person reads this, and could answer: a password may be asked for.
pub fn is_answered() -> bool {
    std::io::stderr().is_terminal() && std::io::stdin().is_terminal()
}

/// Something worth knowing.
pub fn note(text: &str) {
    let mut notes = notes();
    if let Some(told) = &mut notes.told {
        if told.contains(text) {
            return;
        }
        if told.len() < MOST {
            told.insert(text.to_owned());
        }
    }
    match &mut notes.waiting {
        Some(waiting) if waiting.len() < MOST => waiting.push(text.to_owned()),
        Some(_) => {}
        None => error(text),
    }
}

/// From now on tells a note only the first time: each round of a watch has it again.
pub fn once() {
    notes().told.get_or_insert_default();
}

/// From now on keeps notes until they are asked for.
pub(super) fn hold() {
    notes().waiting.get_or_insert_default();
}

/// The notes that were held.
pub(super) fn held() -> Vec<String> {
    notes().waiting.as_mut().map(std::mem::take).unwrap_or_default()
}

/// Tells what was held, and from now on everything as it comes.
pub(super) fn release() {
    let waiting = notes().waiting.take();
    waiting.into_iter().flatten().for_each(|text| error(&text));
}
