//! Bytes from a source.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::source::{Source, SourceError};
use super::{registry, web};
use crate::host::limits::MAX_COMPONENT_RAISED;

/// The component at `source`.
pub(super) fn fetch(source: &Source) -> Result<Vec<u8>, SourceError> {
    match source {
        Source::File(path) => file(path),
        Source::Web(address) => web::get(address, MAX_COMPONENT_RAISED as u64),
        Source::Oci(repository) => registry::pull(repository, MAX_COMPONENT_RAISED as u64),
    }
}

/// The source as it holds from any working directory.
pub(super) fn lasting(source: &str) -> String {
    match Source::parse(source) {
        Ok(Source::File(path)) => path
            .canonicalize()
            .map_or_else(|_| source.to_owned(), |path| path.display().to_string()),
        _ => source.to_owned(),
    }
}

fn file(path: &Path) -> Result<Vec<u8>, SourceError> {
    let text = path.display().to_string();
    let failed = |error: std::io::Error| SourceError::Unreachable {
        text: text.clone(),
        why: error.to_string(),
    };
    let cap = MAX_COMPONENT_RAISED as u64;
    let mut bytes = Vec::new();
    File::open(path).and_then(|f| f.take(cap + 1).read_to_end(&mut bytes)).map_err(failed)?;
    match bytes.len() as u64 > cap {
        true => Err(SourceError::TooLarge { text, cap }),
        false => Ok(bytes),
    }
}
