//! DNS messages: one question out, a response in. RFC 1035 section 4.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use portscan_plugin::{Cut, Reader, Writer};

/// Bytes of the largest question: header, a name of 255 bytes, type and class.
const MAX_QUERY: u32 = 12 + 255 + 4;

/// Most bytes of one TCP stream: that question and the one for localhost, each
/// after its length.
pub const MAX_STREAM: u32 = 2 + MAX_QUERY + 2 + 27;

/// Most records of a response that are read out; the rest is only counted.
const MAX_ANSWERS: u16 = 8;

/// Record types by their names, from the IANA registry "Resource Record (RR) TYPEs".
const TYPES: [(&str, u16); 14] = [
    ("A", 1),
    ("NS", 2),
    ("CNAME", 5),
    ("SOA", 6),
    ("PTR", 12),
    ("MX", 15),
    ("TXT", 16),
    ("AAAA", 28),
    ("SRV", 33),
    ("DS", 43),
    ("DNSKEY", 48),
    ("SVCB", 64),
    ("HTTPS", 65),
    ("CAA", 257),
];

/// Response codes by their names, from the IANA registry "DNS RCODEs".
const RCODES: [&str; 12] = [
    "NOERROR",
    "FORMERR",
    "SERVFAIL",
    "NXDOMAIN",
    "NOTIMP",
    "REFUSED",
    "YXDOMAIN",
    "YXRRSET",
    "NXRRSET",
    "NOTAUTH",
    "NOTZONE",
    "DSOTYPENI",
];

const INTERNET: u16 = 1;
const CHAOS: u16 = 3;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// As labels with their lengths, the root's empty one included.
    name: Vec<u8>,
    kind: u16,
    class: u16,
}

impl Question {
    /// `localhost. IN A`.
    pub const LOCALHOST: (&str, u16, u16) = ("localhost", 1, INTERNET);
    /// `. IN NS`.
    pub const ROOT: (&str, u16, u16) = (".", 2, INTERNET);
    /// `id.server. CH TXT`.
    pub const SERVER_ID: (&str, u16, u16) = ("id.server", 16, CHAOS);

    /// One of the constants above as a question.
    pub fn fixed((name, kind, class): (&str, u16, u16)) -> Question {
        Question { name: parse_name(name).unwrap_or_else(|_| vec![0]), kind, class }
    }

    /// The question of the settings, in class IN. The error is for the user.
    pub fn parse(name: &str, kind: &str) -> Result<Question, String> {
        let kind = parse_kind(kind)?;
        Ok(Question { name: parse_name(name)?, kind, class: INTERNET })
    }

    /// The message that asks it: RD set, nothing else.
    pub fn query(&self, id: u16) -> Vec<u8> {
        const RECURSION_DESIRED: u16 = 0x0100;
        let header = Writer::new()
            .u16_be(id)
            .u16_be(RECURSION_DESIRED)
            .u16_be(1)
            .u16_be(0)
            .u16_be(0)
            .u16_be(0);
        header.put(&self.name).u16_be(self.kind).u16_be(self.class).finish()
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = read_name(&self.name, 0).map_or_else(|_| "?".to_owned(), |(name, _)| name);
        let class = if self.class == CHAOS { "CH" } else { "IN" };
        write!(f, "{name} {class} {}", kind_name(self.kind))
    }
}

/// A response to our question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The response code, 0 to 15.
    pub rcode: u8,
    /// The server offers recursion (to us).
    pub recursion_available: bool,
    /// The server is an authority for the name.
    pub authoritative: bool,
    /// The response did not fit.
    pub truncated: bool,
    /// How many answer records it says it holds.
    pub answers: u16,
    /// The first ones as text.
    pub records: Vec<String>,
}

impl Reply {
    /// The printed name of its response code.
    pub fn rcode_name(&self) -> String {
        match RCODES.get(usize::from(self.rcode)) {
            Some(name) => (*name).to_owned(),
            None => format!("RCODE{}", self.rcode),
        }
    }

