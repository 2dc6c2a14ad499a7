//! The corpus, and what the fuzzer once found, without the fuzzer.

use std::path::Path;

use portscan_fuzz::TARGETS;

#[test]
fn every_entry_of_the_corpus_is_survived() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, target) in TARGETS {
        let folder = corpus.join(name);
        let mut entries = 0;
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{name}: {e}")) {
            let path = entry.expect("it is read").path();
            let data = std::fs::read(&path).expect("it is read");
            // A panic names the entry.
            if std::panic::catch_unwind(|| target(&data)).is_err() {
                panic!("{}: see the panic above", path.display());
            }
            entries += 1;
        }
        assert!(entries > 0, "{name} has no corpus");
    }
}

#[test]
fn every_target_has_its_program_and_every_corpus_its_target() {
    let names = |folder: &str| -> Vec<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let entries = std::fs::read_dir(folder).expect("it is a folder").flatten();
        let mut names: Vec<String> = entries
            .map(|e| e.path().file_stem().expect("a name").to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    };
    let mut targets: Vec<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    targets.sort();
    assert_eq!(names("fuzz_targets"), targets);
    assert_eq!(names("corpus"), targets);
}
