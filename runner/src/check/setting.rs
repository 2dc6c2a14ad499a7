//! Text that a user typed, as the value that a plugin declared.

use std::time::Duration;

use crate::model::{SettingKind, SettingValue};

/// Reads `text` as a value of `kind`.
///
/// # Errors
/// What was expected, in words, without the text: it may be a secret.
pub(super) fn parse(kind: SettingKind, text: &str) -> Result<SettingValue, &'static str> {
    match kind {
        SettingKind::Text => Ok(SettingValue::Text(text.to_owned())),
        SettingKind::Integer => text
            .trim()
            .parse()
            .map(SettingValue::Integer)
            .map_err(|_| "a whole number, for example 42"),
        SettingKind::Boolean => match text.trim() {
            "true" => Ok(SettingValue::Boolean(true)),
            "false" => Ok(SettingValue::Boolean(false)),
            _ => Err("true or false"),
        },
        SettingKind::Duration => parse_duration(text.trim())
            .map(SettingValue::Duration)
            .ok_or("a length of time with its unit, for example 250ms or 3s"),
        SettingKind::TextList => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Ok(SettingValue::TextList(items.map(str::to_owned).collect()))
        }
    }
}

/// A whole number and its unit. Guests count milliseconds in 32 bits, which
/// ends at 49 days.
fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let total = number.parse::<u32>().ok()?.checked_mul(milliseconds)?;
    Some(Duration::from_millis(u64::from(total)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_reads_its_own_texts() {
        let rows = [
            (SettingKind::Text, " as is ", SettingValue::Text(" as is ".to_owned())),
            (SettingKind::Integer, "-7", SettingValue::Integer(-7)),
            (SettingKind::Boolean, "true", SettingValue::Boolean(true)),
            (SettingKind::Duration, "250ms", SettingValue::Duration(Duration::from_millis(250))),
            (SettingKind::Duration, "3s", SettingValue::Duration(Duration::from_secs(3))),
            (SettingKind::Duration, "2m", SettingValue::Duration(Duration::from_secs(120))),
            (
                SettingKind::TextList,
                "a, b,,c ",
                SettingValue::TextList(vec!["a".to_owned(), "b".to_owned(), "c".to_owned()]),
            ),
            (SettingKind::TextList, "", SettingValue::TextList(Vec::new())),
        ];
        for (kind, text, value) in rows {
            assert_eq!(parse(kind, text), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (kind, texts) in [
            (SettingKind::Integer, &["", "1.5", "x", "99999999999999999999"][..]),
            (SettingKind::Boolean, &["yes", "1", "", "True"]),
            (SettingKind::Duration, &["", "5", "ms", "5d", "5 s", "-1s", "5000000h", "ü"]),
        ] {
            for text in texts {
                assert!(parse(kind, text).is_err(), "{kind:?} {text}");
            }
        }
    }
}
