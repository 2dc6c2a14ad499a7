//! A check that happened, as the text of a transcript. plugins/README.md has the
//! format.

use std::fmt::Write as _;

use super::Answer;
use super::record::Recorded;
use crate::host::Event;
use crate::model::{Conclusion, FindingValue, Payload, Setting, SettingValue, Transport, Verdict};
use crate::net::conversation::{TalkError, TlsOptions, TlsSession, Trust};

/// A dialogue.
pub(super) fn dialogue(recorded: &Recorded<'_>, events: &[Event], is_cut: bool) -> String {
    let mut text = head(recorded, "check");
    let clock: Vec<String> = events
        .iter()
        .filter_map(|event| match event {
            Event::Clock(nanos) => Some(nanos.to_string()),
            _ => None,
        })
        .collect();
    let random: Vec<u8> = events
        .iter()
        .flat_map(|event| match event {
            Event::Random(bytes) => bytes.as_slice(),
            _ => &[],
        })
        .copied()
        .collect();
    let local_port = events.iter().find_map(|event| match event {
        Event::LocalPort(port) => Some(port),
        _ => None,
    });
    if let Some(port) = local_port {
        line(&mut text, "local-port", &port.to_string());
    }
    if !clock.is_empty() {
        line(&mut text, "clock", &format!("[{}]", clock.join(", ")));
    }
    if !random.is_empty() {
        line(&mut text, "random.hex", &format!("\"{}\"", hex(&random)));
    }
    text.push_str(&settings(recorded));
    if is_cut {
        text.push_str("\n# There was more than a recording keeps.\n");
    }
    for (at, event) in events.iter().enumerate() {
        step(&mut text, event, at + 1 == events.len(), recorded.secrets);
    }
    text + &expect(recorded)
}

/// A datagram and its answer.
pub(super) fn probe(recorded: &Recorded<'_>, payloads: &[Payload], answer: &Answer) -> String {
    let mut text = head(recorded, "udp-probe");
    line(&mut text, "seed", &seed(recorded.job.seed));
    text.push_str(&settings(recorded));
    for payload in payloads.iter().take(answer.index as usize + 1) {
        sent(&mut text, &payload.bytes, recorded.secrets);
    }
    received(&mut text, &answer.bytes, recorded.secrets);
    text + &expect(recorded)
}

/// TOML's numbers have a sign: beyond it, only hexadecimal text would do. Runs
/// choose their seeds below.
fn seed(seed: u64) -> String {
    i64::try_from(seed).unwrap_or(i64::MAX).to_string()
}

fn head(recorded: &Recorded<'_>, half: &str) -> String {
    let job = recorded.job;
    let mut text = String::new();
    if let Some(fault) = &recorded.result.fault {
        let _ =
            writeln!(text, "# It ended with a fault, {}: {}", fault.kind, one_line(&fault.text));
        text.push_str("# Write below what should come of it instead.\n");
    }
    let name = format!("{} at {}, as it was", recorded.plugin, job.endpoint);
    line(&mut text, "name", &quoted(&name));
    line(&mut text, "plugin", &quoted(recorded.plugin));
    line(&mut text, "half", &quoted(half));
    let transport = match job.endpoint.transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
    };
    line(&mut text, "transport", &quoted(transport));
    line(&mut text, "port", &job.endpoint.port().to_string());
    line(&mut text, "target", &quoted(&job.target));
    line(&mut text, "address", &quoted(&job.endpoint.ip().to_string()));
    text
}

fn settings(recorded: &Recorded<'_>) -> String {
    if recorded.settings.is_empty() {
        return String::new();
    }
    let one = |setting: &Setting| {
        let value = match &setting.value {
            // As long as the secret: lengths stand in what was sent.
            SettingValue::Text(text) if recorded.secret_names.contains(&setting.name) => {
                quoted(&"x".repeat(text.len()))
            }
            _ if recorded.secret_names.contains(&setting.name) => quoted("secret"),
            SettingValue::Text(text) => quoted(text),
            SettingValue::Integer(number) => number.to_string(),
            SettingValue::Boolean(value) => value.to_string(),
            SettingValue::Duration(length) => length.as_millis().to_string(),
            SettingValue::TextList(texts) => {
                let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
                format!("[{}]", texts.join(", "))
            }
        };
        format!("{} = {value}\n", setting.name)
    };
    format!("\n[settings]\n{}", recorded.settings.iter().map(one).collect::<String>())
}

fn step(text: &mut String, event: &Event, is_last: bool, secrets: &[String]) {
    match event {
        Event::Sent(bytes) => sent(text, bytes, secrets),
        Event::Received(bytes) => received(text, bytes, secrets),
        Event::Finished => text.push_str("\n[[step]]\nfinish = {}\n"),
        Event::Reconnected => text.push_str("\n[[step]]\nreconnect = {}\n"),
        Event::Tls(_, Err(TalkError::TimedOut)) => {
            text.push_str("\n[[step]]\npeer = \"falls-silent\"\n");
        }
        Event::Tls(options, session) => tls(text, options, session),
        Event::Ended(error) => match error {
            TalkError::Closed => text.push_str("\n[[step]]\npeer = \"closes\"\n"),
            TalkError::Reset => text.push_str("\n[[step]]\npeer = \"resets\"\n"),
            // Where the plugin went on, its next step says so.
            _ if is_last => text.push_str("\n[[step]]\npeer = \"falls-silent\"\n"),
            _ => {}
        },
        Event::Clock(_) | Event::Random(_) | Event::LocalPort(_) => {}
    }
}

