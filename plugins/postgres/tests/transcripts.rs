//! The conversations in transcripts/, and peers that no standard describes.

use std::path::Path;

use plugin_postgres::Postgres;
use portscan_plugin::Transport;
use portscan_plugin::transcript::{replay_checks, survives_hostile_peers};

#[test]
fn every_transcript_ends_as_it_says() -> Result<(), String> {
    replay_checks::<Postgres>(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/transcripts")))
}

#[test]
fn nothing_but_postgres_is_called_postgres() -> Result<(), String> {
    survives_hostile_peers::<Postgres>(Transport::Tcp, 5432)
}
