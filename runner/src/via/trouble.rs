use thiserror::Error;

/// Why a place did not answer the whole request. Quotes other machines: escape before
/// showing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Trouble {
    /// There is no ssh client.
    #[error("cannot start '{program}': {why}; install an ssh client, or name one in PORTSCAN_SSH")]
    Client {
        /// The program.
        program: String,
        /// The operating system's words.
        why: String,
    },
    /// The connection did not come about. The ssh client says why.
    #[error("ssh did not get there: {said}; try: ssh {place} true")]
    Unreachable {
        /// The place, which ssh(1) takes, too.
        place: String,
        /// Its last line.
        said: String,
    },
    /// There is no portscan.
    #[error(
        "there is no portscan there ({said}); install it, or say where it is: {place}/PATH/OF/portscan"
    )]
    Missing {
        /// The place.
        place: String,
        /// The shell's last line.
        said: String,
    },
    /// It ended before it began to tell.
    #[error("portscan did not run there: {said}")]
    Refused {
        /// Its last line.
        said: String,
    },
    /// Another version.
    #[error("portscan {theirs} is there, and {ours} is here; both must be of one version")]
    Version {
        /// What is there.
        theirs: String,
        /// What is here.
        ours: String,
    },
    /// It says what portscan does not say.
    #[error("what came is not portscan's: {what}")]
    Nonsense {
        /// What.
        what: String,
    },
    /// It ended before its end.
    #[error("the connection was lost after {rows} endpoints ({said}); what came is shown")]
    Lost {
        /// Rows that came.
        rows: usize,
        /// The last line of stderr.
        said: String,
    },
    /// It says nothing any more.
    #[error("nothing came for {seconds} s; it was given up after {rows} endpoints")]
    Silent {
        /// Rows that came.
        rows: usize,
        /// How long was waited.
        seconds: u64,
    },
    /// Somebody ended it there.
    #[error("portscan was interrupted there after {rows} endpoints; what came is shown")]
    Stopped {
        /// Rows that came.
        rows: usize,
    },
    /// The user interrupted.
    #[error("interrupted after {rows} endpoints")]
    Interrupted {
        /// Rows that came.
        rows: usize,
    },
}

impl Trouble {
    /// A word for it, as documents have it.
    pub fn name(&self) -> &'static str {
        match self {
            Trouble::Client { .. } => "no-client",
            Trouble::Unreachable { .. } => "unreachable",
            Trouble::Missing { .. } => "no-portscan",
            Trouble::Refused { .. } => "refused",
            Trouble::Version { .. } => "other-version",
            Trouble::Nonsense { .. } => "nonsense",
            Trouble::Lost { .. } => "lost",
            Trouble::Silent { .. } => "silent",
            Trouble::Stopped { .. } => "stopped",
            Trouble::Interrupted { .. } => "interrupted",
        }
    }
}
