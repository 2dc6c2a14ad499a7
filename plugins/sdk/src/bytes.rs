//! Reading and writing binary messages without an index that can be wrong.

use std::fmt;

/// A message ended before what was to be read, or has no room for what was to
/// be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The position in the message.
    pub at: usize,
    /// How many bytes were asked for there.
    pub wanted: usize,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the message has no room for {} bytes at byte {}", self.wanted, self.at)
    }
}

impl std::error::Error for Cut {}

/// Walks through bytes from a peer. Every step says when the bytes are at an
/// end; none copies, panics or trusts a length.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, at: 0 }
    }

    /// The position, counted from 0.
    pub fn position(&self) -> usize {
        self.at
    }

    /// What is still unread.
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// Whether everything is read.
    pub fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], Cut> {
        let cut = Cut { at: self.at, wanted: len };
        let end = self.at.checked_add(len).ok_or(cut)?;
        let taken = self.bytes.get(self.at..end).ok_or(cut)?;
        self.at = end;
        Ok(taken)
    }

    /// The next `N` bytes, by value.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Cut> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// Everything before the next `end`, which is read too.
    pub fn until(&mut self, end: u8) -> Result<&'a [u8], Cut> {
        let len = self
            .rest()
            .iter()
            .position(|&byte| byte == end)
            .ok_or(Cut { at: self.bytes.len(), wanted: 1 })?;
        let taken = self.take(len)?;
        self.take(1)?;
        Ok(taken)
    }

    /// A byte.
    pub fn u8(&mut self) -> Result<u8, Cut> {
        Ok(self.array::<1>()?[0])
    }

    /// Two bytes, most significant first.
    pub fn u16_be(&mut self) -> Result<u16, Cut> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    /// Two bytes, least significant first.
    pub fn u16_le(&mut self) -> Result<u16, Cut> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    /// Four bytes, most significant first.
    pub fn u32_be(&mut self) -> Result<u32, Cut> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// Four bytes, least significant first.
    pub fn u32_le(&mut self) -> Result<u32, Cut> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// Eight bytes, most significant first.
    pub fn u64_be(&mut self) -> Result<u64, Cut> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// Eight bytes, least significant first.
    pub fn u64_le(&mut self) -> Result<u64, Cut> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// Bytes after their length in one byte.
    pub fn prefixed_u8(&mut self) -> Result<&'a [u8], Cut> {
        let len = self.u8()?;
        self.take(usize::from(len))
    }

    /// Bytes after their length in two bytes, most significant first.
    pub fn prefixed_u16_be(&mut self) -> Result<&'a [u8], Cut> {
        let len = self.u16_be()?;
        self.take(usize::from(len))
    }
}

/// Builds a message, step by step.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty message.
    pub fn new() -> Writer {
        Writer::default()
    }

    /// Appends bytes as they are.
    pub fn put(mut self, bytes: impl AsRef<[u8]>) -> Writer {
        self.bytes.extend_from_slice(bytes.as_ref());
        self
    }

    /// Appends a byte.
    pub fn u8(self, value: u8) -> Writer {
        self.put([value])
    }

    /// Appends two bytes, most significant first.
    pub fn u16_be(self, value: u16) -> Writer {
        self.put(value.to_be_bytes())
    }

    /// Appends two bytes, least significant first.
    pub fn u16_le(self, value: u16) -> Writer {
        self.put(value.to_le_bytes())
    }

    /// Appends four bytes, most significant first.
    pub fn u32_be(self, value: u32) -> Writer {
        self.put(value.to_be_bytes())
    }

    /// Appends four bytes, least significant first.
    pub fn u32_le(self, value: u32) -> Writer {
        self.put(value.to_le_bytes())
    }

    /// Appends eight bytes, most significant first.
    pub fn u64_be(self, value: u64) -> Writer {
        self.put(value.to_be_bytes())
    }

    /// Appends eight bytes, least significant first.
    pub fn u64_le(self, value: u64) -> Writer {
        self.put(value.to_le_bytes())
    }

    /// Appends bytes after their length in one byte; at most 255.
    pub fn prefixed_u8(self, bytes: impl AsRef<[u8]>) -> Result<Writer, Cut> {
        let bytes = bytes.as_ref();
        let cut = Cut { at: self.bytes.len(), wanted: bytes.len() };
        let len = u8::try_from(bytes.len()).map_err(|_| cut)?;
        Ok(self.u8(len).put(bytes))
    }

    /// Appends bytes after their length in two bytes, most significant first;
    /// at most 65535.
    pub fn prefixed_u16_be(self, bytes: impl AsRef<[u8]>) -> Result<Writer, Cut> {
        let bytes = bytes.as_ref();
        let cut = Cut { at: self.bytes.len(), wanted: bytes.len() };
        let len = u16::try_from(bytes.len()).map_err(|_| cut)?;
        Ok(self.u16_be(len).put(bytes))
    }

    /// The message.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_beyond_the_message_is_cut_and_reads_nothing() {
        let mut reader = Reader::new(&[5, b'a', b'b']);
        assert_eq!(reader.prefixed_u8(), Err(Cut { at: 1, wanted: 5 }));
        assert_eq!(reader.take(usize::MAX), Err(Cut { at: 1, wanted: usize::MAX }));
        assert_eq!(reader.rest(), b"ab");
    }

    #[test]
    fn what_was_written_is_read_back() {
        let message = Writer::new()
            .u8(1)
            .u16_be(2)
            .u16_le(3)
            .u32_be(4)
            .u32_le(5)
            .u64_be(6)
            .u64_le(7)
            .put(b"text\0")
            .prefixed_u8("short")
            .and_then(|writer| writer.prefixed_u16_be("longer"))
            .map(Writer::finish)
            .unwrap();
        let mut reader = Reader::new(&message);
        assert_eq!(reader.u8(), Ok(1));
        assert_eq!(reader.u16_be(), Ok(2));
        assert_eq!(reader.u16_le(), Ok(3));
        assert_eq!(reader.u32_be(), Ok(4));
        assert_eq!(reader.u32_le(), Ok(5));
        assert_eq!(reader.u64_be(), Ok(6));
        assert_eq!(reader.u64_le(), Ok(7));
        assert_eq!(reader.until(0), Ok(&b"text"[..]));
        assert_eq!(reader.prefixed_u8(), Ok(&b"short"[..]));
        assert_eq!(reader.prefixed_u16_be(), Ok(&b"longer"[..]));
        assert!(reader.is_at_end());
    }

    #[test]
    fn text_too_long_for_its_length_field_is_refused() {
        let text = "x".repeat(256);
        assert_eq!(Writer::new().prefixed_u8(&text).unwrap_err(), Cut { at: 0, wanted: 256 });
    }
}
