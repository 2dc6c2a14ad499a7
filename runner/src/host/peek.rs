//! The embedded metadata without anything else: a catalog of many plugins must
//! not read, digest and parse all of each.

use std::io::{Read, Seek, SeekFrom};

use super::error::LoadError;
use super::inspect::METADATA_SECTION;
use super::limits::MAX_METADATA;
use super::metadata;
use crate::model::Metadata;

/// Preamble of a component (Component Model, Binary.md): magic, version 13,
/// layer 1.
const PREAMBLE: [u8; 8] = *b"\0asm\x0d\0\x01\0";

/// Sections that are looked at before the search is given up: a component has
/// dozens.
const MAX_SECTIONS: usize = 10_000;

/// Reads the metadata that is embedded in a component, or none when there is
/// none. Skips everything else: that it is a valid component is not implied.
///
/// # Errors
/// When it is no component, is cut off, or its metadata is not valid.
pub fn peek_metadata(from: &mut (impl Read + Seek)) -> Result<Option<Metadata>, LoadError> {
    let mut preamble = [0; PREAMBLE.len()];
    from.read_exact(&mut preamble).map_err(|_| LoadError::NotWasm)?;
    if preamble != PREAMBLE {
        return Err(match preamble.starts_with(b"\0asm") {
            true => LoadError::CoreModule,
            false => LoadError::NotWasm,
        });
    }
    for _ in 0..MAX_SECTIONS {
        let mut id = [0];
        if from.read(&mut id).map_err(cut_off)? == 0 {
            return Ok(None);
        }
        let size = read_leb(from)?;
        if id == [0]
            && let Some(json) = read_if_metadata(from, size)?
        {
            return metadata::parse(&json).map(Some);
        }
        if id != [0] {
            from.seek(SeekFrom::Current(i64::from(size))).map_err(cut_off)?;
        }
    }
    Ok(None)
}

/// The contents of a custom section of `size` bytes if it is ours. Leaves the
/// reader at its end.
fn read_if_metadata(
    from: &mut (impl Read + Seek),
    size: u32,
) -> Result<Option<Vec<u8>>, LoadError> {
    let end = from.stream_position().map_err(cut_off)? + u64::from(size);
    let length = read_leb(from)?;
    let mut name = vec![0; METADATA_SECTION.len()];
    let ours = length as usize == name.len()
        && from.read_exact(&mut name).is_ok()
        && name == METADATA_SECTION.as_bytes();
    let mut json = None;
    if ours {
        let left = end.saturating_sub(from.stream_position().map_err(cut_off)?);
        if left > MAX_METADATA as u64 {
            let reason = format!("the section has {left} bytes; {MAX_METADATA} are allowed");
            return Err(LoadError::BadMetadata { reason });
        }
        let mut bytes = Vec::new();
        from.take(left).read_to_end(&mut bytes).map_err(cut_off)?;
        json = Some(bytes);
    }
    from.seek(SeekFrom::Start(end)).map_err(cut_off)?;
    Ok(json)
}

/// An unsigned LEB128 number of 32 bits.
fn read_leb(from: &mut impl Read) -> Result<u32, LoadError> {
    let mut number = 0_u32;
    for shift in [0, 7, 14, 21, 28] {
        let mut byte = [0];
        from.read_exact(&mut byte).map_err(cut_off)?;
        number |= u32::from(byte[0] & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte[0] & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(LoadError::Malformed { reason: "a section's size is no number".to_owned() })
}

fn cut_off(error: std::io::Error) -> LoadError {
    LoadError::Malformed { reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    const JSON: &str = r#"{"name":"x","version":"1","description":"","ports":[],"settings":[],
        "sends":{"what":"","largest":1,"packets":1,"connections":1,"amplification":"none"},
        "side_effect":"none","silence":"unexpected","reply_from":"same-port"}"#;

    fn section(name: &str, contents: &[u8]) -> Vec<u8> {
        let mut body = vec![name.len() as u8];
        body.extend(name.as_bytes());
        body.extend(contents);
        let size = body.len() as u32;
        let leb = [(size & 0x7f) as u8 | 0x80, (size >> 7) as u8];
        [&[0], leb.as_slice(), &body].concat()
    }

    #[test]
    fn the_section_is_found_behind_others() {
        let sections = [section("producers", b"abc"), section(METADATA_SECTION, JSON.as_bytes())];
        let component = [PREAMBLE.as_slice(), &sections.concat()].concat();
        let found = peek_metadata(&mut Cursor::new(&component)).expect("fine").expect("there");
        assert_eq!(found.name, "x");
    }

    #[test]
    fn every_prefix_is_an_error_or_nothing() {
        let component = [PREAMBLE.as_slice(), &section(METADATA_SECTION, JSON.as_bytes())].concat();
        for end in 0..component.len() {
            let found = peek_metadata(&mut Cursor::new(&component[..end]));
            assert!(!matches!(found, Ok(Some(_))), "{end}");
        }
    }

    #[test]
    fn a_module_and_other_files_are_told_apart() {
        assert_eq!(peek_metadata(&mut Cursor::new(b"\0asm\x01\0\0\0")), Err(LoadError::CoreModule));
        assert_eq!(peek_metadata(&mut Cursor::new(b"#!/bin/sh")), Err(LoadError::NotWasm));
        assert_eq!(peek_metadata(&mut Cursor::new(b"")), Err(LoadError::NotWasm));
    }
}
