//! What a component says about itself before any of it is compiled or run.

use sha2::{Digest, Sha256};
use wasmparser::{Encoding, Parser, Payload};

use super::error::LoadError;
use super::limits::{MAX_COMPONENT, MAX_MEMORY, MAX_METADATA, MAX_TABLE_ELEMENTS};
use super::metadata;
use crate::model::Metadata;

/// The custom section that `portscan plugin build` appends: the metadata as
/// JSON, so that a catalog needs neither compiler nor sandbox.
pub const METADATA_SECTION: &str = "portscan:metadata";

/// The contract that this host implements.
pub const CONTRACT: &str = "portscan:plugin@0.1.1";

const PACKAGE: &str = "portscan:plugin/";
/// Within 0.1 only functions are added, so every 0.1.x is the same to us
/// (world.wit).
const COMPATIBLE: &str = "0.1.";

/// What a component says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// SHA-256 of the file, hexadecimal.
    pub digest: String,
    /// Bytes.
    pub size: usize,
    /// Interfaces that it imports.
    pub imports: Vec<String>,
    /// Interfaces that it exports.
    pub exports: Vec<String>,
    /// The contract's version that it was built against, `0.1.0`.
    pub interface_version: String,
    /// It exports `udp-probe`.
    pub is_udp_probe: bool,
    /// It exports `check`.
    pub is_check: bool,
    /// The embedded metadata, where there is any.
    pub metadata: Option<Metadata>,
}

/// Reads a component of at most [`MAX_COMPONENT`] bytes. Compiles and runs
/// nothing.
///
/// # Errors
/// Everything about the file that makes it useless here, except what only the
/// compiler or `describe` can find out.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, LoadError> {
    inspect_up_to(bytes, MAX_COMPONENT)
}

/// As [`inspect`], for a component of at most `cap` bytes.
///
/// # Errors
/// As [`inspect`].
pub fn inspect_up_to(bytes: &[u8], cap: usize) -> Result<Inspection, LoadError> {
    if bytes.len() > cap {
        return Err(LoadError::TooLarge { size: bytes.len() as u64, cap });
    }
    let outline = read_outline(bytes)?;
    for name in &outline.imports {
        if !["host", "connection", "types"].iter().any(|ours| is_ours(name, ours)) {
            return Err(
                refuse(name).unwrap_or_else(|| LoadError::ForeignImport { name: name.clone() })
            );
        }
    }
    let exports = |interface: &str| outline.exports.iter().any(|name| is_ours(name, interface));
    let (is_udp_probe, is_check) = (exports("udp-probe"), exports("check"));
    let missing = match (exports("plugin"), is_udp_probe || is_check) {
        (true, true) => None,
        (false, _) => Some(format!("{PACKAGE}plugin")),
        (true, false) => Some(format!("{PACKAGE}udp-probe` or `{PACKAGE}check")),
    };
    if let Some(missing) = missing {
        let foreign = outline.exports.iter().find_map(|name| refuse(name));
        return Err(foreign.unwrap_or(LoadError::NotAPlugin { missing }));
    }
    if outline.memory > MAX_MEMORY as u64 || outline.elements > MAX_TABLE_ELEMENTS as u64 {
        return Err(LoadError::TooMuchMemory { bytes: outline.memory, elements: outline.elements });
    }
    let version = outline.exports.iter().find(|name| is_ours(name, "plugin"));
    let version = version.and_then(|name| name.split_once('@')).map_or("", |(_, version)| version);
    Ok(Inspection {
        digest: digest(bytes),
        size: bytes.len(),
        interface_version: version.to_owned(),
        imports: outline.imports,
        exports: outline.exports,
        is_udp_probe,
        is_check,
        metadata: outline.metadata.map(metadata::parse).transpose()?,
    })
}

