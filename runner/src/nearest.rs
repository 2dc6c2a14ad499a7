//! The known word that a mistyped one was probably meant to be.

/// The word of `known` nearest to `typed`, whatever its case; none when more than
/// a third of the letters differ.
pub fn nearest<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // What is longer than any word of ours is no slip; it would only cost time.
    if typed.len() > 64 {
        return None;
    }
    let typed = typed.to_lowercase();
    let most = (typed.chars().count() / 3).max(1);
    known
        .map(|word| (strsim::osa_distance(&typed, word), word))
        .filter(|(distance, _)| *distance <= most)
        // Slips are rare in the first letter.
        .min_by_key(|(distance, word)| (*distance, word.chars().next() != typed.chars().next()))
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word_and_another_word_does_not() {
        let known = || ["postgres", "redis", "dns"].into_iter();
        assert_eq!(nearest("postgre", known()), Some("postgres"));
        assert_eq!(nearest("Rediss", known()), Some("redis"));
        assert_eq!(nearest("nds", known()), Some("dns"));
        assert_eq!(nearest("mysql", known()), None);
    }
}
