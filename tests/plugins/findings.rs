//! What each built-in plugin can find, as `portscan check` knows it (build.rs takes
//! it from the sources), is what its component says.

use portscan::check::catalog::{Catalog, Plugin};
use portscan::host::Host;
use portscan_plugin::transcript::read_folder;

use crate::host::options;
use crate::lock::top;

/// The built-in plugins with their findings.
fn built_in(mut each: impl FnMut(&Plugin, &[&str])) {
    let catalog = Catalog::read(&[], &Host::new(options()));
    let ours = catalog.plugins.iter().filter(|plugin| plugin.source.path().is_none());
    let mut seen = 0;
    for plugin in ours {
        each(plugin, plugin.findings().expect("a built-in plugin has its list"));
        seen += 1;
    }
    assert!(seen >= 20, "{seen} built-in plugins");
}

#[test]
fn every_finding_of_a_transcript_is_known() {
    let mut expected = 0;
    built_in(|plugin, known| {
        let name = &plugin.metadata.name;
        let folder = top().join("plugins").join(name).join("transcripts");
        for (file, transcript) in read_folder(&folder).expect("transcripts can be read") {
            for finding in transcript.expect.findings.keys() {
                assert!(known.contains(&finding.as_str()), "{name}: {file}: {finding}");
                expected += 1;
            }
        }
    });
    assert!(expected > 50, "{expected} findings in the transcripts");
}

#[test]
fn every_known_finding_is_in_its_component() {
    built_in(|plugin, known| {
        let name = &plugin.metadata.name;
        let file = top().join("plugins/prebuilt").join(format!("{name}.wasm"));
        let component = std::fs::read(file).expect("a prebuilt component can be read");
        for finding in known {
            let bytes = finding.as_bytes();
            let is_there = component.windows(bytes.len()).any(|window| window == bytes);
            assert!(is_there, "{name} never says {finding}");
        }
    });
}

/// A name that is put together while the plugin runs would be missing in the list.
#[test]
fn no_plugin_names_a_finding_but_in_so_many_words() {
    built_in(|plugin, _| {
        let folder = top().join("plugins").join(&plugin.metadata.name).join("src");
        for entry in std::fs::read_dir(folder).expect("the sources can be listed") {
            let path = entry.expect("an entry can be read").path();
            let text = std::fs::read_to_string(&path).expect("a source can be read");
            for rest in text.split("finding(").skip(1) {
                assert!(
                    rest.trim_start().starts_with('"'),
                    "{}: finding({rest:.40}",
                    path.display()
                );
            }
        }
    });
}
