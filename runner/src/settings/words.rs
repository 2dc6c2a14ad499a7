//! From words to what was typed.

use std::ffi::OsString;

use clap::{Args as _, FromArgMatches as _, Parser as _};

use crate::cli::{Cli, ProbeArgs};

/// All commands, held to the definitions by a test.
const COMMANDS: [&str; 15] = [
    "probe",
    "audit",
    "watch",
    "check",
    "config",
    "trace",
    "plugin",
    "explain",
    "diff",
    "compare",
    "baseline",
    "man",
    "completions",
    "__compile",
    "help",
];

/// Reads the words of a command line.
///
/// Making the definitions of all commands takes a sixth of a whole cold probe, and
/// most runs are probes: those are read by their own. Whatever else it is, help and
/// mistakes included, is for the whole parser.
///
/// # Errors
/// What is wrong with the words, or the help that was asked for.
pub(super) fn parse(words: &[OsString]) -> Result<Cli, clap::Error> {
    let is_command = |word: &OsString| COMMANDS.iter().any(|command| word == command);
    if !words.iter().skip(1).any(is_command) {
        let own = ProbeArgs::augment_args(clap::Command::default().name("portscan"));
        let typed = own.try_get_matches_from(words);
        if let Ok(probe) = typed.and_then(|mut typed| ProbeArgs::from_arg_matches_mut(&mut typed)) {
            return Ok(Cli { command: None, probe });
        }
    }
    Cli::try_parse_from(words)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::settings::definitions;

    #[test]
    fn every_command_is_known_by_its_name() {
        let defined = definitions();
        let named = defined.get_subcommands().flat_map(|command| {
            let aliases = command.get_all_aliases().map(str::to_owned);
            std::iter::once(command.get_name().to_owned()).chain(aliases).collect::<Vec<_>>()
        });
        let mut named: BTreeSet<String> = named.collect();
        named.insert("help".to_owned());
        assert_eq!(named, COMMANDS.map(str::to_owned).into());
    }

    #[test]
    fn a_probe_is_read_by_its_own_definitions_as_by_all() {
        for line in [
            "portscan localhost 22 53/udp",
            "portscan -4 --rate max --set dns.name=a --set dns.type=AAAA 10.0.0.1:80",
            "portscan --targets - --format json -o csv=x.csv -- -host",
            "portscan",
        ] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let whole = Cli::try_parse_from(&words).map(|typed| format!("{typed:?}"));
            let read = parse(&words).map(|typed| format!("{typed:?}"));
            assert_eq!(read.ok(), whole.ok(), "{line}");
        }
    }
}
