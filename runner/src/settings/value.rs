use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use super::{Format, SettingsError};
use crate::audit::Head;
use crate::model::{SideEffect, Transport};

/// Reads `250ms`, `3s`, `1.5s`, `2m`. A bare number is refused: seconds and
/// milliseconds are both usual.
pub(super) fn duration(name: &'static str, text: &str) -> Result<Duration, SettingsError> {
    let bad = || SettingsError::Value {
        name: name.into(),
        value: text.into(),
        expected: "a time with its unit, for example 250ms, 3s or 2m",
    };
    let split = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(bad)?;
    let (number, unit) = text.split_at(split);
    let number: f64 = number.parse().map_err(|_| bad())?;
    let seconds = match unit {
        "us" => number / 1e6,
        "ms" => number / 1e3,
        "s" => number,
        "m" | "min" => number * 60.0,
        "h" => number * 3600.0,
        _ => return Err(bad()),
    };
    match seconds > 0.0 && seconds <= 7.0 * 86_400.0 {
        true => Ok(Duration::from_secs_f64(seconds)),
        false => Err(bad()),
    }
}

/// Reads a rate in packets a second; none for `max`.
pub(super) fn rate(text: &str) -> Result<Option<f64>, SettingsError> {
    if text == "max" {
        return Ok(None);
    }
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate.is_finite() => Ok(Some(rate)),
        _ => Err(SettingsError::Value {
            name: "--rate".into(),
            value: text.into(),
            expected: "packets a second, or 'max'",
        }),
    }
}

/// Reads `FORMAT=FILE`.
pub(super) fn output(text: &str) -> Result<(Format, PathBuf), SettingsError> {
    let bad =
        |expected| SettingsError::Value { name: "--output".into(), value: text.into(), expected };
    let form = "FORMAT=FILE, for example json=report.json; --format says which formats there are";
    let (format, file) = text.split_once('=').ok_or_else(|| bad(form))?;
    let format = Format::from_str(format, false).map_err(|_| bad(form))?;
    match file {
        "" => Err(bad("FORMAT=FILE with a file's name")),
        "-" => Err(bad("FORMAT=FILE with a file's name: --format writes to standard output")),
        file => Ok((format, file.into())),
    }
}

/// Splits `PLUGIN.NAME=VALUE`.
pub(super) fn setting(text: &str) -> Result<(String, String, String), SettingsError> {
    let bad =
        |expected| SettingsError::Value { name: "--set".into(), value: text.into(), expected };
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| bad("PLUGIN.NAME=VALUE, for example postgres.user=me"))?;
    let (plugin, name) = key.split_once('.').ok_or_else(|| bad("PLUGIN.NAME before the '='"))?;
    match plugin.is_empty() || name.is_empty() {
        true => Err(bad("PLUGIN.NAME before the '='")),
        false => Ok((plugin.into(), name.into(), value.into())),
    }
}

/// Reads the name of a side effect.
pub(super) fn side_effect(text: &str) -> Result<SideEffect, SettingsError> {
    match text {
        "none" => Ok(SideEffect::None),
        "log-line" => Ok(SideEffect::LogLine),
        "state" => Ok(SideEffect::State),
        "hardware" => Ok(SideEffect::Hardware),
        _ => Err(SettingsError::Value {
            name: "--allow".into(),
            value: text.into(),
            expected: "'state' or 'hardware'",
        }),
    }
}

/// An audit log's head.
pub(super) fn head(text: &str) -> Result<Head, SettingsError> {
    text.parse().map_err(|expected| SettingsError::Value {
        name: "--head".into(),
        value: text.into(),
        expected,
    })
}

/// A port of `--send-to`, with its transport; TCP without one.
pub(super) fn send_to(text: &str) -> Result<(u16, Transport), SettingsError> {
    let (port, transport) = text.split_once('/').unwrap_or((text, "tcp"));
    let transport = match transport {
        "tcp" => Some(Transport::Tcp),
        "udp" => Some(Transport::Udp),
        _ => None,
    };
    match (port.parse(), transport) {
        (Ok(port), Some(transport)) if port > 0 => Ok((port, transport)),
        _ => Err(SettingsError::Value {
            name: "--send-to".into(),
            value: text.into(),
            expected: "a port and its transport, for example 9100/tcp",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_need_their_unit() {
        for (text, ms) in [("250ms", 250), ("3s", 3000), ("1.5s", 1500), ("2m", 120_000)] {
            assert_eq!(duration("--timeout", text).unwrap(), Duration::from_millis(ms), "{text}");
        }
        for bad in ["3", "", "s", "-1s", "1e99s", "3 s", "nans", "1d"] {
            let error = duration("--timeout", bad).unwrap_err().to_string();
            assert!(error.contains("--timeout") && error.contains("250ms"), "{error}");
        }
    }

    #[test]
    fn settings_are_split_at_the_first_equals_sign() {
        assert_eq!(
            setting("http.path=/a=b").unwrap(),
            ("http".into(), "path".into(), "/a=b".into())
        );
        for bad in ["http", "http=1", ".x=1", "http.=1"] {
            assert!(setting(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rates_are_positive_or_max() {
        assert_eq!(rate("max").unwrap(), None);
        assert_eq!(rate("0.5").unwrap(), Some(0.5));
        for bad in ["0", "-3", "fast", "inf", "nan"] {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }
}