    /// Reads a response to `question`, sent under `id`.
    ///
    /// It must repeat the id and, unless it consists of a header alone (servers
    /// refuse what they cannot read that way), the question. A response whose
    /// records are cut or malformed is still one: they are counted, not listed.
    /// The error says what it is not.
    pub fn read(bytes: &[u8], id: u16, question: &Question) -> Result<Reply, &'static str> {
        let mut reader = Reader::new(bytes);
        let header = read_header(&mut reader).map_err(|_| "it is too short")?;
        if header.id != id {
            return Err("its id is not ours");
        }
        if header.flags & 0x8000 == 0 {
            return Err("it is a question, not a response");
        }
        if header.flags & 0x7800 != 0 {
            return Err("it answers another operation");
        }
        let alone = reader.is_at_end() && header.counts == [0; 4];
        if !alone && (header.counts[0] != 1 || !repeats(&mut reader, question)) {
            return Err("it does not repeat our question");
        }
        Ok(Reply {
            rcode: (header.flags & 0x000f) as u8,
            recursion_available: header.flags & 0x0080 != 0,
            authoritative: header.flags & 0x0400 != 0,
            truncated: header.flags & 0x0200 != 0,
            answers: header.counts[1],
            records: read_records(bytes, reader.position(), header.counts[1]),
        })
    }
}

struct Header {
    id: u16,
    flags: u16,
    /// Questions, answers, authorities, additional records.
    counts: [u16; 4],
}

fn read_header(reader: &mut Reader) -> Result<Header, Cut> {
    let (id, flags) = (reader.u16_be()?, reader.u16_be()?);
    let counts = [reader.u16_be()?, reader.u16_be()?, reader.u16_be()?, reader.u16_be()?];
    Ok(Header { id, flags, counts })
}

/// Whether the next thing is the question. Names do not care for case (RFC 4343),
/// and a server may answer in its own.
fn repeats(reader: &mut Reader, question: &Question) -> bool {
    let name = reader.take(question.name.len());
    let same_name = name.is_ok_and(|name| name.eq_ignore_ascii_case(&question.name));
    same_name && reader.u16_be() == Ok(question.kind) && reader.u16_be() == Ok(question.class)
}

/// The first records from byte `at` on, as text; fewer when they are malformed.
fn read_records(bytes: &[u8], mut at: usize, count: u16) -> Vec<String> {
    let mut records = Vec::new();
    for _ in 0..count.min(MAX_ANSWERS) {
        let Ok((text, end)) = read_record(bytes, at) else { break };
        records.push(text);
        at = end;
    }
    records
}

fn read_record(bytes: &[u8], at: usize) -> Result<(String, usize), Cut> {
    let (_, at) = read_name(bytes, at)?;
    let mut reader = Reader::new(bytes);
    reader.take(at)?;
    let kind = reader.u16_be()?;
    let _class = reader.u16_be()?;
    let _time_to_live = reader.u32_be()?;
    let value_at = reader.position() + 2;
    let value = reader.prefixed_u16_be()?;
    let text = match (kind, value.len()) {
        (1, 4) => Ipv4Addr::from(Reader::new(value).array::<4>()?).to_string(),
        (28, 16) => Ipv6Addr::from(Reader::new(value).array::<16>()?).to_string(),
        (2 | 5 | 12, _) => read_name(bytes, value_at)?.0,
        (16, _) => String::from_utf8_lossy(Reader::new(value).prefixed_u8()?).into_owned(),
        _ => format!("{} bytes", value.len()),
    };
    Ok((format!("{} {text}", kind_name(kind)), reader.position()))
}

