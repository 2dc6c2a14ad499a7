//! Core module to component, and the section that says who it is.

use std::borrow::Cow;

use wasm_encoder::{ComponentSection, CustomSection};
use wit_component::ComponentEncoder;

use super::BuildError;
use crate::model::Metadata;

/// Name of the custom section that holds the metadata as JSON.
///
/// It repeats what `describe` returns, so that a plugin can be listed and
/// chosen without compiling it. The host holds the plugin to it.
pub const METADATA_SECTION: &str = "portscan:metadata";

/// Wraps a core module, which must hold the custom section that `export!` of
/// the SDK leaves in it.
pub(super) fn encode(module: &[u8]) -> Result<Vec<u8>, BuildError> {
    ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| BuildError::Encode { text: format!("{error:#}") })
}

/// Appends `metadata` to a component that has none.
pub fn with_metadata(component: &[u8], metadata: &Metadata) -> Result<Vec<u8>, BuildError> {
    let json = serde_json::to_vec(metadata)
        .map_err(|error| BuildError::Describe { text: error.to_string() })?;
    let mut bytes = component.to_vec();
    CustomSection { name: Cow::Borrowed(METADATA_SECTION), data: Cow::Owned(json) }
        .append_to_component(&mut bytes);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_that_exports_nothing_of_ours_is_refused_with_the_reason() {
        let Err(BuildError::Encode { text }) = encode(b"not wasm") else {
            panic!("garbage became a component");
        };
        assert!(!text.is_empty());
    }
}
