//! Transcripts of dialogues.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use portscan_plugin::transcript::{Bytes, Step, Transcript, TransportName};

use super::trouble::{Delivery, Rule, for_datagrams, for_stream};
use super::{Outcome, Rehearsal, compare, peer};
use crate::check::{CheckOptions, Checks, Job, PluginChoice};
use crate::model::{CheckResult, Endpoint, Transport, Verdict};

/// Time for one check as written. Long enough for a second question.
const DEADLINE: Duration = Duration::from_secs(6);

/// Time for one check in trouble: many only wait.
const SHORT: Duration = Duration::from_millis(700);

/// How long a peer waits for the plugin; only a failing trial waits so long.
const PATIENCE: Duration = Duration::from_secs(20);

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
    let mut all = run(rehearsal, transcript, DEADLINE, vec![Delivery::Whole])?;
    if all.iter().any(|(_, outcome)| *outcome != Outcome::Passed) || !rehearsal.trouble {
        return Ok(all);
    }
    let trouble = match transcript.transport {
        TransportName::Tcp => for_stream(said, rehearsal.seed),
        TransportName::Udp => for_datagrams(said, rehearsal.seed),
    };
    let (same, other): (Vec<_>, Vec<_>) =
        trouble.into_iter().partition(|delivery| delivery.rule() == Rule::Same);
    all.extend(run(rehearsal, transcript, DEADLINE, same)?);
    all.extend(run(rehearsal, transcript, SHORT, other)?);
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
    deadline: Duration,
    deliveries: Vec<Delivery>,
) -> Result<Vec<(String, Outcome)>, String> {
    let checks = Checks::new(CheckOptions {
        choice: PluginChoice::Named(vec![rehearsal.plugin.clone()]),
        settings: settings(rehearsal, transcript),
        deadline,
        host: rehearsal.host.clone(),
        ..CheckOptions::default()
    })
    .map_err(|error| format!("{error}\n{}", error.hint()))?;
    let mut works = Vec::new();
    for (order, delivery) in deliveries.iter().enumerate() {
        let patience = if deadline == SHORT { SHORT * 3 } else { PATIENCE };
        let io = |error: std::io::Error| error.to_string();
        let (socket, stream, work) = match transcript.transport {
            TransportName::Tcp => {
                let (stream, work) =
                    peer::stream(transcript, delivery.clone(), patience).map_err(io)?;
                (SocketAddr::from((Ipv4Addr::LOCALHOST, transcript.port)), Some(stream), work)
            }
            TransportName::Udp => {
                let (socket, work) =
                    peer::datagrams(transcript, delivery.clone(), patience).map_err(io)?;
                (socket, None, work)
            }
        };
        let transport = match transcript.transport {
            TransportName::Tcp => Transport::Tcp,
            TransportName::Udp => Transport::Udp,
        };
        works.push(work);
        checks.submit(Job {
            order: order as u64,
            endpoint: Endpoint::new(socket, transport),
            target: Arc::from(transcript.target.as_str()),
            seed: transcript.seed,
            stream,
            answer: None,
        });
    }
    let mut results: Vec<Option<CheckResult>> = deliveries.iter().map(|_| None).collect();
    for _ in &deliveries {
        let (order, result) = checks.finished().recv().map_err(|error| error.to_string())?;
        results[order as usize] = Some(result);
    }
    let ended = deliveries.iter().zip(results).zip(works).map(|((delivery, result), work)| {
        let left = work.join().unwrap_or_else(|_| Err("the peer panicked".into()));
        let outcome = match result.ok_or("no result".to_owned()).and_then(|result| {
            judged(&result, delivery.rule(), transcript)?;
            // Only as written is the plugin held to every byte that it sends.
            if *delivery == Delivery::Whole { left } else { Ok(()) }
        }) {
            Ok(()) => Outcome::Passed,
            Err(why) => Outcome::Failed(why),
        };
        (delivery.name(), outcome)
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

/// The settings as a user would type them.
fn settings(rehearsal: &Rehearsal, transcript: &Transcript) -> Vec<(String, String, String)> {
    let typed = |value: &toml::Value| match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let name = &rehearsal.name;
    transcript
        .settings
        .iter()
        .map(|(key, value)| (name.clone(), key.clone(), typed(value)))
        .collect()
}
