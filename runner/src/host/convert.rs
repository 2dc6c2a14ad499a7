//! Between the contract's types and ours, in both directions. What comes from a
//! guest is capped here.

use std::net::SocketAddr;
use std::time::Duration;

use super::bindings::exports::portscan::plugin::plugin as wit_plugin;
use super::bindings::portscan::plugin::{connection as wit_connection, types as wit};
use super::fault::Breach;
use super::limits::{MAX_FINDING, MAX_FINDING_NAME, MAX_FINDINGS, MAX_SUMMARY, MAX_VERDICT};
use super::text::cut;
use crate::model::{
    Amplification, Conclusion, DefaultPort, Endpoint, Finding, FindingValue, Health, Metadata,
    ReplyFrom, Sends, Setting, SettingKind, SettingSpec, SettingValue, SideEffect, Silence,
    Transport, Verdict,
};
use crate::net::conversation as net;

/// A length of time as guests see it: rounded down, at most 49 days.
pub(super) fn to_milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

pub(super) fn transport(transport: Transport) -> wit::Transport {
    match transport {
        Transport::Tcp => wit::Transport::Tcp,
        Transport::Udp => wit::Transport::Udp,
    }
}

pub(super) fn endpoint(endpoint: &Endpoint, target: &str) -> wit::Endpoint {
    let address = match endpoint.socket {
        SocketAddr::V6(v6) if v6.scope_id() != 0 => format!("{}%{}", v6.ip(), v6.scope_id()),
        socket => socket.ip().to_string(),
    };
    wit::Endpoint {
        target: target.to_owned(),
        address,
        port: endpoint.port(),
        transport: transport(endpoint.transport),
    }
}

pub(super) fn settings(settings: &[Setting]) -> Vec<wit::Setting> {
    settings
        .iter()
        .map(|setting| wit::Setting {
            name: setting.name.clone(),
            value: match &setting.value {
                SettingValue::Text(text) => wit::SettingValue::Text(text.clone()),
                SettingValue::Integer(number) => wit::SettingValue::Integer(*number),
                SettingValue::Boolean(yes) => wit::SettingValue::Boolean(*yes),
                SettingValue::Duration(time) => wit::SettingValue::Duration(to_milliseconds(*time)),
                SettingValue::TextList(texts) => wit::SettingValue::TextList(texts.clone()),
            },
        })
        .collect()
}

/// A conclusion with everything cut to its cap, and how many findings were
/// beyond theirs.
pub(super) fn conclusion(from: wit::Conclusion) -> Result<(Conclusion, usize), Breach> {
    let bytes = from.findings.iter().map(size).sum::<usize>() + from.summary.len();
    if bytes > MAX_VERDICT {
        return Err(Breach::Output { bytes, cap: MAX_VERDICT });
    }
    let surplus = from.findings.len().saturating_sub(MAX_FINDINGS);
    let conclusion = Conclusion {
        verdict: match from.verdict {
            wit::Verdict::Confirmed => Verdict::Confirmed,
            wit::Verdict::Mismatch => Verdict::Mismatch,
            wit::Verdict::Inconclusive => Verdict::Inconclusive,
        },
        health: match from.health {
            wit::Health::Healthy => Health::Healthy,
            wit::Health::Degraded => Health::Degraded,
            wit::Health::Unhealthy => Health::Unhealthy,
            wit::Health::Unknown => Health::Unknown,
        },
        summary: cut(from.summary, MAX_SUMMARY),
        findings: from.findings.into_iter().take(MAX_FINDINGS).map(finding).collect(),
    };
    Ok((conclusion, surplus))
}

/// What a finding takes, the record itself included: 10,000 empty ones are not
/// nothing.
fn size(finding: &wit::Finding) -> usize {
    let value = match &finding.value {
        wit::FindingValue::Text(text) => text.len(),
        wit::FindingValue::Bytes(bytes) => bytes.len(),
        wit::FindingValue::Integer(_)
        | wit::FindingValue::Boolean(_)
        | wit::FindingValue::Duration(_) => 8,
    };
    finding.name.len() + value + 8
}

fn finding(from: wit::Finding) -> Finding {
    Finding {
        name: cut(from.name, MAX_FINDING_NAME),
        value: match from.value {
            wit::FindingValue::Text(text) => FindingValue::Text(cut(text, MAX_FINDING)),
            wit::FindingValue::Integer(number) => FindingValue::Integer(number),
            wit::FindingValue::Boolean(yes) => FindingValue::Boolean(yes),
            wit::FindingValue::Duration(ms) => {
                FindingValue::Duration(Duration::from_millis(u64::from(ms)))
            }
            wit::FindingValue::Bytes(mut bytes) => {
                bytes.truncate(MAX_FINDING);
                FindingValue::Bytes(bytes)
            }
        },
    }
}

