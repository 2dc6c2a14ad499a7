//! Every transcript again, this time through the prebuilt component, the real
//! host and real sockets on loopback.
//!
//! The natively replayed transcripts (each plugin's own tests) prove the
//! judging; these prove that the component in the repository judges likewise.
//! Left to the native ones: TLS, a second connection and a clock that stands
//! still, which a socket on loopback cannot play. `tests/services` has real
//! servers for the first two.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use portscan::check::{CheckOptions, Checks, Job, PluginChoice};
use portscan::host::{Host, Origin};
use portscan::model::{CheckResult, Conclusion, Endpoint, FindingValue, Transport};
use portscan_plugin::transcript::{Expect, Half, Step, Transcript, TransportName, read_folder};

use crate::host::options;
use crate::lock::top;
use crate::peer;

/// Time for one check. Long enough for the second question of dns and ntp.
const DEADLINE: Duration = Duration::from_secs(6);

/// The transcripts of every plugin, each with the plugin's name and its file.
fn all() -> Vec<(String, String, Transcript)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(top().join("plugins")).expect("plugins can be listed") {
        let folder = entry.expect("an entry can be read").path();
        let name = folder.file_name().expect("it has a name").to_string_lossy().into_owned();
        if name == "sdk" || !folder.join("Cargo.toml").is_file() {
            continue;
        }
        let transcripts = read_folder(&folder.join("transcripts")).expect("transcripts are valid");
        assert!(!transcripts.is_empty(), "plugin {name} has no transcript");
        all.extend(transcripts.into_iter().map(|(file, read)| (name.clone(), file, read)));
    }
    all
}

#[test]
fn every_check_transcript_ends_likewise_in_the_component() {
    let playable: Vec<_> = all()
        .into_iter()
        .filter(|(_, _, read)| read.half == Half::Check && is_playable(read))
        .collect();
    assert!(playable.len() >= 20, "most transcripts can be played on loopback");
    for (plugin, file, transcript) in playable {
        let result = check(&plugin, &transcript).unwrap_or_else(|why| panic!("{file}: {why}"));
        if let Some(fault) = result.fault {
            panic!("{file}: {fault:?}");
        }
        compare(&result.conclusion, &transcript.expect)
            .unwrap_or_else(|why| panic!("{file}: {why}"));
    }
}

#[test]
fn every_probe_transcript_ends_likewise_in_the_component() {
    let host = Host::new(options());
    let mut played = 0;
    for (plugin, file, transcript) in all() {
        if transcript.half == Half::UdpProbe {
            probe(&host, &plugin, &transcript).unwrap_or_else(|why| panic!("{file}: {why}"));
            played += 1;
        }
    }
    assert!(played > 0);
}

fn is_playable(transcript: &Transcript) -> bool {
    let needs_more = |step: &Step| matches!(step, Step::Tls(_) | Step::Reconnect);
    transcript.unix_time == 0 && !transcript.step.iter().any(needs_more)
}

fn check(plugin: &str, transcript: &Transcript) -> Result<CheckResult, String> {
    let checks = Checks::new(CheckOptions {
        choice: PluginChoice::Named(vec![plugin.to_owned()]),
        settings: settings(plugin, transcript),
        deadline: DEADLINE,
        host: options(),
        ..CheckOptions::default()
    })
    .map_err(|error| error.to_string())?;
    let io = |error: std::io::Error| error.to_string();
    let (socket, stream, work) = match transcript.transport {
        TransportName::Tcp => {
            let (stream, work) = peer::stream(transcript).map_err(io)?;
            (SocketAddr::from((Ipv4Addr::LOCALHOST, transcript.port)), Some(stream), work)
        }
        TransportName::Udp => {
            let (socket, work) = peer::datagrams(transcript).map_err(io)?;
            (socket, None, work)
        }
    };
    checks.submit(Job {
        order: 0,
        endpoint: Endpoint::new(socket, transport(transcript)),
        target: Arc::from(transcript.target.as_str()),
        seed: transcript.seed,
        stream,
        answer: None,
    });
    let (_, result) = checks.finished().recv().map_err(|error| error.to_string())?;
    work.join().map_err(|_| "the peer panicked".to_owned())??;
    Ok(result)
}

/// The settings as a user would type them.
fn settings(plugin: &str, transcript: &Transcript) -> Vec<(String, String, String)> {
    let typed = |value: &toml::Value| match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let settings = transcript.settings.iter();
    settings.map(|(name, value)| (plugin.to_owned(), name.clone(), typed(value))).collect()
}

fn probe(host: &Host, plugin: &str, transcript: &Transcript) -> Result<(), String> {
    let file = top().join("plugins/prebuilt").join(format!("{plugin}.wasm"));
    let bytes = std::fs::read(file).map_err(|error| error.to_string())?;
    let guest = host.load(&bytes, Origin::BuiltIn).map_err(|error| error.to_string())?;
    // Nothing is sent: the address is the one that native replays use.
    let socket = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), transcript.port));
    let endpoint = Endpoint::new(socket, Transport::Udp);
    let (target, seed) = (transcript.target.as_str(), transcript.seed);
    let payloads = guest.payloads(&endpoint, target, seed, &[]).map_err(|fault| fault.text)?;
    let mut sent = 0;
    for step in &transcript.step {
        match step {
            Step::ToPeer(wanted) => {
                wanted.compare(&payloads[sent].bytes)?;
                sent += 1;
            }
            Step::FromPeer(bytes) => {
                let answer = bytes.fill(&payloads[sent - 1].bytes)?;
                let index = sent as u32 - 1;
                let judged =
                    guest.judge(&endpoint, target, seed, index, transcript.port, &answer, &[]);
                compare(&judged.map_err(|fault| fault.text)?, &transcript.expect)?;
            }
            other => return Err(format!("a probe has no step {other:?}")),
        }
    }
    Ok(())
}

fn transport(transcript: &Transcript) -> Transport {
    match transcript.transport {
        TransportName::Tcp => Transport::Tcp,
        TransportName::Udp => Transport::Udp,
    }
}

fn compare(conclusion: &Conclusion, expect: &Expect) -> Result<(), String> {
    let (verdict, health) = (conclusion.verdict.name(), conclusion.health.name());
    if (verdict, health) != (&expect.verdict, &expect.health) {
        return Err(format!(
            "expected {} and {}, got {conclusion:?}",
            expect.verdict, expect.health
        ));
    }
    // A conversation that broke off is summed up by the host, in its own words.
    if verdict != "inconclusive" && !conclusion.summary.contains(&expect.summary) {
        return Err(format!("the summary is: {}", conclusion.summary));
    }
    for (name, wanted) in &expect.findings {
        // Measured, and not the same each time.
        if name.ends_with("-ms") {
            continue;
        }
        let found = conclusion.findings.iter().find(|finding| finding.name == *name);
        if found.map(|finding| shown(&finding.value)).as_ref() != Some(wanted) {
            return Err(format!("finding {name}: expected {wanted}, got {found:?}"));
        }
    }
    Ok(())
}

fn shown(value: &FindingValue) -> toml::Value {
    match value {
        FindingValue::Boolean(value) => toml::Value::Boolean(*value),
        FindingValue::Integer(number) => toml::Value::Integer(*number),
        FindingValue::Text(text) => toml::Value::String(text.clone()),
        FindingValue::Bytes(bytes) => {
            toml::Value::String(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
        }
        FindingValue::Duration(length) => toml::Value::Integer(length.as_millis() as i64),
    }
}