/// Reads a name that may be compressed (RFC 1035 4.1.4): its text, and where
/// the bytes after it begin. A pointer must point backwards, which ends every loop.
fn read_name(bytes: &[u8], at: usize) -> Result<(String, usize), Cut> {
    let mut text = String::new();
    let mut reader = Reader::new(bytes);
    reader.take(at)?;
    let (mut end, mut lowest) = (None, at);
    loop {
        let cut = Cut { at: reader.position(), wanted: 1 };
        let length = reader.u8()?;
        match length >> 6 {
            0 if length == 0 => break,
            0 => {
                text.push_str(&String::from_utf8_lossy(reader.take(usize::from(length))?));
                text.push('.');
            }
            3 => {
                let target = usize::from(length & 0x3f) << 8 | usize::from(reader.u8()?);
                end.get_or_insert(reader.position());
                if target >= lowest {
                    return Err(cut);
                }
                lowest = target;
                reader = Reader::new(bytes);
                reader.take(target)?;
            }
            _ => return Err(cut),
        }
        if text.len() > 1024 {
            return Err(cut);
        }
    }
    if text.is_empty() {
        text.push('.');
    }
    Ok((text, end.unwrap_or(reader.position())))
}

fn parse_name(name: &str) -> Result<Vec<u8>, String> {
    let labels = name.strip_suffix('.').unwrap_or(name);
    let mut wire = Vec::new();
    for label in labels.split('.').filter(|_| !labels.is_empty()) {
        if label.is_empty() || label.len() > 63 {
            return Err(format!(
                "name: {name} has a part of {} bytes; 1 to 63 are allowed",
                label.len()
            ));
        }
        if !label.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!("name: {name} is not ASCII; write it in its xn-- form"));
        }
        wire.push(label.len() as u8);
        wire.extend_from_slice(label.as_bytes());
    }
    wire.push(0);
    if wire.len() > 255 {
        return Err(format!("name: it takes {} bytes; 255 are allowed", wire.len()));
    }
    Ok(wire)
}

fn parse_kind(kind: &str) -> Result<u16, String> {
    let upper = kind.to_ascii_uppercase();
    let named = TYPES.iter().find(|(name, _)| *name == upper).map(|(_, number)| *number);
    // RFC 3597: any other type is written TYPE and its number.
    let numbered = || upper.strip_prefix("TYPE").and_then(|number| number.parse().ok());
    // ANY (255) and the transfers (251, 252) draw far more than an answer.
    named.or_else(numbered).filter(|number| !(249..=255).contains(number)).ok_or_else(|| {
        let names: Vec<_> = TYPES.iter().map(|(name, _)| *name).collect();
        format!("type: {kind} is not one of {}, or TYPE and a number", names.join(", "))
    })
}

fn kind_name(kind: u16) -> String {
    match TYPES.iter().find(|(_, number)| *number == kind) {
        Some((name, _)) => (*name).to_owned(),
        None => format!("TYPE{kind}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_question_is_the_seventeen_bytes_of_the_standard() {
        let query = Question::fixed(Question::ROOT).query(0x1234);
        assert_eq!(query, b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01");
    }

    #[test]
    fn names_that_dns_cannot_carry_are_refused_with_the_fix() {
        assert!(Question::parse("bücher.example", "A").unwrap_err().contains("xn--"));
        assert!(Question::parse("a..b", "A").unwrap_err().contains("1 to 63"));
        assert!(Question::parse(&"a.".repeat(200), "A").unwrap_err().contains("255"));
        assert!(Question::parse("a.example", "ANY").unwrap_err().contains("TYPE"));
        assert!(Question::parse("a.example", "TYPE255").is_err());
        assert_eq!(Question::parse("a.example.", "https"), Question::parse("a.example", "TYPE65"));
    }

    #[test]
    fn a_name_that_points_at_itself_ends() {
        assert!(read_name(&[0xc0, 0], 0).is_err());
        assert!(read_name(&[1, b'a', 0xc0, 0], 0).is_err());
        assert_eq!(read_name(&[1, b'a', 0, 0xc0, 0], 3), Ok(("a.".to_owned(), 5)));
    }

    #[test]
    fn a_record_longer_than_the_message_is_not_listed() {
        let question = Question::fixed(Question::ROOT);
        let mut bytes = question.query(7);
        bytes[2..4].copy_from_slice(&[0x81, 0x80]);
        bytes[7] = 1;
        bytes.extend_from_slice(&[0, 0, 2, 0, 1, 0, 0, 0, 9, 0xff, 0xff]);
        let reply = Reply::read(&bytes, 7, &question).unwrap();
        assert_eq!((reply.answers, reply.records), (1, Vec::new()));
    }
}