pub(super) fn metadata(from: wit_plugin::Metadata) -> Metadata {
    Metadata {
        name: from.name,
        version: from.version,
        description: from.description,
        ports: from
            .ports
            .into_iter()
            .map(|port| DefaultPort {
                port: port.port,
                transport: match port.transport {
                    wit::Transport::Tcp => Transport::Tcp,
                    wit::Transport::Udp => Transport::Udp,
                },
            })
            .collect(),
        settings: from.settings.into_iter().map(setting_spec).collect(),
        sends: Sends {
            what: from.sends.what,
            largest: from.sends.largest,
            packets: from.sends.packets,
            connections: from.sends.connections,
            amplification: match from.sends.amplification {
                wit_plugin::Amplification::None => Amplification::None,
                wit_plugin::Amplification::Small => Amplification::Small,
                wit_plugin::Amplification::Large => Amplification::Large,
            },
        },
        side_effect: match from.side_effect {
            wit_plugin::SideEffect::None => SideEffect::None,
            wit_plugin::SideEffect::LogLine => SideEffect::LogLine,
            wit_plugin::SideEffect::State => SideEffect::State,
            wit_plugin::SideEffect::Hardware => SideEffect::Hardware,
        },
        silence: match from.silence {
            wit_plugin::Silence::Unexpected => Silence::Unexpected,
            wit_plugin::Silence::Normal(why) => Silence::Normal(why),
        },
        reply_from: match from.reply_from {
            wit_plugin::ReplyFrom::SamePort => ReplyFrom::SamePort,
            wit_plugin::ReplyFrom::AnyPort => ReplyFrom::AnyPort,
        },
    }
}

fn setting_spec(from: wit_plugin::SettingSpec) -> SettingSpec {
    SettingSpec {
        name: from.name,
        kind: match from.kind {
            wit_plugin::SettingKind::Text => SettingKind::Text,
            wit_plugin::SettingKind::Integer => SettingKind::Integer,
            wit_plugin::SettingKind::Boolean => SettingKind::Boolean,
            wit_plugin::SettingKind::Duration => SettingKind::Duration,
            wit_plugin::SettingKind::TextList => SettingKind::TextList,
        },
        required: from.required,
        default: from.default,
        secret: from.secret,
        help: from.help,
    }
}

pub(super) fn io_error(from: net::TalkError) -> wit_connection::IoError {
    use wit_connection::IoError;
    match from {
        net::TalkError::TimedOut => IoError::TimedOut,
        net::TalkError::Refused => IoError::Refused,
        net::TalkError::Closed => IoError::Closed,
        net::TalkError::Reset => IoError::Reset,
        net::TalkError::Unreachable(text) => IoError::Unreachable(text),
        net::TalkError::Unsupported(text) => IoError::Unsupported(text.to_owned()),
        net::TalkError::Tls(text) => IoError::Tls(text),
        net::TalkError::Other(text) => IoError::Other(text),
    }
}

/// What a person reads when the conversation ended before the plugin could
/// conclude.
pub(super) fn summary(error: wit_connection::IoError) -> String {
    use wit_connection::IoError;
    let text = match error {
        IoError::TimedOut => "no answer came in time".to_owned(),
        IoError::Refused => "a connection for the check was refused".to_owned(),
        IoError::Closed => "the peer closed the connection before it said enough".to_owned(),
        IoError::Reset => "the peer reset the connection".to_owned(),
        IoError::Unreachable(text) => format!("the network refused the check: {text}"),
        IoError::OverBudget(text) => format!("the check was stopped: {text}"),
        IoError::Unsupported(text) => format!("the check cannot be made here: {text}"),
        IoError::Tls(text) => format!("TLS failed: {text}"),
        IoError::Other(text) => text,
    };
    cut(text, MAX_SUMMARY)
}

pub(super) fn tls_options(from: wit_connection::TlsOptions) -> net::TlsOptions {
    net::TlsOptions { server_name: from.server_name, alpn: from.alpn }
}

pub(super) fn tls_session(from: net::TlsSession) -> wit_connection::TlsSession {
    wit_connection::TlsSession {
        version: from.version,
        cipher: from.cipher,
        alpn: from.alpn,
        certificates: from.certificates.into_iter().map(certificate).collect(),
        trust: match from.trust {
            net::Trust::Trusted => wit_connection::Trust::Trusted,
            net::Trust::Untrusted(why) => wit_connection::Trust::Untrusted(why),
            net::Trust::NoRoots => wit_connection::Trust::NoRoots,
        },
    }
}

fn certificate(from: net::Certificate) -> wit_connection::Certificate {
    wit_connection::Certificate {
        subject: from.subject,
        issuer: from.issuer,
        names: from.names,
        serial: from.serial,
        not_before: from.not_before,
        not_after: from.not_after,
        key: from.key,
        signature_algorithm: from.signature_algorithm,
        fingerprint: from.fingerprint,
        self_signed: from.self_signed,
    }
}
