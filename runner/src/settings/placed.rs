//! Mistakes in values that files and the environment gave.

use std::collections::BTreeMap;

use clap::error::{ContextKind, ContextValue};

use super::SettingsError;

/// Says of a mistake in an option's value where that stands, if it was not typed.
pub(super) fn placed(sources: &BTreeMap<String, String>, error: SettingsError) -> SettingsError {
    let (option, why) = match &error {
        SettingsError::Value { name, .. } => (name.clone(), error.to_string()),
        SettingsError::Words(words) => match words.get(ContextKind::InvalidArg) {
            Some(ContextValue::String(name)) => (name.clone(), plain(&words.to_string())),
            _ => return error,
        },
        _ => return error,
    };
    let name = option.split([' ', '=']).next().unwrap_or(&option).trim_start_matches('-');
    match sources.get(name) {
        Some(source) => SettingsError::Config(format!("{source}: {why}")),
        None => error,
    }
}

/// What clap says of a value, without what it says of a command line.
fn plain(text: &str) -> String {
    let lines = text.lines().take_while(|line| !line.starts_with("For more information"));
    let lines: Vec<&str> = lines.map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join(" ").trim_start_matches("error: ").to_owned()
}