/// SHA-256, hexadecimal.
pub fn digest(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Whether `name` is our `interface`, in a version that we speak.
fn is_ours(name: &str, interface: &str) -> bool {
    name.strip_prefix(PACKAGE)
        .and_then(|rest| rest.strip_prefix(interface))
        .and_then(|rest| rest.strip_prefix('@'))
        .and_then(|version| version.strip_prefix(COMPATIBLE))
        .is_some_and(|patch| !patch.is_empty() && patch.bytes().all(|b| b.is_ascii_digit()))
}

/// The sentence about another version of the contract, if that is what it is.
fn refuse(name: &str) -> Option<LoadError> {
    let version = name.strip_prefix(PACKAGE)?.split_once('@').map_or("", |(_, version)| version);
    (!version.starts_with(COMPATIBLE))
        .then(|| LoadError::WrongVersion { name: name.to_owned(), ours: CONTRACT })
}

#[derive(Default)]
struct Outline<'a> {
    imports: Vec<String>,
    exports: Vec<String>,
    metadata: Option<&'a [u8]>,
    memory: u64,
    elements: u64,
}

/// Walks the sections of the component and of the modules in it.
fn read_outline(bytes: &[u8]) -> Result<Outline<'_>, LoadError> {
    if !bytes.starts_with(b"\0asm") {
        return Err(LoadError::NotWasm);
    }
    let mut outline = Outline::default();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(malformed)? {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                return Err(LoadError::CoreModule);
            }
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    outline.imports.push(import.map_err(malformed)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    outline.exports.push(export.map_err(malformed)?.name.name.to_owned());
                }
            }
            Payload::CustomSection(section) if depth == 1 && section.name() == METADATA_SECTION => {
                read_metadata_section(&mut outline, section.data())?;
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    let memory = memory.map_err(malformed)?;
                    let page =
                        1_u64.checked_shl(memory.page_size_log2.unwrap_or(16)).unwrap_or(u64::MAX);
                    outline.memory =
                        outline.memory.saturating_add(memory.initial.saturating_mul(page));
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    let initial = table.map_err(malformed)?.ty.initial;
                    outline.elements = outline.elements.saturating_add(initial);
                }
            }
            _ => {}
        }
    }
    match depth {
        0 => Ok(outline),
        _ => Err(LoadError::Malformed { reason: "it ends within a section".to_owned() }),
    }
}

fn read_metadata_section<'a>(outline: &mut Outline<'a>, data: &'a [u8]) -> Result<(), LoadError> {
    if data.len() > MAX_METADATA {
        let reason = format!("the section has {} bytes; {MAX_METADATA} are allowed", data.len());
        return Err(LoadError::BadMetadata { reason });
    }
    match outline.metadata.replace(data) {
        None => Ok(()),
        Some(_) => {
            let reason = format!("there are two sections `{METADATA_SECTION}`");
            Err(LoadError::BadMetadata { reason })
        }
    }
}

fn malformed(error: wasmparser::BinaryReaderError) -> LoadError {
    LoadError::Malformed { reason: format!("{} (at byte {})", error.message(), error.offset()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_patch_of_our_minor_version_is_ours_and_no_other() {
        for good in ["portscan:plugin/check@0.1.0", "portscan:plugin/check@0.1.17"] {
            assert!(is_ours(good, "check"), "{good}");
        }
        for bad in [
            "portscan:plugin/check",
            "portscan:plugin/check@0.2.0",
            "portscan:plugin/check@0.1.0-rc1",
            "portscan:plugin/checker@0.1.0",
            "wasi:cli/check@0.1.0",
        ] {
            assert!(!is_ours(bad, "check"), "{bad}");
        }
    }

    #[test]
    fn bytes_that_are_no_component_are_told_apart() {
        assert_eq!(inspect(b"\x7fELF"), Err(LoadError::NotWasm));
        assert_eq!(inspect(b""), Err(LoadError::NotWasm));
        assert_eq!(inspect(b"\0asm\x01\0\0\0"), Err(LoadError::CoreModule));
        assert!(matches!(inspect(b"\0asm\x0d\0"), Err(LoadError::Malformed { .. })));
        let empty = inspect(b"\0asm\x0d\0\x01\0");
        assert!(matches!(empty, Err(LoadError::NotAPlugin { .. })), "{empty:?}");
    }

    #[test]
    fn a_component_over_the_cap_is_refused_before_it_is_read() {
        let error = inspect_up_to(&[0; 11], 10);
        assert_eq!(error, Err(LoadError::TooLarge { size: 11, cap: 10 }));
    }
}
