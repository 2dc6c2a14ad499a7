//! Texts of guests: valid UTF-8 by the time they are here, and otherwise
//! anything. They are cut here and escaped by `render`.

/// At most `cap` bytes of `text`, without half a character at the end.
pub(super) fn cut(mut text: String, cap: usize) -> String {
    if text.len() > cap {
        text.truncate(text.floor_char_boundary(cap));
        // A host string keeps what it was allocated with; a cut one is kept long.
        text.shrink_to_fit();
    }
    text
}

/// Whether `name` is kebab-case: lower-case words of letters and digits, joined
/// by single hyphens, the first one starting with a letter.
pub(super) fn is_kebab_case(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.split('-').all(|word| {
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("aé".to_owned(), 2), "a");
        assert_eq!(cut("aé".to_owned(), 3), "aé");
    }

    #[test]
    fn kebab_case_is_words_and_single_hyphens() {
        for good in ["dns", "ntp-4", "a1-b2"] {
            assert!(is_kebab_case(good), "{good}");
        }
        for bad in ["", "Dns", "-dns", "dns-", "a--b", "1a", "a_b", "a.b"] {
            assert!(!is_kebab_case(bad), "{bad}");
        }
    }
}
