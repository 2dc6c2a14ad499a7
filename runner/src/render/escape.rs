use std::borrow::Cow;

/// Makes text from outside safe for a terminal and readable in one line.
///
/// Control characters (which move cursors and set titles), bidirectional
/// overrides (which reorder what is read) and invisible characters (which hide
/// it) are written as `\u{..}`; a line break as `\n`.
pub fn escape(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| !needs_escape(c)) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match needs_escape(c) {
            true => safe.extend(c.escape_default()),
            false => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

fn needs_escape(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Soft hyphen, Arabic letter mark, zero width and direction marks.
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}'
            // Line and paragraph separators, embeddings and overrides.
            | '\u{2028}'..='\u{202e}'
            // Invisible operators and isolates, byte order mark.
            | '\u{2060}'..='\u{206f}' | '\u{feff}'
            // Interlinear annotations, tags.
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_gets_through() {
        assert_eq!(escape("\u{1b}]0;owned\u{7}"), "\\u{1b}]0;owned\\u{7}");
        assert_eq!(escape("a\u{202e}b\u{9b}c\n"), "a\\u{202e}b\\u{9b}c\\n");
        assert_eq!(escape("Grüße, 世界"), "Grüße, 世界");
    }
}
