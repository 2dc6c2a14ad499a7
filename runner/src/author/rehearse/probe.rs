//! Transcripts of the pure half: payloads and the judge of their answers.

use std::net::SocketAddr;

use portscan_plugin::transcript::{Delivery, Step, Transcript};

use super::trouble::{Rule, changed, for_datagrams, name, rule};
use super::{Outcome, Rehearsal, compare};
use crate::host::{Guest, Host, Origin};
use crate::model::{Endpoint, Transport, Verdict};

/// Runs one transcript as written, and in trouble. Nothing is sent.
pub(super) fn trials(
    rehearsal: &Rehearsal,
    transcript: &Transcript,
) -> Result<Vec<(String, Outcome)>, String> {
    let host = Host::new(rehearsal.host.clone());
    let guest = host
        .load(&rehearsal.component, Origin::Foreign)
        .map_err(|error| format!("{}: {error}", rehearsal.metadata.name))?;
    let mut deliveries = vec![Delivery::Whole];
    if rehearsal.trouble {
        let said = transcript.step.iter().find_map(|step| match step {
            Step::FromPeer(bytes) => bytes.fill(&[0; 65_536]).ok().map(|bytes| bytes.len()),
            _ => None,
        });
        deliveries.extend(for_datagrams(said.unwrap_or(0), rehearsal.seed));
    }
    let played = deliveries.iter().map(|delivery| {
        let outcome = match play(&guest, transcript, delivery) {
            Ok(()) => Outcome::Passed,
            Err(why) => Outcome::Failed(why),
        };
        (name(delivery), outcome)
    });
    Ok(played.collect())
}

fn play(guest: &Guest, transcript: &Transcript, delivery: &Delivery) -> Result<(), String> {
    let socket = SocketAddr::from((transcript.address, transcript.port));
    let endpoint = Endpoint::new(socket, Transport::Udp);
    let (target, seed) = (transcript.target.as_str(), transcript.seed);
    let payloads = guest.payloads(&endpoint, target, seed, &[]).map_err(|fault| fault.text)?;
    let mut sent = 0;
    for (at, step) in transcript.step.iter().enumerate() {
        let wrong = |why: String| format!("step {}: {why}", at + 1);
        match step {
            Step::ToPeer(wanted) => {
                let payload =
                    payloads.get(sent).ok_or_else(|| wrong("there is no such payload".into()))?;
                wanted.compare(&payload.bytes).map_err(wrong)?;
                sent += 1;
            }
            Step::FromPeer(bytes) => {
                let index = sent.checked_sub(1).ok_or_else(|| wrong("nothing was sent".into()))?;
                let answer = bytes.fill(&payloads[index].bytes).map_err(wrong)?;
                let Some(answer) = changed(answer, delivery) else { return Ok(()) };
                let judged = guest
                    .judge(&endpoint, target, seed, index as u32, transcript.port, &answer, &[])
                    .map_err(|fault| wrong(format!("{}: {}", fault.kind, fault.text)))?;
                match rule(delivery) {
                    Rule::Same => compare(&judged, &transcript.expect).map_err(wrong)?,
                    Rule::NotConfirmed if judged.verdict == Verdict::Confirmed => {
                        return Err(wrong(format!("confirmed: {}", judged.summary)));
                    }
                    Rule::NotConfirmed | Rule::NoFault => {}
                }
            }
            _ => return Err(wrong("a probe has no such step".into())),
        }
    }
    Ok(())
}
