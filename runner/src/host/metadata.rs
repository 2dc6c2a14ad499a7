//! Whether metadata makes sense, wherever it comes from.

use std::collections::HashSet;

use super::error::LoadError;
use super::text::is_kebab_case;
use crate::model::Metadata;

/// Most entries of a list in the metadata; the largest shipped has 6.
const MAX_ENTRIES: usize = 64;

/// Most bytes of one text in the metadata.
const MAX_TEXT: usize = 4096;

/// Reads the embedded section.
pub(super) fn parse(json: &[u8]) -> Result<Metadata, LoadError> {
    let metadata = serde_json::from_slice(json)
        .map_err(|e| LoadError::BadMetadata { reason: format!("the embedded JSON: {e}") })?;
    validate(&metadata)?;
    Ok(metadata)
}

/// Refuses metadata by which a plugin could not be named, listed or set.
pub(super) fn validate(metadata: &Metadata) -> Result<(), LoadError> {
    match complaint(metadata) {
        None => Ok(()),
        Some(reason) => Err(LoadError::BadMetadata { reason }),
    }
}

fn complaint(metadata: &Metadata) -> Option<String> {
    if !is_kebab_case(&metadata.name) {
        return Some("`name` must be kebab-case, for example `my-protocol`".to_owned());
    }
    if metadata.version.is_empty() || metadata.version.len() > 64 {
        return Some("`version` must be a version like `0.1.0`".to_owned());
    }
    if metadata.ports.len() > MAX_ENTRIES || metadata.settings.len() > MAX_ENTRIES {
        return Some(format!("at most {MAX_ENTRIES} ports and {MAX_ENTRIES} settings are allowed"));
    }
    if metadata.ports.iter().any(|port| port.port == 0) {
        return Some("port 0 is no port".to_owned());
    }
    let texts = [&metadata.description, &metadata.sends.what].into_iter();
    let helps = metadata.settings.iter().flat_map(|spec| [Some(&spec.help), spec.default.as_ref()]);
    if texts.chain(helps.flatten()).any(|text| text.len() > MAX_TEXT) {
        return Some(format!("a text has more than {MAX_TEXT} bytes"));
    }
    let mut seen = HashSet::new();
    metadata.settings.iter().find_map(|spec| {
        if !is_kebab_case(&spec.name) {
            return Some("the name of a setting must be kebab-case".to_owned());
        }
        (!seen.insert(&spec.name)).then(|| format!("setting `{}` is declared twice", spec.name))
    })
}

/// The first field in which `described` differs from `embedded`.
pub(super) fn difference(described: &Metadata, embedded: &Metadata) -> Option<&'static str> {
    let fields = [
        ("name", described.name == embedded.name),
        ("version", described.version == embedded.version),
        ("description", described.description == embedded.description),
        ("ports", described.ports == embedded.ports),
        ("settings", described.settings == embedded.settings),
        ("sends", described.sends == embedded.sends),
        ("side-effect", described.side_effect == embedded.side_effect),
        ("silence", described.silence == embedded.silence),
        ("reply-from", described.reply_from == embedded.reply_from),
    ];
    fields.into_iter().find_map(|(name, same)| (!same).then_some(name))
}
