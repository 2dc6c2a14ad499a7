//! Which plugins may run, with which settings, and which one looks at an
//! endpoint.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::catalog::{Catalog, Plugin};
use super::error::CheckSetupError;
use super::setting;
use super::{Assigned, CheckOptions, PluginChoice};
use crate::host::Host;
use crate::model::{DefaultPort, Endpoint, Metadata, Setting, SettingSpec, SideEffect, Transport};
use crate::nearest::nearest;

/// A plugin that may run.
pub(super) struct Chosen {
    pub plugin: Arc<Plugin>,
    /// Every declared setting that has a value or a default.
    pub settings: Arc<[Setting]>,
    /// Values that must not be shown.
    pub secrets: Arc<[String]>,
    /// Names of the settings that hold them.
    pub secret_names: Arc<[String]>,
    /// Chosen by name: its default ports do not limit it.
    named: bool,
}

impl Chosen {
    /// Whether the plugin looks at `endpoint`.
    fn applies(&self, endpoint: &Endpoint) -> bool {
        match self.named {
            true => speaks(&self.plugin, endpoint.transport),
            false => is_default(&self.plugin.metadata, endpoint),
        }
    }
}

/// A target as the user wrote it, and the plugin of one of its ports.
type OfTarget = (Arc<str>, Chosen);

/// The plugins that may run, in order of preference.
#[derive(Default)]
pub(super) struct Selection {
    chosen: Vec<Chosen>,
    /// Plugins of single ports of a target, which come before all others.
    assigned: HashMap<(u16, Transport), Vec<OfTarget>>,
}

impl Selection {
    /// Chooses from `catalog`, and reads the settings.
    ///
    /// # Errors
    /// Whatever the user wrote that makes no sense.
    pub(super) fn new(
        options: &CheckOptions,
        catalog: &mut Catalog,
        host: &Host,
    ) -> Result<Selection, CheckSetupError> {
        let mut chosen: Vec<(Arc<Plugin>, bool)> = Vec::new();
        match &options.choice {
            PluginChoice::None => {}
            PluginChoice::Default => {
                chosen.extend(catalog.plugins.iter().map(|plugin| (plugin.clone(), false)));
            }
            PluginChoice::Named(names) => {
                for name in names {
                    chosen.push((find(name, catalog, host)?, true));
                }
            }
        }
        check_names(options, catalog)?;
        let mut selection = Selection::default();
        for (plugin, named) in chosen {
            let effect = plugin.metadata.side_effect;
            if !named && effect > SideEffect::LogLine && !options.allow.contains(&effect) {
                continue;
            }
            let (settings, missing) = settings_of(options, &[], &plugin.metadata)?;
            match missing {
                None => selection.chosen.push(Chosen {
                    secrets: secrets_of(options, &plugin.metadata).collect(),
                    secret_names: secret_names(&plugin.metadata),
                    settings: settings.into(),
                    plugin,
                    named,
                }),
                Some(spec) if named => {
                    return Err(CheckSetupError::MissingSetting {
                        plugin: plugin.metadata.name.clone(),
                        name: spec.name,
                        help: spec.help,
                    });
                }
                Some(spec) => catalog.notes.push(format!(
                    "the plugin `{}` does not run: it needs the setting `{}`",
                    plugin.metadata.name, spec.name
                )),
            }
        }
        for assigned in &options.assigned {
            selection.assign(assigned, options, catalog, host)?;
        }
        Ok(selection)
    }

    /// Gives one port of a target its plugin.
    fn assign(
        &mut self,
        assigned: &Assigned,
        options: &CheckOptions,
        catalog: &mut Catalog,
        host: &Host,
    ) -> Result<(), CheckSetupError> {
        let plugin = find(&assigned.plugin, catalog, host)?;
        let metadata = &plugin.metadata;
        let (settings, missing) = settings_of(options, &assigned.settings, metadata)?;
        if let Some(spec) = missing {
            return Err(CheckSetupError::MissingSetting {
                plugin: metadata.name.clone(),
                name: spec.name,
                help: spec.help,
            });
        }
        let chosen = Chosen {
            secrets: secrets_of(options, metadata).collect(),
            secret_names: secret_names(metadata),
            settings: settings.into(),
            plugin,
            named: true,
        };
        let port = (assigned.port, assigned.transport);
        self.assigned.entry(port).or_default().push((assigned.target.clone(), chosen));
        Ok(())
    }

    /// The plugin for `endpoint` of `target`: the one that was assigned to it, then
    /// one whose own port it is, then any other.
    pub(super) fn find(&self, endpoint: &Endpoint, target: &str) -> Option<&Chosen> {
        if !self.assigned.is_empty()
            && let Some(all) = self.assigned.get(&(endpoint.port(), endpoint.transport))
            && let Some((_, chosen)) = all.iter().find(|(name, _)| **name == *target)
        {
            return Some(chosen);
        }
        let mut applying = self.chosen.iter().filter(|chosen| chosen.applies(endpoint));
        let first = applying.next()?;
        let own = |chosen: &&Chosen| is_default(&chosen.plugin.metadata, endpoint);
        Some(std::iter::once(first).chain(applying).find(own).unwrap_or(first))
    }

