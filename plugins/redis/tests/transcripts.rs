//! The conversations in transcripts/, and peers that no standard describes.

use std::path::Path;

use plugin_redis::Redis;
use portscan_plugin::Transport;
use portscan_plugin::transcript::{replay_checks, survives_hostile_peers};

#[test]
fn every_transcript_ends_as_it_says() -> Result<(), String> {
    replay_checks::<Redis>(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/transcripts")))
}

#[test]
fn nothing_but_redis_is_called_redis() -> Result<(), String> {
    survives_hostile_peers::<Redis>(Transport::Tcp, 6379)
}
