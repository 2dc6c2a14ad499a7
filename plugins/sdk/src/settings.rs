use std::time::Duration;

use crate::{Setting, SettingValue};

/// The settings of this check, by name.
///
/// The runner has checked every value against its declaration and filled in the
/// defaults: a lookup is `None` only for a setting that is optional and has no
/// default, or that the plugin never declared with that kind.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    settings: Vec<Setting>,
}

impl Settings {
    /// The settings as the runner passes them.
    pub fn new(settings: Vec<Setting>) -> Settings {
        Settings { settings }
    }

    /// The text setting `name`.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.value(name)? {
            SettingValue::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The whole-number setting `name`.
    pub fn integer(&self, name: &str) -> Option<i64> {
        match self.value(name)? {
            SettingValue::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// The yes-or-no setting `name`.
    pub fn boolean(&self, name: &str) -> Option<bool> {
        match self.value(name)? {
            SettingValue::Boolean(value) => Some(*value),
            _ => None,
        }
    }

    /// The setting `name`, a length of time.
    pub fn duration(&self, name: &str) -> Option<Duration> {
        match self.value(name)? {
            SettingValue::Duration(milliseconds) => {
                Some(Duration::from_millis(u64::from(*milliseconds)))
            }
            _ => None,
        }
    }

    /// The texts of the list setting `name`; none when it is not set.
    pub fn texts(&self, name: &str) -> &[String] {
        match self.value(name) {
            Some(SettingValue::TextList(texts)) => texts,
            _ => &[],
        }
    }

    fn value(&self, name: &str) -> Option<&SettingValue> {
        self.settings.iter().find(|setting| setting.name == name).map(|setting| &setting.value)
    }
}
