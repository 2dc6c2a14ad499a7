//! The smallest DNS that a fair comparison needs: a query, and a judge that
//! reads the whole answer.

/// A query for the address of `example.test`, recursion desired.
pub fn query(id: u16) -> [u8; 30] {
    let mut query = *b"\0\0\x01\0\0\x01\0\0\0\0\0\0\x07example\x04test\0\0\x01\0\x01";
    query[..2].copy_from_slice(&id.to_be_bytes());
    query
}

/// Whether `answer` is a well-formed answer without error to [`query`] `id`.
pub fn is_answer(id: u16, answer: &[u8]) -> bool {
    let asked = query(id);
    let (Some(header), Some(question)) = (answer.get(..12), answer.get(12..30)) else {
        return false;
    };
    let records: usize = [6, 8, 10].iter().map(|&at| usize::from(word(header, at))).sum();
    let is_reply = header[..2] == asked[..2] && header[2] & 0x80 != 0 && header[3] & 0x0f == 0;
    is_reply
        && question == &asked[12..]
        && (0..records).try_fold(30, |at, _| after_record(answer, at)).is_some()
}

/// Where the record at `at` ends.
fn after_record(answer: &[u8], at: usize) -> Option<usize> {
    let fixed = after_name(answer, at)?;
    let length = answer.get(fixed + 8..fixed + 10)?;
    let end = fixed + 10 + usize::from(word(length, 0));
    (end <= answer.len()).then_some(end)
}

fn after_name(answer: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *answer.get(at)? {
            0 => return Some(at + 1),
            length if length >= 0xc0 => return Some(at + 2),
            length => at += 1 + usize::from(length),
        }
    }
}

fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// Turns a query into its answer in place; the answer's length, or `None` when
/// it is no query. `A` questions get one address, others an empty answer.
pub fn answer(bytes: &mut [u8], length: usize) -> Option<usize> {
    const RECORD: [u8; 16] = *b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x0a\0\0\x01";
    if length < 17 || bytes[2] & 0x80 != 0 || bytes[4..6] != [0, 1] {
        return None;
    }
    let end = after_name(&bytes[..length], 12)? + 4;
    if end > length || bytes.len() < end + RECORD.len() {
        return None;
    }
    let with_address = bytes[end - 4..end] == [0, 1, 0, 1];
    bytes[2] = 0x80 | (bytes[2] & 0x01);
    bytes[3] = 0x80;
    bytes[6..12].copy_from_slice(&[0, u8::from(with_address), 0, 0, 0, 0]);
    if !with_address {
        return Some(end);
    }
    bytes[end..end + RECORD.len()].copy_from_slice(&RECORD);
    Some(end + RECORD.len())
}
