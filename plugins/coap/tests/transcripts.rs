//! The conversations in transcripts/, and answers that no standard describes.

use std::path::Path;

use plugin_coap::Coap;
use portscan_plugin::transcript::{replay_probes, survives_hostile_answers};

#[test]
fn every_transcript_ends_as_it_says() -> Result<(), String> {
    replay_probes::<Coap>(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/transcripts")))
}

#[test]
fn noise_is_never_confirmed() -> Result<(), String> {
    survives_hostile_answers::<Coap>(5683)
}
