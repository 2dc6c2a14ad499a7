//! Transcripts of the checks of a run, so that a report from production becomes
//! a test of its plugin.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::transcribe::{dialogue, probe};
use super::{Answer, Job};
use crate::host::Recorder;
use crate::model::{CheckResult, Payload, Setting, Transport};

/// Most files of one name: the rounds of a watch that nobody ended.
const MOST_OF_A_NAME: u32 = 1000;

/// Where transcripts are kept.
#[derive(Debug)]
pub(super) struct Recordings {
    folder: PathBuf,
}

/// What a transcript is of.
pub(super) struct Recorded<'a> {
    pub plugin: &'a str,
    pub job: &'a Job,
    pub settings: &'a [Setting],
    /// Names of the settings whose values are secrets.
    pub secret_names: &'a [String],
    /// Their values.
    pub secrets: &'a [String],
    pub result: &'a CheckResult,
}

impl Recordings {
    /// Keeps transcripts in `folder`, which is made.
    ///
    /// # Errors
    /// It cannot be made.
    pub(super) fn new(folder: &Path) -> io::Result<Recordings> {
        std::fs::create_dir_all(folder)?;
        Ok(Recordings { folder: folder.to_owned() })
    }

    /// Writes down a dialogue.
    pub(super) fn dialogue(&self, recorded: &Recorded<'_>, recorder: &Recorder) -> io::Result<()> {
        let (events, is_cut) = recorder.take();
        self.write(recorded, "check", &dialogue(recorded, &events, is_cut))
    }

    /// Writes down a datagram and its answer.
    pub(super) fn probe(
        &self,
        recorded: &Recorded<'_>,
        payloads: &[Payload],
        answer: &Answer,
    ) -> io::Result<()> {
        self.write(recorded, "probe", &probe(recorded, payloads, answer))
    }

    fn write(&self, recorded: &Recorded<'_>, half: &str, text: &str) -> io::Result<()> {
        let endpoint = recorded.job.endpoint;
        let address = endpoint.ip().to_string().replace(':', "_");
        let transport = match endpoint.transport {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        };
        // A plugin's name is kebab-case, which the host has checked.
        let name = format!("{}-{address}-{}-{transport}-{half}", recorded.plugin, endpoint.port());
        self.create(&name)?.write_all(text.as_bytes())
    }

    /// A file of its own for every check: an earlier one may be what somebody needs.
    fn create(&self, name: &str) -> io::Result<File> {
        let mut path = self.folder.join(format!("{name}.toml"));
        for n in 2..=MOST_OF_A_NAME {
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    path = self.folder.join(format!("{name}-{n}.toml"));
                }
                other => return other,
            }
        }
        Err(io::Error::other(format!("{} has {MOST_OF_A_NAME} of {name}", self.folder.display())))
    }
}
