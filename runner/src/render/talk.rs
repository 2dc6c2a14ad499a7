//! Messages for the person: stderr, one line each, escaped.
#![allow(clippy::print_stderr)] // This is the room's own way out.

use super::escape;

/// Something that keeps us from running as asked.
pub fn error(text: &str) {
    for line in text.lines() {
        eprintln!("portscan: {}", escape(line));
    }
}

/// Something worth knowing.
pub fn note(text: &str) {
    for line in text.lines() {
        eprintln!("portscan: {}", escape(line));
    }
}
