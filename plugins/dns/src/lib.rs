//! dns: does a name server answer, and can it resolve?
//!
//! **Confirms** a DNS server by a response that carries the id and the question
//! that we sent, over UDP or TCP. Any response code proves it.
//!
//! **Sends**
//! - as UDP probe, one datagram an attempt, in this order, each with a random id
//!   and RD set: `localhost. IN A` (27 bytes; resolvers answer it themselves, so
//!   a dead upstream does not look like a dead server: RFC 6761 6.3), `. IN NS`
//!   (17 bytes), `id.server. CH TXT` (27 bytes; RFC 4892);
//! - as check, the question of the settings, `. IN NS` by default; when no answer
//!   comes in two seconds, once more (over UDP) and `localhost. IN A` beside it:
//!   at most three datagrams, or two messages over TCP, each after its length.
//!
//! **Never** asks for ANY, for a zone transfer or for DNSSEC data, sends no
//! EDNS option, and never changes a record.
//!
//! **Verdicts**
//! - confirmed and healthy: NOERROR; NXDOMAIN and REFUSED too, while the name
//!   is not one that the user asked for (a server that is authoritative for its
//!   own zones refuses strangers' names, and is in order);
//! - confirmed and degraded: NXDOMAIN or REFUSED for the user's own name, a
//!   plain question that the server calls malformed or not implemented, or
//!   silence on the question from a server that answers for localhost (those
//!   whom it asks do not answer it);
//! - confirmed and unhealthy: SERVFAIL, it cannot resolve;
//! - mismatch: bytes came back that are no response to our question.
//!
//! Findings: `dns.rcode`, `dns.recursion-available`, `dns.authoritative`,
//! `dns.truncated`, `dns.answers` (how many), `dns.answer` (the first ones).
//!
//! References: RFC 1035 4 (message), 4.2.2 (TCP), RFC 7766, RFC 9619 (one
//! question), IANA "DNS Parameters".

mod check;
mod judge;
mod message;

use portscan_plugin::{
    Amplification, Answer, Check, CheckError, Conclusion, Connection, Endpoint, Metadata, Payload,
    PayloadError, Plugin, SettingKind, SettingSpec, Settings, Transport, UdpProbe,
};

use check::Inquiry;
use judge::Interest;
use message::{Question, Reply};

/// The plugin.
pub struct Dns;

impl Plugin for Dns {
    fn describe() -> Metadata {
        Metadata::new("dns", env!("CARGO_PKG_VERSION"), "DNS servers: do they answer and resolve")
            .udp(53)
            .tcp(53)
            .setting(SettingSpec::new("name", SettingKind::Text, "the name to ask for").or("."))
            .setting(
                SettingSpec::new(
                    "type",
                    SettingKind::Text,
                    "the record type to ask for: A, MX, TYPE65",
                )
                .or("NS"),
            )
            .sends(
                "a question for localhost, for the root's name servers or for the setting's name",
                3,
                message::MAX_STREAM,
            )
            .amplification(Amplification::Large)
    }
}

/// What the UDP probe asks, in order of preference.
fn probes() -> [Question; 3] {
    [Question::LOCALHOST, Question::ROOT, Question::SERVER_ID].map(Question::fixed)
}

/// A different id for each payload, all from the one seed.
fn id(seed: u64, index: usize) -> u16 {
    (seed >> (16 * (index % 4))) as u16
}

impl UdpProbe for Dns {
    fn payloads(_: &Endpoint, seed: u64, _: &Settings) -> Result<Vec<Payload>, PayloadError> {
        let payloads = probes().into_iter().enumerate().map(|(index, question)| Payload {
            data: question.query(id(seed, index)),
            label: question.to_string(),
        });
        Ok(payloads.collect())
    }

    fn judge(_: &Endpoint, seed: u64, answer: &Answer, _: &Settings) -> Conclusion {
        // The answer may be to an earlier payload than the last one: try them all.
        let replies = probes().into_iter().enumerate().map(|(index, question)| {
            Reply::read(&answer.data, id(seed, index), &question).map(|reply| (question, reply))
        });
        match replies.reduce(Result::or) {
            Some(Ok((question, reply))) => judge::conclude(&question, &reply, Interest::Ours),
            Some(Err(why)) => judge::mismatch(why),
            None => Conclusion::inconclusive("nothing was asked"),
        }
    }
}

impl Check for Dns {
    fn run(
        connection: &mut Connection,
        _: &Endpoint,
        settings: &Settings,
    ) -> Result<Conclusion, CheckError> {
        let name = settings.text("name").unwrap_or(".");
        let question = Question::parse(name, settings.text("type").unwrap_or("NS"))
            .map_err(CheckError::InvalidSetting)?;
        let interest = if name == "." { Interest::Ours } else { Interest::Users };
        let inquiry = Inquiry::new(connection, &question, interest);
        match connection.transport() {
            Transport::Udp => inquiry.over_udp(connection),
            Transport::Tcp => inquiry.over_tcp(connection),
        }
    }
}

portscan_plugin::export!(Dns: udp_probe + check);
