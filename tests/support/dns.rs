//! A name server of a few names, just enough of RFC 1035 for a stub resolver.

use std::collections::HashMap;
use std::net::IpAddr;

/// What the server says about a name.
#[derive(Clone, Debug)]
pub enum Answer {
    /// These addresses; a family without one gets an empty answer.
    Addresses(Vec<IpAddr>),
    /// Another name of the zone, with its addresses in the same answer.
    Alias(&'static str),
    /// The server failed (response code 2).
    Failure,
    /// No answer at all, to no question type.
    Nothing,
    /// A addresses, but no answer at all to the question for AAAA.
    OnlyForA(Vec<IpAddr>),
}

/// The names that exist. Any other gets NXDOMAIN.
#[derive(Clone, Debug, Default)]
pub struct Zone {
    names: HashMap<&'static str, Answer>,
}

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;

impl Zone {
    /// A zone of these names.
    pub fn new(names: impl IntoIterator<Item = (&'static str, Answer)>) -> Zone {
        Zone { names: names.into_iter().collect() }
    }

    /// The response to a query, or none when the server is to stay silent or
    /// the bytes are not a query with one question.
    pub fn answer(&self, query: &[u8]) -> Option<Vec<u8>> {
        let (name, after_name) = read_name(query)?;
        let question_end = after_name + 4;
        let kind = u16::from_be_bytes(query.get(after_name..after_name + 2)?.try_into().ok()?);
        let (code, records) = match self.names.get(name.as_str()) {
            None => (3, Vec::new()),
            Some(Answer::Failure) => (2, Vec::new()),
            Some(Answer::Nothing) => return None,
            Some(Answer::OnlyForA(_)) if kind == AAAA => return None,
            Some(Answer::OnlyForA(addresses) | Answer::Addresses(addresses)) => {
                (0, address_records(&[0xc0, 12], addresses, kind))
            }
            Some(Answer::Alias(real)) => (0, self.alias_records(real, kind)),
        };
        let mut response = query.get(..2)?.to_vec();
        // Response, authoritative, recursion desired and available; the code.
        response.extend([0x85, 0x80 | code, 0, 1]);
        response.extend((records.len() as u16).to_be_bytes());
        response.extend([0, 0, 0, 0]);
        response.extend(query.get(12..question_end)?);
        response.extend(records.concat());
        Some(response)
    }

    fn alias_records(&self, real: &'static str, kind: u16) -> Vec<Vec<u8>> {
        let real_name = write_name(real);
        let mut records = vec![record(&[0xc0, 12], CNAME, &real_name)];
        if let Some(Answer::Addresses(addresses)) = self.names.get(real) {
            records.extend(address_records(&real_name, addresses, kind));
        }
        records
    }
}

fn address_records(name: &[u8], addresses: &[IpAddr], kind: u16) -> Vec<Vec<u8>> {
    addresses
        .iter()
        .filter_map(|address| match (address, kind) {
            (IpAddr::V4(v4), A) => Some(record(name, A, &v4.octets())),
            (IpAddr::V6(v6), AAAA) => Some(record(name, AAAA, &v6.octets())),
            _ => None,
        })
        .collect()
}

fn record(name: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = name.to_vec();
    bytes.extend(kind.to_be_bytes());
    // Class IN, five seconds.
    bytes.extend([0, 1, 0, 0, 0, 5]);
    bytes.extend((data.len() as u16).to_be_bytes());
    bytes.extend(data);
    bytes
}

/// The name of the one question, in lower case, and where it ends.
fn read_name(query: &[u8]) -> Option<(String, usize)> {
    let is_query = query.get(2)? & 0x80 == 0 && query.get(4..6)? == [0, 1];
    let mut at = 12;
    let mut labels = Vec::new();
    loop {
        let len = usize::from(*query.get(at)?);
        at += 1;
        if len == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(query.get(at..at + len)?).to_lowercase());
        at += len;
    }
    (is_query && query.len() >= at + 4).then(|| (labels.join("."), at))
}

fn write_name(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}
