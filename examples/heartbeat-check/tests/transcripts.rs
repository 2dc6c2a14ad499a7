//! The conversations in transcripts/, and peers that speak something else.

use std::path::Path;

use heartbeat_check::Heartbeat;
use portscan_plugin::Transport;
use portscan_plugin::transcript::{
    replay_checks, replay_probes, survives_hostile_answers, survives_hostile_peers,
};

const TRANSCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/transcripts");

#[test]
fn every_transcript_ends_as_it_says() -> Result<(), String> {
    replay_checks::<Heartbeat>(Path::new(TRANSCRIPTS))?;
    replay_probes::<Heartbeat>(Path::new(TRANSCRIPTS))
}

#[test]
fn nothing_else_is_called_a_job_server() -> Result<(), String> {
    survives_hostile_peers::<Heartbeat>(Transport::Tcp, 7400)?;
    survives_hostile_answers::<Heartbeat>(7400)
}