fn sent(text: &mut String, bytes: &[u8], secrets: &[String]) {
    let hidden = hidden(bytes, secrets);
    let value = match (readable(bytes), hidden.contains(&true)) {
        (Some(readable), false) => format!("text = {}", quoted(readable)),
        _ => {
            let pairs = bytes.iter().zip(&hidden).map(|(byte, hidden)| match hidden {
                true => "??".to_owned(),
                false => format!("{byte:02x}"),
            });
            format!("hex = \"{}\"", pairs.collect::<Vec<_>>().join(" "))
        }
    };
    let _ = write!(text, "\n[[step]]\nto-peer.{value}\n");
}

fn received(text: &mut String, bytes: &[u8], secrets: &[String]) {
    let hidden = hidden(bytes, secrets);
    let pairs = bytes.iter().zip(hidden);
    let bytes: Vec<u8> = pairs.map(|(byte, hidden)| if hidden { b'x' } else { *byte }).collect();
    let value = match readable(&bytes) {
        Some(readable) => format!("text = {}", quoted(readable)),
        None => format!("hex = \"{}\"", hex(&bytes)),
    };
    let _ = write!(text, "\n[[step]]\nfrom-peer.{value}\n");
}

fn tls(text: &mut String, options: &TlsOptions, session: &Result<TlsSession, TalkError>) {
    text.push_str("\n[[step]]\n[step.tls]\n");
    if let Some(name) = &options.server_name {
        line(text, "server-name", &quoted(name));
    }
    let session = match session {
        Ok(session) => session,
        Err(error) => return line(text, "fails", &quoted(&error.to_string())),
    };
    line(text, "version", &quoted(&session.version));
    line(text, "cipher", &quoted(&session.cipher));
    if let Some(alpn) = &session.alpn {
        line(text, "alpn", &quoted(alpn));
    }
    match &session.trust {
        Trust::Trusted => {}
        Trust::Untrusted(why) => line(text, "untrusted", &quoted(why)),
        Trust::NoRoots => line(text, "no-roots", "true"),
    }
    let Some(leaf) = session.certificates.first() else { return };
    let names: Vec<String> = leaf.names.iter().map(|name| quoted(name)).collect();
    line(text, "subject", &quoted(&leaf.subject));
    line(text, "issuer", &quoted(&leaf.issuer));
    line(text, "names", &format!("[{}]", names.join(", ")));
    line(text, "not-before", &leaf.not_before.to_string());
    line(text, "not-after", &leaf.not_after.to_string());
    line(text, "key", &quoted(&leaf.key));
    line(text, "serial", &quoted(&leaf.serial));
    line(text, "signature-algorithm", &quoted(&leaf.signature_algorithm));
    line(text, "fingerprint", &quoted(&leaf.fingerprint));
}

/// What came of it. Texts of the host about a broken conversation, and lengths
/// of time, are not the plugin's: they are left out.
fn expect(recorded: &Recorded<'_>) -> String {
    let Conclusion { verdict, health, summary, findings } = &recorded.result.conclusion;
    let verdict_name = match verdict {
        Verdict::NotChecked => "inconclusive",
        other => other.name(),
    };
    let mut text = String::from("\n[expect]\n");
    line(&mut text, "verdict", &quoted(verdict_name));
    line(&mut text, "health", &quoted(health.name()));
    if !matches!(verdict, Verdict::NotChecked | Verdict::Inconclusive) {
        line(&mut text, "summary", &quoted(summary));
    }
    let findings: Vec<_> = findings
        .iter()
        .filter(|finding| !matches!(finding.value, FindingValue::Duration(_)))
        .collect();
    if !findings.is_empty() {
        text.push_str("\n[expect.findings]\n");
    }
    for finding in findings {
        let value = match &finding.value {
            FindingValue::Text(value) => quoted(value),
            FindingValue::Integer(number) => number.to_string(),
            FindingValue::Boolean(value) => value.to_string(),
            FindingValue::Bytes(bytes) => {
                quoted(&bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
            }
            FindingValue::Duration(_) => continue,
        };
        line(&mut text, &quoted(&finding.name), &value);
    }
    text
}

/// Which bytes belong to a secret: as it is, in base64 and in hexadecimal, which
/// is how protocols carry one. What a protocol makes of it otherwise, a digest
/// for example, cannot be told from other bytes.
fn hidden(bytes: &[u8], secrets: &[String]) -> Vec<bool> {
    let mut hidden = vec![false; bytes.len()];
    for form in secrets.iter().flat_map(|secret| super::redact::forms(secret)) {
        let form = form.as_bytes();
        for at in 0..bytes.len().saturating_sub(form.len().saturating_sub(1)) {
            if !form.is_empty() && bytes[at..].starts_with(form) {
                hidden[at..at + form.len()].fill(true);
            }
        }
    }
    hidden
}

/// The text that the bytes are, where a person can read it.
fn readable(bytes: &[u8]) -> Option<&str> {
    let plain = |byte: &u8| matches!(byte, b' '..=b'~' | b'\r' | b'\n' | b'\t');
    bytes.iter().all(plain).then(|| std::str::from_utf8(bytes).ok()).flatten()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

/// A TOML string in one line.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn line(text: &mut String, key: &str, value: &str) {
    let _ = writeln!(text, "{key} = {value}");
}
