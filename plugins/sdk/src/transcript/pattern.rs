//! Bytes in a transcript: fixed ones, and ones that only the run decides.
//!
//! In `hex`, white space is free and `#` begins a comment until the end of the
//! line. Among the pairs may stand, in `to-peer`, `??` for a byte that may be
//! anything, and in `from-peer`, `<2..4>` for those bytes of the plugin's last
//! message: a peer repeats transaction ids.

use super::Bytes;

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Byte(u8),
    Any,
    Sent { from: usize, to: usize },
}

/// A parsed [`Bytes`].
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    parts: Vec<Part>,
}

impl Pattern {
    pub(super) fn parse(bytes: &Bytes) -> Result<Pattern, String> {
        let parts = match bytes {
            Bytes::Text(text) => text.bytes().map(Part::Byte).collect(),
            Bytes::Hex(hex) => parse_hex(hex)?,
        };
        Ok(Pattern { parts })
    }

    /// Bytes of a message that matches.
    pub(super) fn count(&self) -> usize {
        self.parts.len()
    }

    /// Whether `sent` is what the pattern says; the text says where it is not.
    pub(super) fn compare(&self, sent: &[u8]) -> Result<(), String> {
        for (at, part) in self.parts.iter().enumerate() {
            match (part, sent.get(at)) {
                (Part::Any, Some(_)) => {}
                (Part::Byte(wanted), Some(byte)) if wanted == byte => {}
                (Part::Sent { .. }, _) => return Err("`<..>` belongs into from-peer".to_owned()),
                (wanted, found) => {
                    return Err(format!("byte {at}: expected {wanted:02x?}, sent {found:02x?}"));
                }
            }
        }
        if sent.len() > self.parts.len() {
            return Err(format!("{} bytes more than expected", sent.len() - self.parts.len()));
        }
        Ok(())
    }

    /// The bytes, with those of `sent`, the plugin's last message, filled in.
    pub(super) fn fill(&self, sent: &[u8]) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        for part in &self.parts {
            match part {
                Part::Byte(byte) => bytes.push(*byte),
                Part::Any => return Err("`??` belongs into to-peer".to_owned()),
                Part::Sent { from, to } => bytes.extend_from_slice(
                    sent.get(*from..*to)
                        .ok_or_else(|| format!("<{from}..{to}> is beyond the last message"))?,
                ),
            }
        }
        Ok(bytes)
    }
}

fn parse_hex(hex: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    for line in hex.lines() {
        let digits = line.split('#').next().unwrap_or_default();
        for word in digits.split_whitespace() {
            parse_word(word, &mut parts)?;
        }
    }
    Ok(parts)
}

fn parse_word(word: &str, parts: &mut Vec<Part>) -> Result<(), String> {
    let bad = || format!("`{word}` is neither hexadecimal pairs, nor `??`, nor `<from..to>`");
    if let Some(range) = word.strip_prefix('<') {
        let (from, to) =
            range.strip_suffix('>').and_then(|range| range.split_once("..")).ok_or_else(bad)?;
        let number = |text: &str| text.parse::<usize>().map_err(|_| bad());
        parts.push(Part::Sent { from: number(from)?, to: number(to)? });
        return Ok(());
    }
    if !word.is_ascii() || !word.len().is_multiple_of(2) {
        return Err(bad());
    }
    for at in (0..word.len()).step_by(2) {
        let pair = &word[at..at + 2];
        parts.push(match pair {
            "??" => Part::Any,
            _ => Part::Byte(u8::from_str_radix(pair, 16).map_err(|_| bad())?),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Result<Pattern, String> {
        Pattern::parse(&Bytes::Hex(text.to_owned()))
    }

    #[test]
    fn comments_and_spaces_are_free_and_pairs_may_touch() {
        let pattern = hex("00ff # the head\n  7f").unwrap();
        assert_eq!(pattern.fill(&[]), Ok(vec![0, 255, 127]));
    }

    #[test]
    fn bytes_of_the_last_message_are_repeated() {
        assert_eq!(hex("<1..3> 09").unwrap().fill(&[1, 2, 3, 4]), Ok(vec![2, 3, 9]));
        assert!(hex("<1..9>").unwrap().fill(&[1, 2]).is_err());
    }

    #[test]
    fn any_byte_matches_but_none_does_not() {
        let pattern = hex("?? 02").unwrap();
        assert_eq!(pattern.compare(&[7, 2]), Ok(()));
        assert!(pattern.compare(&[7]).is_err());
        assert!(pattern.compare(&[7, 3]).is_err());
        assert!(pattern.compare(&[7, 2, 0]).is_err());
    }

    #[test]
    fn half_a_pair_is_refused() {
        assert!(hex("0").is_err());
        assert!(hex("zz").is_err());
        assert!(hex("<1>").is_err());
        assert!(hex("é1").is_err());
    }
}
