//! The conversations in transcripts/, and peers that no standard describes.

use std::path::Path;

use plugin_ntp::Ntp;
use portscan_plugin::Transport;
use portscan_plugin::transcript::{
    replay_checks, replay_probes, survives_hostile_answers, survives_hostile_peers,
};

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/transcripts"))
}

#[test]
fn every_probe_transcript_ends_as_it_says() -> Result<(), String> {
    replay_probes::<Ntp>(folder())
}

#[test]
fn every_check_transcript_ends_as_it_says() -> Result<(), String> {
    replay_checks::<Ntp>(folder())
}

#[test]
fn nothing_but_ntp_is_called_ntp() -> Result<(), String> {
    survives_hostile_answers::<Ntp>(123)?;
    survives_hostile_peers::<Ntp>(Transport::Udp, 123)
}
