use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Work that is over sooner shows no progress.
const PATIENCE: Duration = Duration::from_secs(1);

/// Time between two updates: the eye follows no faster.
const PAUSE: Duration = Duration::from_millis(200);

/// One line on stderr that says how far the run is. Silent when stderr is no
/// terminal, when told to be quiet, and in the first second.
pub struct Progress {
    quiet: bool,
    on: bool,
    start: Instant,
    shown: Option<Instant>,
}

impl Progress {
    /// A progress line, unless `quiet`.
    pub fn new(quiet: bool) -> Progress {
        let on = !quiet && std::io::stderr().is_terminal();
        Progress { quiet, on, start: Instant::now(), shown: None }
    }

    /// Shows where the run is: endpoints done, all of them if known, open so far.
    pub fn update(&mut self, done: u64, total: Option<u64>, open: u64) {
        let now = Instant::now();
        let due = self.shown.map_or(now - self.start >= PATIENCE, |at| now - at >= PAUSE);
        if !self.on || !due {
            return;
        }
        self.shown = Some(now);
        let elapsed = (now - self.start).as_secs_f64();
        let rate = done as f64 / elapsed;
        let left = total.map(|total| total.saturating_sub(done));
        let of = total.map(|total| format!(" of {total}")).unwrap_or_default();
        let eta = match left {
            Some(left) if left > 0 && done > 0 => {
                format!(", about {:.0} s left", left as f64 / rate)
            }
            _ => String::new(),
        };
        let _ = write!(std::io::stderr(), "\r\x1b[K{done}{of} done, {open} open, {rate:.0}/s{eta}");
    }

    /// Says something beside the line, in a run that is not quiet.
    pub fn note(&mut self, text: &str) {
        self.clear();
        if !self.quiet {
            super::talk::note(text);
        }
    }

    /// Removes the line.
    pub fn clear(&mut self) {
        if self.shown.take().is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
