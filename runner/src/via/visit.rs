use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ExitStatus};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use super::read::{MAX_LINE, Reader};
use super::{Asked, Place, Request, Said, Trouble};

/// What is kept of what a place says on stderr.
const MAX_TALK: usize = 16 * 1024;

/// Characters of it that are shown.
const MAX_SAID: usize = 400;

/// How often a process is looked at.
const TURN: Duration = Duration::from_millis(5);

/// How long after the end of a process what it said is waited for.
const TALKED_OUT: Duration = Duration::from_millis(300);

/// The exit code of a shell that does not find the program (POSIX.1-2017, Shell
/// Command Language 2.8.2), and of ssh(1) when it did not get there.
const NOT_FOUND: i32 = 127;
const SSH_FAILED: i32 = 255;

/// What a visit brings, with its number.
#[derive(Debug)]
pub enum News {
    /// Something it says.
    Said(Said),
    /// It is over; with trouble unless it told everything.
    Over(Option<Trouble>),
}

/// A request under way at one place. Dropping it kills its process.
pub struct Visit {
    child: Arc<Mutex<Child>>,
}

/// A process that runs, and to which nobody listens yet.
#[derive(Debug)]
pub struct Started {
    child: Child,
    place: Place,
    targets: String,
}

impl Started {
    /// Starts the request at `place`. A process starts with the signals that this
    /// thread lets through: ssh(1) must hear Ctrl-C to give the terminal back as it was.
    ///
    /// # Errors
    /// [`Trouble::Client`] when the process cannot be started.
    pub fn new(place: &Place, request: &Request, asks: bool) -> Result<Started, Trouble> {
        let mut command = request.command(place, asks);
        let program = command.get_program().to_string_lossy().into_owned();
        let child =
            command.spawn().map_err(|error| Trouble::Client { program, why: error.to_string() })?;
        Ok(Started { child, place: place.clone(), targets: request.targets.clone() })
    }

    /// Hands over the targets and listens. News come with `number` until [`News::Over`].
    pub fn attend(self, number: usize, asked: &Asked, news: SyncSender<(usize, News)>) -> Visit {
        let Started { mut child, place, targets } = self;
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        thread::spawn(move || {
            // One that ends early reads no further, and says why.
            stdin.map(|mut stdin| stdin.write_all(targets.as_bytes()))
        });
        let talk = Talk::default();
        let hearing = talk.clone();
        let hearing = thread::spawn(move || stderr.map(|stderr| hearing.hear(stderr)));
        let child = Arc::new(Mutex::new(child));
        let (theirs, mut reader) = (child.clone(), Reader::new(asked.clone()));
        thread::spawn(move || {
            let heard = stdout.map_or(Ok(()), |stdout| {
                listen(BufReader::new(stdout), &mut reader, |said| {
                    news.send((number, News::Said(said))).is_ok()
                })
            });
            if heard.is_err() {
                kill(&theirs);
            }
            // Its output is over: it ends by itself, or its connection does.
            let status = wait(&theirs);
            // What ssh(1) leaves behind for ControlPersist keeps the pipe open.
            wait_for(TALKED_OUT, || hearing.is_finished());
            let trouble = heard.err().or_else(|| ended(&place, &reader, status, &talk));
            let _ = news.send((number, News::Over(trouble)));
        });
        Visit { child }
    }
}

impl Visit {
    /// Asks the process to end, as Ctrl-C would; [`News::Over`] follows.
    pub fn end(&self) {
        let mut child = lock(&self.child);
        // Nobody else has its number as long as its end was not asked for.
        if let (Ok(None), Ok(id)) = (child.try_wait(), i32::try_from(child.id())) {
            let _ = signal::kill(Pid::from_raw(id), Signal::SIGTERM);
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        kill(&self.child);
    }
}

fn lock(child: &Mutex<Child>) -> std::sync::MutexGuard<'_, Child> {
    child.lock().unwrap_or_else(PoisonError::into_inner)
}

fn kill(child: &Mutex<Child>) {
    let _ = lock(child).kill();
}

/// Waits for the end of a process that may have to be killed meanwhile.
fn wait(child: &Mutex<Child>) -> io::Result<ExitStatus> {
    loop {
        if let Some(status) = lock(child).try_wait()? {
            return Ok(status);
        }
        thread::sleep(TURN);
    }
}

/// Reads lines within the cap until the end. `tell` says whether somebody listens.
fn listen(
    mut from: impl BufRead,
    reader: &mut Reader,
    tell: impl Fn(Said) -> bool,
) -> Result<(), Trouble> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let got = from.by_ref().take(MAX_LINE as u64).read_until(b'\n', &mut line);
        match got {
            // A connection that breaks looks like an end, and is told by what is missing.
            Ok(0) | Err(_) => return Ok(()),
            Ok(_) if line.last() == Some(&b'\n') => {}
            Ok(length) if length == MAX_LINE => {
                return Err(Trouble::Nonsense { what: "a line without an end".into() });
            }
            // Half a line is none.
            Ok(_) => return Ok(()),
        }
        line.pop();
        if let Some(said) = reader.line(&line)?
            && !tell(said)
        {
            return Ok(());
        }
    }
}

/// What a process said on stderr, as far as it is kept.
#[derive(Clone, Default)]
struct Talk(Arc<Mutex<Vec<u8>>>);

impl Talk {
    fn hear(&self, mut from: impl Read) {
        let mut piece = [0; 4096];
        while let Ok(length @ 1..) = from.read(&mut piece) {
            let mut talk = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            talk.extend_from_slice(&piece[..length]);
            let surplus = talk.len().saturating_sub(MAX_TALK);
            talk.drain(..surplus);
        }
    }

    /// The last line that is not empty.
    fn last_line(&self) -> String {
        let talk = self.text();
        let last = talk.lines().rev().map(str::trim).find(|line| !line.is_empty());
        last.unwrap_or("it said nothing").chars().take(MAX_SAID).collect()
    }

    /// What portscan said there, whose last line may be but the next step.
    fn message(&self) -> String {
        let talk = self.text();
        let lines: Vec<&str> =
            talk.lines().filter_map(|line| line.strip_prefix("portscan: ")).collect();
        match lines.is_empty() {
            true => self.last_line(),
            false => lines.join("; ").chars().take(MAX_SAID).collect(),
        }
    }

    fn text(&self) -> String {
        let talk = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&talk).into_owned()
    }
}

/// Waits until it is so, or for about so long.
fn wait_for(most: Duration, is_so: impl Fn() -> bool) {
    let turns = most.as_millis() / TURN.as_millis();
    for _ in (0..turns).take_while(|_| !is_so()) {
        thread::sleep(TURN);
    }
}

/// What is wrong with how a visit ended.
fn ended(
    place: &Place,
    reader: &Reader,
    status: io::Result<ExitStatus>,
    talk: &Talk,
) -> Option<Trouble> {
    let code = status.ok().and_then(|status| status.code());
    let is_remote = *place != Place::Local;
    let (place, said) = (place.to_string(), talk.last_line());
    match (reader.state(), code) {
        ((_, true), _) if reader.was_stopped() => Some(Trouble::Stopped { rows: reader.rows }),
        ((_, true), _) => None,
        ((true, false), _) => Some(Trouble::Lost { rows: reader.rows, said }),
        ((false, _), Some(SSH_FAILED)) if is_remote => Some(Trouble::Unreachable { place, said }),
        ((false, _), Some(NOT_FOUND)) if is_remote => Some(Trouble::Missing { place, said }),
        _ => Some(Trouble::Refused { said: talk.message() }),
    }
}
