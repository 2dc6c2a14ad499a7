//! Transcripts of dialogues.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use portscan_plugin::transcript::{Bytes, Delivery, Step, Transcript, TransportName};

use super::player::Played;
use super::trouble::{Rule, for_datagrams, for_stream, name, rule};
use super::{Outcome, Rehearsal, compare};
use crate::check::{CheckOptions, Checks, Job, PluginChoice};
use crate::model::{CheckResult, Endpoint, SettingKind, Transport, Verdict};

/// Real time for one check. Its peer's time passes without waiting, so only a
/// plugin that computes too long ever uses it up.
const DEADLINE: Duration = Duration::from_secs(20);

/// Runs one transcript as written, and in trouble when it passed.
pub(super) fn trials(
    rehearsal: &Rehearsal,
    transcript: &Transcript,
) -> Result<Vec<(String, Outcome)>, String> {
    let said: usize = transcript
        .step
        .iter()
        .filter_map(|step| match step {
            Step::FromPeer(bytes) => Some(length(bytes)),
            _ => None,
        })
        .sum();
    let mut all = run(rehearsal, transcript, vec![Delivery::Whole])?;
    if all.iter().any(|(_, outcome)| *outcome != Outcome::Passed) || !rehearsal.trouble {
        return Ok(all);
    }
    all.extend(run(
        rehearsal,
        transcript,
        match transcript.transport {
            TransportName::Tcp => for_stream(said, rehearsal.seed),
            TransportName::Udp => for_datagrams(said, rehearsal.seed),
        },
    )?);
    Ok(all)
}

/// About how many bytes an answer has; exact where it repeats nothing.
fn length(bytes: &Bytes) -> usize {
    bytes.fill(&[0; 65_536]).map_or(0, |bytes| bytes.len())
}

/// Runs one transcript in several ways at once.
fn run(
    rehearsal: &Rehearsal,
    transcript: &Transcript,
    deliveries: Vec<Delivery>,
) -> Result<Vec<(String, Outcome)>, String> {
    let (settings, secrets) = settings(rehearsal, transcript);
    let checks = Checks::new(CheckOptions {
        choice: PluginChoice::Named(vec![rehearsal.plugin.clone()]),
        settings,
        secrets,
        deadline: DEADLINE,
        host: rehearsal.host.clone(),
        ..CheckOptions::default()
    })
    .map_err(|error| format!("{error}\n{}", error.hint()))?;
    let transport = match transcript.transport {
        TransportName::Tcp => Transport::Tcp,
        TransportName::Udp => Transport::Udp,
    };
    let socket = SocketAddr::from((transcript.address, transcript.port));
    let endpoint = Endpoint::new(socket, transport);
    let mut players = Vec::new();
    for (order, delivery) in deliveries.iter().enumerate() {
        let player =
            Arc::new(Mutex::new(Played::new(transcript, *delivery, &rehearsal.metadata.sends)));
        players.push(player.clone());
        checks.submit(Job {
            order: order as u64,
            endpoint,
            target: Arc::from(transcript.target.as_str()),
            seed: transcript.seed,
            stream: None,
            answer: None,
            player: Some(player),
        });
    }
    let mut results: Vec<Option<CheckResult>> = deliveries.iter().map(|_| None).collect();
    for _ in &deliveries {
        let (order, result) = checks.finished().recv().map_err(|error| error.to_string())?;
        results[order as usize] = Some(result);
    }
    let ended = deliveries.iter().zip(results).zip(players).map(|((delivery, result), player)| {
        let problem = player.lock().unwrap_or_else(PoisonError::into_inner).problem();
        let outcome = match (result, problem) {
            (None, _) => Err("no result".to_owned()),
            // Only where all is said is the plugin held to every byte that it sends.
            (Some(result), Some(problem))
                if rule(delivery) == Rule::Same && result.fault.is_none() =>
            {
                Err(problem)
            }
            (Some(result), _) => judged(&result, rule(delivery), transcript),
        };
        (name(delivery), outcome.map_or_else(Outcome::Failed, |()| Outcome::Passed))
    });
    Ok(ended.collect())
}

fn judged(result: &CheckResult, rule: Rule, transcript: &Transcript) -> Result<(), String> {
    if let Some(fault) = &result.fault {
        return Err(format!("{}: {}", fault.kind, fault.text));
    }
    match rule {
        Rule::Same => compare(&result.conclusion, &transcript.expect),
        Rule::NotConfirmed if result.conclusion.verdict == Verdict::Confirmed => {
            Err(format!("confirmed: {}", result.conclusion.summary))
        }
        Rule::NotConfirmed | Rule::NoFault => Ok(()),
    }
}

/// Plugin, name and text of settings.
type Given = Vec<(String, String, String)>;

/// The settings as a user would give them: open ones and secrets.
fn settings(rehearsal: &Rehearsal, transcript: &Transcript) -> (Given, Given) {
    let metadata = &rehearsal.metadata;
    let spec = |name: &str| metadata.settings.iter().find(|spec| spec.name == name);
    let given = transcript.settings.iter().map(|(name, value)| {
        let text = typed(value, spec(name).map(|spec| spec.kind));
        (metadata.name.clone(), name.clone(), text)
    });
    given.partition(|(_, name, _)| !spec(name).is_some_and(|spec| spec.secret))
}

/// A value as a user would type it.
fn typed(value: &toml::Value, kind: Option<SettingKind>) -> String {
    match (value, kind) {
        (toml::Value::String(text), _) => text.clone(),
        (toml::Value::Integer(milliseconds), Some(SettingKind::Duration)) => {
            format!("{milliseconds}ms")
        }
        (toml::Value::Array(texts), _) => {
            let texts = texts.iter().map(|text| text.as_str().unwrap_or_default());
            texts.collect::<Vec<_>>().join(",")
        }
        (other, _) => other.to_string(),
    }
}
