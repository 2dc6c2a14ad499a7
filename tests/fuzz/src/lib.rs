//! What is fuzzed: a function of bytes for everything that reads bytes from outside.
//!
//! Nothing here may panic, hang or allocate by a length that the bytes name, and
//! nothing but its own protocol's answer may be recognised twice in different ways.
//! `fuzz_targets/` gives each function to the fuzzer, `tests/replay.rs` gives it
//! the corpus. tests/fuzz/README.md says how to run it.

mod plugins;

use std::io::Cursor;
use std::path::Path;

use portscan::model::Transport;
use portscan::{check, expect, fuzzing, host, report, target};
use portscan_plugin::transcript::{Step, Transcript};

pub use plugins::{dialogues, judges};

/// A target's name, and what it does with bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("targets", targets),
    ("report", report),
    ("component", component),
    ("offender", offender),
    ("listeners", listeners),
    ("certificate", certificate),
    ("transcript", transcript),
    ("pins", pins),
    ("escape", escape),
    ("expectations", expectations),
    ("settings", settings),
    ("judges", judges),
    ("dialogues", dialogues),
];

/// Targets as words and as a file. What is understood can be walked.
pub fn targets(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    for spec in target::parse_words(&words).into_iter().flatten().take(4) {
        let _ = spec.host.addresses().take(8).count();
        let _ = spec.host.count();
    }
    let _ = target::parse_file("fuzz", &text);
}

/// A report that somebody kept.
pub fn report(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = report::Report::read(text);
    }
}

/// A component, looked at without compiling.
pub fn component(data: &[u8]) {
    let _ = host::inspect(data);
    let _ = host::peek_metadata(&mut Cursor::new(data));
}

/// What the kernel puts beside an ICMP error.
pub fn offender(data: &[u8]) {
    let _ = fuzzing::offender(data);
}

/// Lines of `/proc/net/tcp`.
pub fn listeners(data: &[u8]) {
    for line in String::from_utf8_lossy(data).lines() {
        let _ = fuzzing::is_listener(line);
    }
}

/// A certificate that a peer presents.
pub fn certificate(data: &[u8]) {
    let read = fuzzing::certificate(data);
    assert!(read.names.len() <= 1000, "more names than are kept");
    assert_eq!(read.fingerprint.len(), 64, "every certificate has one");
}

/// A transcript that somebody sent.
pub fn transcript(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(transcript) = toml::from_str::<Transcript>(text) else { return };
    for step in &transcript.step {
        if let Step::ToPeer(bytes) | Step::FromPeer(bytes) = step {
            let _ = bytes.compare(b"some bytes");
            let _ = bytes.fill(b"some bytes");
        }
    }
}

/// `plugins.lock`.
pub fn pins(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = check::pins::Pins::parse(text);
    }
}

/// Text of strangers: nothing that is left moves a terminal.
pub fn escape(data: &[u8]) {
    let escaped = fuzzing::escaped(&String::from_utf8_lossy(data));
    assert!(!escaped.chars().any(|c| c.is_control() && c != '\n'), "{escaped:?}");
}

/// Plugins for a file of expectations: none.
struct NoPlugins;

impl expect::Known for NoPlugins {
    fn plugins(&self) -> Vec<String> {
        Vec::new()
    }

    fn findings(&self, _: &str) -> Option<Vec<&str>> {
        None
    }

    fn by_itself(&self, _: u16, _: Transport) -> Option<String> {
        None
    }

    fn speaks(&self, _: &str, _: Transport) -> bool {
        true
    }

    fn setting(&self, _: &str, _: &str, _: &str) -> Result<(), String> {
        Ok(())
    }
}

/// A file of expected states. What is wrong with it is told with its place.
pub fn expectations(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut once = Some(text.to_owned());
    let mut read = |_: &Path| once.take().ok_or_else(|| "there is one file".to_owned());
    if let Err(wrong) = expect::read(Path::new("fuzz.toml"), &mut read, &NoPlugins) {
        assert!(wrong.to_string().contains("fuzz.toml:"), "{wrong}");
    }
}

/// Values of options.
pub fn settings(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = fuzzing::settings(text);
    }
}