    /// The plugins, each once.
    pub(super) fn plugins(&self) -> impl Iterator<Item = &Plugin> {
        let assigned = self.assigned.values().flatten().map(|(_, chosen)| chosen);
        let mut seen = std::collections::BTreeSet::new();
        let all = self.chosen.iter().chain(assigned).map(|chosen| &*chosen.plugin);
        all.filter(move |plugin| seen.insert(plugin.metadata.name.clone()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chosen.is_empty() && self.assigned.is_empty()
    }
}

fn is_default(metadata: &Metadata, endpoint: &Endpoint) -> bool {
    let wanted = DefaultPort { port: endpoint.port(), transport: endpoint.transport };
    metadata.ports.contains(&wanted)
}

/// Whether the plugin knows what to do over `transport`: its default ports say
/// so, or, without any, what it exports.
pub(super) fn speaks(plugin: &Plugin, transport: Transport) -> bool {
    let ports = &plugin.metadata.ports;
    match ports.is_empty() {
        false => ports.iter().any(|port| port.transport == transport),
        true => plugin
            .inspection()
            .is_ok_and(|i| i.is_check || (i.is_udp_probe && transport == Transport::Udp)),
    }
}

/// A name of the catalog, or a component's path.
fn find(name: &str, catalog: &mut Catalog, host: &Host) -> Result<Arc<Plugin>, CheckSetupError> {
    if name.contains('/') || name.ends_with(".wasm") {
        let path = Path::new(name);
        return catalog
            .open(path, host)
            .map_err(|error| CheckSetupError::BadPlugin { path: path.to_owned(), error });
    }
    if let Some((name, error)) = catalog.refused.iter().find(|(refused, _)| refused == name) {
        return Err(CheckSetupError::BadPlugin { path: name.into(), error: error.clone() });
    }
    catalog.get(name).cloned().ok_or_else(|| unknown_plugin(name, catalog))
}

fn unknown_plugin(name: &str, catalog: &Catalog) -> CheckSetupError {
    let known = catalog.plugins.iter().map(|plugin| plugin.metadata.name.as_str());
    CheckSetupError::UnknownPlugin {
        name: name.to_owned(),
        nearest: nearest(name, known).map(str::to_owned),
    }
}

/// Whether every setting that was given belongs to a plugin that declares it.
fn check_names(options: &CheckOptions, catalog: &Catalog) -> Result<(), CheckSetupError> {
    let open = options.settings.iter().map(|given| (given, false));
    let secret = options.secrets.iter().map(|given| (given, true));
    for ((plugin, name, _), is_secret) in open.chain(secret) {
        let found = catalog.get(plugin).ok_or_else(|| unknown_plugin(plugin, catalog))?;
        let spec = declared(&found.metadata, name)?;
        if spec.secret && !is_secret {
            return Err(CheckSetupError::SecretInTheOpen {
                plugin: plugin.clone(),
                name: name.clone(),
            });
        }
    }
    Ok(())
}

/// The setting of that name.
fn declared<'m>(metadata: &'m Metadata, name: &str) -> Result<&'m SettingSpec, CheckSetupError> {
    let specs = &metadata.settings;
    specs.iter().find(|spec| spec.name == name).ok_or_else(|| {
        let known = specs.iter().map(|spec| spec.name.as_str());
        CheckSetupError::UnknownSetting {
            plugin: metadata.name.clone(),
            name: name.to_owned(),
            nearest: nearest(name, known).map(str::to_owned),
        }
    })
}

/// Whether a plugin takes this value for a setting that is no secret.
pub(super) fn accepts(metadata: &Metadata, name: &str, text: &str) -> Result<(), CheckSetupError> {
    let spec = declared(metadata, name)?;
    let (plugin, name) = (metadata.name.clone(), name.to_owned());
    if spec.secret {
        return Err(CheckSetupError::SecretInTheOpen { plugin, name });
    }
    match setting::parse(spec.kind, text) {
        Ok(_) => Ok(()),
        Err(expected) => Err(CheckSetupError::BadValue { plugin, name, expected }),
    }
}

/// The plugin's settings, and the first one that it needs and does not get.
fn settings_of(
    options: &CheckOptions,
    own: &[(String, String)],
    metadata: &Metadata,
) -> Result<(Vec<Setting>, Option<SettingSpec>), CheckSetupError> {
    let mut settings = Vec::new();
    for spec in &metadata.settings {
        let own = own.iter().find(|(name, _)| *name == spec.name).map(|(_, text)| text.as_str());
        let text = own.or(given(options, metadata, spec)).or(spec.default.as_deref());
        let Some(text) = text else {
            if spec.required {
                return Ok((settings, Some(spec.clone())));
            }
            continue;
        };
        let value =
            setting::parse(spec.kind, text).map_err(|expected| CheckSetupError::BadValue {
                plugin: metadata.name.clone(),
                name: spec.name.clone(),
                expected,
            })?;
        settings.push(Setting { name: spec.name.clone(), value });
    }
    Ok((settings, None))
}

/// What the user gave for a setting; the last one counts.
fn given<'a>(
    options: &'a CheckOptions,
    metadata: &Metadata,
    spec: &SettingSpec,
) -> Option<&'a str> {
    let all = options.settings.iter().chain(&options.secrets);
    all.rev()
        .find(|(plugin, name, _)| *plugin == metadata.name && *name == spec.name)
        .map(|(_, _, value)| value.as_str())
}

fn secrets_of(options: &CheckOptions, metadata: &Metadata) -> impl Iterator<Item = String> {
    let ours = options.secrets.iter().filter(|(plugin, _, _)| *plugin == metadata.name);
    ours.map(|(_, _, value)| value.clone()).filter(|value| !value.is_empty())
}

fn secret_names(metadata: &Metadata) -> Arc<[String]> {
    let secret = metadata.settings.iter().filter(|spec| spec.secret);
    secret.map(|spec| spec.name.clone()).collect()
}
