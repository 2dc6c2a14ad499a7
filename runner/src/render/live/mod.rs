//! A watch on a terminal: what is now, drawn in place.
//!
//! Every frame is one write, and leaves the terminal as it was before it: the cursor
//! is shown and below the frame, lines wrap. So there is nothing to restore, whatever
//! ends the program. Sequences: ECMA-48 (CUU, CUP, ED, EL), and DEC's private modes 7
//! and 25, which every terminal of today has.

mod frame;
mod glyphs;
mod line;
#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;

use super::{Style, talk};
use crate::compare::{Change, History, Key};
use crate::report::{EndpointRow, Report};
use glyphs::Glyphs;

/// Time between two looks at the terminal's size and at the clock.
const LOOK: Duration = Duration::from_millis(100);
/// Columns and lines where the terminal does not tell.
const USUAL: (usize, usize) = (80, 24);

/// What the view says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Caption {
    /// From the beginning of one round to that of the next.
    pub every: Duration,
    /// There is a file of expectations, so what differs is marked.
    pub expects: bool,
}

/// Whether a live view suits standard output: a terminal that moves its cursor.
pub fn suits_stdout() -> bool {
    let moves = std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
    io::stdout().is_terminal() && moves
}

/// The view. When it is dropped, its last frame stays.
pub struct Live {
    shared: Arc<Shared>,
    painter: Option<JoinHandle<()>>,
}

struct Shared {
    screen: Mutex<Screen>,
    wake: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Screen> {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    /// Begins to draw. Notes are held from now on, and told above the view.
    ///
    /// # Errors
    /// No thread could be started.
    pub fn begin(style: Style, caption: Caption) -> io::Result<Live> {
        let screen = Screen::new(style, caption, Glyphs::of_locale());
        let shared = Arc::new(Shared { screen: Mutex::new(screen), wake: Condvar::new() });
        let theirs = shared.clone();
        let work = move || paint_until_over(&theirs);
        let painter = std::thread::Builder::new().name("live".into()).spawn(work)?;
        talk::hold();
        Ok(Live { shared, painter: Some(painter) })
    }

    /// Shows a round: its report, what changed with it, why an endpoint is not as it
    /// should be (empty where its state says it), and what a file's expectations came to.
    ///
    /// # Errors
    /// The terminal could not be written to.
    pub fn round(
        &self,
        report: &Report,
        changes: &[Change],
        wrong: impl Fn(&Key, Option<&EndpointRow<'_>>) -> Option<String>,
        counts: Option<String>,
    ) -> io::Result<()> {
        let notes = talk::held();
        if !notes.is_empty() {
            self.aside(|| notes.iter().for_each(|note| talk::error(note)));
        }
        let mut screen = self.shared.lock();
        let at = report.tail.finished.parse().unwrap_or_else(|_| Timestamp::now());
        screen.history.add(report, changes, wrong, at);
        (screen.counts, screen.stale) = (counts, true);
        self.shared.wake.notify_one();
        match screen.failed.take() {
            Some(error) => Err(error),
            None if self.painter.as_ref().is_some_and(JoinHandle::is_finished) => {
                Err(io::Error::other("the thread that draws is gone"))
            }
            None => Ok(()),
        }
    }

    /// Does something that may write to the terminal: the view makes room, and is drawn
    /// again below what was written.
    pub fn aside<T>(&self, work: impl FnOnce() -> T) -> T {
        let mut screen = self.shared.lock();
        screen.clear(&mut io::stdout());
        let done = work();
        screen.stale = true;
        done
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        {
            // Drawn once more, over the ^C that the terminal shows.
            let mut screen = self.shared.lock();
            (screen.over, screen.stale) = (true, true);
        }
        self.shared.wake.notify_one();
        if let Some(painter) = self.painter.take() {
            // It has nothing to tell: what went wrong stands in the screen.
            let _ = painter.join();
        }
        talk::release();
    }
}

fn paint_until_over(shared: &Shared) {
    let mut screen = shared.lock();
    loop {
        screen.paint_if_due(&mut io::stdout(), size(), Timestamp::now());
        if screen.over || screen.failed.is_some() {
            return;
        }
        let waited = shared.wake.wait_timeout(screen, LOOK);
        screen = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// Columns and lines of the terminal.
fn size() -> (usize, usize) {
    let seen = terminal_size::terminal_size_of(io::stdout());
    let seen = seen.map(|(width, height)| (usize::from(width.0), usize::from(height.0)));
    seen.filter(|(width, height)| *width > 0 && *height > 0).unwrap_or(USUAL)
}

/// What is shown, and what of it stands on the terminal.
struct Screen {
    history: History,
    counts: Option<String>,
    caption: Caption,
    style: Style,
    glyphs: Glyphs,
    /// The frame that stands there: its lines, the terminal's size, the second.
    drawn: Option<(usize, (usize, usize), i64)>,
    stale: bool,
    over: bool,
    failed: Option<io::Error>,
}

impl Screen {
    fn new(style: Style, caption: Caption, glyphs: Glyphs) -> Screen {
        Screen {
            history: History::default(),
            counts: None,
            caption,
            style,
            glyphs,
            drawn: None,
            stale: false,
            over: false,
            failed: None,
        }
    }

    /// Draws what is new, at the size that the terminal has now.
    fn paint_if_due(&mut self, out: &mut dyn Write, size: (usize, usize), now: Timestamp) {
        let same =
            self.drawn.is_some_and(|(_, at, second)| (at, second) == (size, now.as_second()));
        if self.history.rounds() == 0 || same && !self.stale {
            return;
        }
        let lines = frame::lines(self, size, now);
        let mut text = String::from("\x1b[?25l\x1b[?7l");
        match self.drawn {
            // Nobody knows how a terminal moves lines that no longer fit.
            Some((_, at, _)) if at != size => text.push_str("\x1b[H"),
            Some((drawn, _, _)) if drawn > 0 => text.push_str(&format!("\x1b[{drawn}A\r")),
            _ => text.push('\r'),
        }
        for (at, line) in lines.iter().enumerate() {
            let is_last = at + 1 == lines.len();
            // Erased first: after a line of full width the cursor is still in it.
            text.push_str(if is_last { "\x1b[J" } else { "\x1b[2K" });
            text.push_str(line);
            // Standard output keeps what stands after the last line break for another write.
            text.push_str(if is_last { "\x1b[?7h\x1b[?25h\r\n" } else { "\r\n" });
        }
        self.drawn = Some((lines.len(), size, now.as_second()));
        self.stale = false;
        self.write(out, &text);
    }

    /// Removes the frame.
    fn clear(&mut self, out: &mut dyn Write) {
        if let Some((lines, _, _)) = self.drawn.take()
            && lines > 0
        {
            self.write(out, &format!("\x1b[{lines}A\r\x1b[J"));
        }
    }

    fn write(&mut self, out: &mut dyn Write, text: &str) {
        if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            self.failed = Some(error);
        }
    }
}
