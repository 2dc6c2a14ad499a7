//! How a run ends as an exit code.

use crate::model::{Health, Outcome, PortState};

/// What the process says to the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExitStatus {
    /// Every endpoint is open and no check found it unhealthy.
    AllOpen = 0,
    /// Everything was measured, and something is not open or not healthy.
    NotAllOpen = 1,
    /// It could not run as asked, or an endpoint could not be measured: a name
    /// without address, a state `unknown`.
    CannotRun = 2,
    /// A mistake of ours.
    Bug = 3,
    /// Interrupted; what was known by then was shown.
    Interrupted = 130,
}

impl ExitStatus {
    /// The status whose number says the same to Nagios and its kin: 0 OK, 1 WARNING,
    /// 2 CRITICAL, 3 UNKNOWN (Monitoring Plugins Development Guidelines, "Plugin
    /// Return Codes").
    ///
    /// A degraded service is no WARNING here: it is open and can serve.
    pub fn for_nagios(self) -> ExitStatus {
        match self {
            ExitStatus::NotAllOpen => ExitStatus::CannotRun,
            ExitStatus::CannotRun | ExitStatus::Interrupted => ExitStatus::Bug,
            same => same,
        }
    }
}

/// Follows the rows of a run and knows its exit status at the end.
///
/// The worse wins: what could not be measured over what is not open.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    not_open: bool,
    not_measured: bool,
}

impl Tally {
    /// Takes one row into account.
    pub fn add(&mut self, outcome: &Outcome) {
        self.add_row(outcome.state, outcome.check.as_ref().map(|c| c.conclusion.health));
    }

    /// Takes the row of an earlier run into account.
    pub fn add_row(&mut self, state: PortState, health: Option<Health>) {
        let unhealthy = health == Some(Health::Unhealthy);
        match state {
            PortState::Unknown => self.not_measured = true,
            PortState::Open if !unhealthy => {}
            _ => self.not_open = true,
        }
    }

    /// Takes a name without address into account.
    pub fn add_unresolved(&mut self) {
        self.not_measured = true;
    }

    /// The status of a run that came to its end.
    pub fn status(&self) -> ExitStatus {
        match (self.not_measured, self.not_open) {
            (true, _) => ExitStatus::CannotRun,
            (false, true) => ExitStatus::NotAllOpen,
            (false, false) => ExitStatus::AllOpen,
        }
    }
}
