//! The conversations in transcripts/, natively; `portscan plugin test .` plays them
//! with the component.

use std::path::Path;

use portscan_plugin::transcript::replay_checks;

#[test]
fn every_transcript_ends_as_it_says() -> Result<(), String> {
    replay_checks::<CRATE::Service>(Path::new("transcripts"))
}
