//! Runs a plugin against its transcripts and compares what comes of them.

use std::path::Path;
use std::sync::{Arc, Mutex};

use super::scripted::Scripted;
use super::{Delivery, Ending, Expect, Half, Script, Step, Transcript, TransportName, read_folder};
use crate::{
    Answer, Check, CheckError, Conclusion, Connection, Endpoint, FindingValue, Metadata, Setting,
    SettingKind, SettingSpec, SettingValue, Settings, Transport, UdpProbe, Verdict,
};

/// Replays every transcript in `folder` that is about the `check` half: as it
/// is written, byte by byte, and cut short after each byte that the peer sends.
///
/// A cut conversation may end in any way but two: a panic, and a verdict of
/// `mismatch` (what came so far was the protocol; `inconclusive` is the truth)
/// where the whole one confirms.
///
/// # Errors
/// A text that names the file and what is wrong. No such transcript is wrong too.
pub fn replay_checks<P: Check>(folder: &Path) -> Result<(), String> {
    let chosen = choose(folder, Half::Check)?;
    for (file, transcript) in &chosen {
        let failed = |how: &str, why: String| format!("{file}: {}{how}: {why}", transcript.name);
        let whole = run::<P>(transcript, Delivery::Whole).map_err(|why| failed("", why))?;
        compare(&whole.conclusion, &transcript.expect).map_err(|why| failed("", why))?;

        let slow = run::<P>(transcript, Delivery::ByteByByte)
            .map_err(|why| failed(", byte by byte", why))?;
        compare(&slow.conclusion, &transcript.expect)
            .map_err(|why| failed(", byte by byte", why))?;

        for len in 0..whole.delivered {
            for ending in [Ending::Closes, Ending::Resets, Ending::FallsSilent] {
                let how = format!(", cut after {len} bytes, then the peer {ending:?}");
                let cut = run_cut::<P>(transcript, Delivery::CutAfter(len, ending));
                let cut = cut.map_err(|why| failed(&how, why))?;
                if !may_be_cut_to(&whole.conclusion, &cut, transcript.transport) {
                    return Err(failed(&how, format!("{:?}: {}", cut.verdict, cut.summary)));
                }
            }
        }
    }
    Ok(())
}

/// Whether the conclusion from a cut conversation may follow from the whole one.
fn may_be_cut_to(whole: &Conclusion, cut: &Conclusion, transport: TransportName) -> bool {
    match (whole.verdict, cut.verdict) {
        // Datagrams come whole or not at all: half a one is another message.
        (Verdict::Confirmed, Verdict::Mismatch) => transport == TransportName::Udp,
        (Verdict::Confirmed, _) => true,
        (_, cut) => cut != Verdict::Confirmed,
    }
}

/// Replays every transcript in `folder` that is about the `udp-probe` half: as
/// it is written, and with the answer cut short after each of its bytes.
///
/// # Errors
/// A text that names the file and what is wrong. No such transcript is wrong too.
pub fn replay_probes<P: UdpProbe>(folder: &Path) -> Result<(), String> {
    for (file, transcript) in &choose(folder, Half::UdpProbe)? {
        replay_probe::<P>(transcript)
            .map_err(|why| format!("{file}: {}: {why}", transcript.name))?;
    }
    Ok(())
}

