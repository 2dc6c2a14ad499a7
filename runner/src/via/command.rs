use std::ffi::OsString;
use std::process::{Command, Stdio};

use super::Place;

/// What is asked of a place: the words behind `portscan`, and what it reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The command and its options.
    pub words: Vec<String>,
    /// Targets as a target file has them, for standard input: nothing of them shows in
    /// a list of processes.
    pub targets: String,
}

/// The ssh client is told to give up on what does not answer.
const PATIENCE: [&str; 6] = [
    "-oConnectTimeout=15",
    "-oServerAliveInterval=10",
    "-oServerAliveCountMax=3",
    "-oRequestTTY=no",
    "-oClearAllForwardings=yes",
    "-oPermitLocalCommand=no",
];

impl Request {
    /// The process that runs the request, for which all three streams are pipes.
    /// `asks` says that somebody is there to type a passphrase.
    pub(super) fn command(&self, place: &Place, asks: bool) -> Command {
        let mut command = match place {
            Place::Local => {
                let program = std::env::current_exe().unwrap_or_else(|_| "portscan".into());
                let mut command = Command::new(program);
                command.args(&self.words);
                command
            }
            Place::Ssh { user, host, port, program } => {
                let client = std::env::var_os("PORTSCAN_SSH").filter(|client| !client.is_empty());
                let mut command = Command::new(client.unwrap_or_else(|| OsString::from("ssh")));
                command.args(PATIENCE);
                if !asks {
                    command.arg("-oBatchMode=yes");
                }
                if let Some(port) = port {
                    command.arg(format!("-p{port}"));
                }
                if let Some(user) = user {
                    command.arg(format!("-l{user}"));
                }
                let words: Vec<String> =
                    std::iter::once(program).chain(&self.words).map(|word| quoted(word)).collect();
                command.args(["--", host, &words.join(" ")]);
                command
            }
        };
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// One word for a POSIX shell, whatever is in it (POSIX.1-2017, Shell Command Language
/// 2.2.2): between single quotes nothing has a meaning but their end.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./,:%+@".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_client_gets_the_host_behind_the_end_of_options() {
        let request = Request { words: vec!["--set=a.b=c d".into()], targets: String::new() };
        let place = "ssh://me@bastion:2222/opt/portscan".parse().unwrap();
        let command = request.command(&place, false);
        let words: Vec<_> = command.get_args().map(|w| w.to_string_lossy().into_owned()).collect();
        let end = words.iter().position(|word| word == "--").unwrap();
        assert!(words[..end].contains(&"-p2222".into()) && words[..end].contains(&"-lme".into()));
        assert_eq!(words[end + 1..], ["bastion", "/opt/portscan '--set=a.b=c d'"]);
    }

    proptest! {
        #[test]
        fn a_shell_reads_a_word_as_it_was(word in "[^\0]{0,40}") {
            let script = format!("printf %s {}", quoted(&word));
            let said = Command::new("/bin/sh").args(["-c", &script]).output().unwrap();
            prop_assert_eq!(said.stdout, word.as_bytes());
        }
    }
}
