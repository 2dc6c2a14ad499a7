//! The conversations in transcripts/, and peers that no standard describes.

use std::path::Path;

use plugin_dns::Dns;
use portscan_plugin::Transport;
use portscan_plugin::transcript::{
    replay_checks, replay_probes, survives_hostile_answers, survives_hostile_peers,
};

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/transcripts"))
}

#[test]
fn every_probe_transcript_ends_as_it_says() -> Result<(), String> {
    replay_probes::<Dns>(folder())
}

#[test]
fn every_check_transcript_ends_as_it_says() -> Result<(), String> {
    replay_checks::<Dns>(folder())
}

#[test]
fn nothing_but_dns_is_called_dns() -> Result<(), String> {
    survives_hostile_answers::<Dns>(53)?;
    survives_hostile_peers::<Dns>(Transport::Udp, 53)?;
    survives_hostile_peers::<Dns>(Transport::Tcp, 53)
}