fn replay_probe<P: UdpProbe>(transcript: &Transcript) -> Result<(), String> {
    let endpoint = endpoint(transcript);
    let settings = settings(&P::describe(), transcript)?;
    let payloads = P::payloads(&endpoint, transcript.seed, &settings)
        .map_err(|error| format!("no payloads: {error:?}"))?;
    let declared = P::describe().sends;
    let largest = payloads.iter().map(|payload| payload.data.len()).max().unwrap_or(0);
    if payloads.len() > declared.packets as usize || largest > declared.largest as usize {
        return Err(format!("{} payloads, {largest} bytes: not as declared", payloads.len()));
    }
    let mut sent = 0;
    for step in &transcript.step {
        match step {
            Step::ToPeer(bytes) => {
                let payload = payloads.get(sent).ok_or("the plugin has fewer payloads")?;
                bytes.compare(&payload.data)?;
                sent += 1;
            }
            Step::FromPeer(bytes) => {
                let index = sent.checked_sub(1).ok_or("an answer before any question")?;
                let data = bytes.fill(&payloads[index].data)?;
                let judge = |data: &[u8]| {
                    let (index, port) = (index as u32, transcript.port);
                    let answer = Answer { index, data: data.to_vec(), port };
                    P::judge(&endpoint, transcript.seed, &answer, &settings)
                };
                compare(&judge(&data), &transcript.expect)?;
                for len in 0..data.len() {
                    // Must not panic. A datagram that stops in the middle may
                    // still prove the protocol, so its verdict is free.
                    judge(&data[..len]);
                }
            }
            other => return Err(format!("a probe has no step {other:?}")),
        }
    }
    Ok(())
}

fn choose(folder: &Path, half: Half) -> Result<Vec<(String, Transcript)>, String> {
    let mut transcripts = read_folder(folder)?;
    transcripts.retain(|(_, transcript)| transcript.half == half);
    if transcripts.is_empty() {
        return Err(format!("{} holds no transcript of half {half:?}", folder.display()));
    }
    Ok(transcripts)
}

struct Outcome {
    conclusion: Conclusion,
    delivered: usize,
}

/// Runs the check; a conversation that is not as written is an error.
fn run<P: Check>(transcript: &Transcript, delivery: Delivery) -> Result<Outcome, String> {
    let scripted = scripted::<P>(transcript, delivery);
    let conclusion = conclude::<P>(transcript, &scripted)?;
    let script = scripted.script();
    match script.problem() {
        Some(problem) => Err(problem),
        None => Ok(Outcome { conclusion, delivered: script.delivered() }),
    }
}

/// Runs the check against a peer that stops early: the rest of the conversation
/// does not happen, so it is not compared.
fn run_cut<P: Check>(transcript: &Transcript, delivery: Delivery) -> Result<Conclusion, String> {
    conclude::<P>(transcript, &scripted::<P>(transcript, delivery))
}

fn scripted<P: Check>(transcript: &Transcript, delivery: Delivery) -> Scripted {
    Scripted(Arc::new(Mutex::new(Script::new(transcript, delivery, P::describe().sends))))
}

fn conclude<P: Check>(transcript: &Transcript, script: &Scripted) -> Result<Conclusion, String> {
    let settings = settings(&P::describe(), transcript)?;
    let mut connection = Connection::new(script.clone());
    match P::run(&mut connection, &endpoint(transcript), &settings) {
        Ok(conclusion) => Ok(conclusion),
        Err(CheckError::Conversation(error)) => Ok(Conclusion::inconclusive(format!("{error:?}"))),
        Err(error) => Err(format!("the check failed: {error:?}")),
    }
}

pub(super) fn endpoint(transcript: &Transcript) -> Endpoint {
    Endpoint {
        target: transcript.target.clone(),
        address: transcript.address.to_string(),
        port: transcript.port,
        transport: match transcript.transport {
            TransportName::Tcp => Transport::Tcp,
            TransportName::Udp => Transport::Udp,
        },
    }
}

/// The settings of a transcript and the plugin's defaults, as the runner passes them.
pub(super) fn settings(metadata: &Metadata, transcript: &Transcript) -> Result<Settings, String> {
    let declared = |name: &String| metadata.settings.iter().any(|spec| spec.name == *name);
    if let Some(name) = transcript.settings.keys().find(|name| !declared(name)) {
        return Err(format!("the plugin declares no setting {name}"));
    }
    let mut settings = Vec::new();
    for spec in &metadata.settings {
        let value = match (transcript.settings.get(&spec.name), &spec.default) {
            (Some(value), _) => value.clone(),
            (None, Some(default)) => typed(spec, default)?,
            (None, None) => continue,
        };
        settings.push(Setting { name: spec.name.clone(), value: convert(spec, value)? });
    }
    Ok(Settings::new(settings))
}

