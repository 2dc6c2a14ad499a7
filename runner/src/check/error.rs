use std::path::PathBuf;

use thiserror::Error;

use crate::host::LoadError;

/// Why checks cannot be made as asked. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CheckSetupError {
    /// No plugin has this name.
    #[error("there is no plugin `{name}`")]
    UnknownPlugin {
        /// As typed.
        name: String,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// A plugin that was named cannot be used.
    #[error("the plugin {}: {error}", path.display())]
    BadPlugin {
        /// Its file.
        path: PathBuf,
        /// Why.
        error: LoadError,
    },
    /// The plugin declares no such setting.
    #[error("the plugin `{plugin}` has no setting `{name}`")]
    UnknownSetting {
        /// The plugin.
        plugin: String,
        /// As typed.
        name: String,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// The value does not fit the setting's type. The value is not repeated: it
    /// may be a secret.
    #[error("`{plugin}.{name}` must be {expected}")]
    BadValue {
        /// The plugin.
        plugin: String,
        /// The setting.
        name: String,
        /// In words.
        expected: &'static str,
    },
    /// A secret on the command line, where every user of the machine reads it.
    #[error("`{plugin}.{name}` is a secret and does not belong on the command line")]
    SecretInTheOpen {
        /// The plugin.
        plugin: String,
        /// The setting.
        name: String,
    },
    /// There is no place for transcripts.
    #[error("cannot keep transcripts in {}: {why}", path.display())]
    NoRecordings {
        /// The folder.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A plugin that was named cannot work without this setting.
    #[error("the plugin `{plugin}` needs the setting `{name}`: {help}")]
    MissingSetting {
        /// The plugin.
        plugin: String,
        /// The setting.
        name: String,
        /// The plugin's own words about it.
        help: String,
    },
    /// The system grants no thread or no event queue.
    #[error("checks cannot be made on this machine: {reason}")]
    Machine {
        /// The system's words.
        reason: String,
    },
}

impl CheckSetupError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            CheckSetupError::UnknownPlugin { nearest: Some(nearest), .. } => {
                format!("Did you mean `{nearest}`? `portscan plugin list` shows all.")
            }
            CheckSetupError::UnknownPlugin { name, nearest: None } => match name.ends_with(".wasm") {
                true => "Give the path of a component file that exists.".to_owned(),
                false => "`portscan plugin list` shows all; a file needs its path, for example `./my.wasm`.".to_owned(),
            },
            CheckSetupError::BadPlugin { error, .. } => error.hint(),
            CheckSetupError::NoRecordings { .. } => {
                "Name a folder that can be written to.".to_owned()
            }
            CheckSetupError::UnknownSetting { plugin, nearest: Some(nearest), .. } => {
                format!("Did you mean `{plugin}.{nearest}`? `portscan plugin show {plugin}` shows all.")
            }
            CheckSetupError::UnknownSetting { plugin, .. } | CheckSetupError::BadValue { plugin, .. } => {
                format!("`portscan plugin show {plugin}` shows all settings.")
            }
            CheckSetupError::SecretInTheOpen { plugin, name } => {
                format!("Use `--secret {plugin}.{name}=env:VARIABLE` or `--secret {plugin}.{name}=file:PATH`.")
            }
            CheckSetupError::MissingSetting { plugin, name, .. } => {
                format!("Add `--set {plugin}.{name}=VALUE`, or `--secret` if it is one.")
            }
            CheckSetupError::Machine { .. } => "`--no-plugins` probes without checks.".to_owned(),
        }
    }
}