/// A default as the user would type it, as a TOML value.
fn typed(spec: &SettingSpec, text: &str) -> Result<toml::Value, String> {
    let bad = |error: String| format!("default of {}: {error}", spec.name);
    Ok(match spec.kind {
        SettingKind::Text => toml::Value::String(text.to_owned()),
        SettingKind::TextList => {
            let texts = text.split(',').map(|text| toml::Value::String(text.trim().to_owned()));
            toml::Value::Array(texts.collect())
        }
        SettingKind::Integer => {
            toml::Value::Integer(text.parse().map_err(|error| bad(format!("{error}")))?)
        }
        SettingKind::Boolean => {
            toml::Value::Boolean(text.parse().map_err(|error| bad(format!("{error}")))?)
        }
        SettingKind::Duration => toml::Value::Integer(milliseconds(text).map_err(bad)?),
    })
}

fn milliseconds(text: &str) -> Result<i64, String> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 1),
        None => (text.strip_suffix('s').ok_or("it has no unit")?, 1000),
    };
    number.parse::<i64>().map(|number| number * unit).map_err(|error| error.to_string())
}

fn convert(spec: &SettingSpec, value: toml::Value) -> Result<SettingValue, String> {
    let bad = || format!("{} is not of its kind, {:?}", spec.name, spec.kind);
    Ok(match (spec.kind, value) {
        (SettingKind::Text, toml::Value::String(text)) => SettingValue::Text(text),
        (SettingKind::Integer, toml::Value::Integer(number)) => SettingValue::Integer(number),
        (SettingKind::Boolean, toml::Value::Boolean(value)) => SettingValue::Boolean(value),
        (SettingKind::Duration, toml::Value::Integer(milliseconds)) => {
            SettingValue::Duration(milliseconds.try_into().map_err(|_| bad())?)
        }
        (SettingKind::TextList, toml::Value::Array(texts)) => SettingValue::TextList(
            texts
                .into_iter()
                .map(|text| text.as_str().map(str::to_owned).ok_or_else(bad))
                .collect::<Result<_, _>>()?,
        ),
        _ => return Err(bad()),
    })
}

fn compare(conclusion: &Conclusion, expect: &Expect) -> Result<(), String> {
    let verdict = format!("{:?}", conclusion.verdict).to_lowercase().replace("verdict::", "");
    let health = format!("{:?}", conclusion.health).to_lowercase().replace("health::", "");
    if verdict != expect.verdict || health != expect.health {
        let expected = format!("{} and {}", expect.verdict, expect.health);
        return Err(format!("expected {expected}, got {conclusion:?}"));
    }
    if !conclusion.summary.contains(&expect.summary) {
        return Err(format!("the summary is: {}", conclusion.summary));
    }
    for (name, wanted) in &expect.findings {
        let found = conclusion.findings.iter().find(|finding| finding.name == *name);
        let value = found.map(|finding| shown(&finding.value));
        if value.as_ref() != Some(wanted) {
            return Err(format!("finding {name}: expected {wanted}, got {value:?}"));
        }
    }
    Ok(())
}

/// A finding's value as a transcript writes it: bytes in hexadecimal, lengths
/// of time in milliseconds.
fn shown(value: &FindingValue) -> toml::Value {
    match value {
        FindingValue::Text(text) => toml::Value::String(text.clone()),
        FindingValue::Integer(number) => toml::Value::Integer(*number),
        FindingValue::Boolean(value) => toml::Value::Boolean(*value),
        FindingValue::Duration(milliseconds) => toml::Value::Integer(i64::from(*milliseconds)),
        FindingValue::Bytes(bytes) => {
            toml::Value::String(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
        }
    }
}
