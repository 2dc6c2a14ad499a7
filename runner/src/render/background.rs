use std::io;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use super::Renderer;
use crate::model::Outcome;
use crate::report::{Footer, Header};

/// Rows written in the foreground. A thread is not worth its start for fewer.
const FEW: usize = 1_000;

/// Rows handed over at once.
const BATCH: usize = 1_024;

/// Batches on their way. Then the prober waits for whoever reads the report.
const QUEUE: usize = 4;

/// A renderer that needs a row only while it writes it.
pub(super) trait Rows: Send {
    /// The run begins.
    fn begin(&mut self, header: &Header) -> io::Result<()>;
    /// An endpoint is done.
    fn row(&mut self, outcome: &Outcome) -> io::Result<()>;
    /// See [`Renderer::flush`].
    fn flush(&mut self) -> io::Result<()>;
    /// The run is over.
    fn end(&mut self, footer: &Footer) -> io::Result<()>;
}

/// Writes the rows of large runs in a thread of their own: making text of a
/// closed port costs a third of what probing it does.
pub(super) struct Background {
    place: Place,
    rows: usize,
    batch: Vec<Outcome>,
}

/// What the thread ends with: the renderer, and how writing went.
type Ended = (Box<dyn Rows>, io::Result<()>);

enum Place {
    Here(Box<dyn Rows>),
    Away {
        sender: SyncSender<Vec<Outcome>>,
        /// Rows that were written come back to be dropped where they were made:
        /// freed over there, each would take the allocator's lock from us.
        written: Receiver<Vec<Outcome>>,
        thread: JoinHandle<Ended>,
    },
    /// Never seen by a caller: the thread could not be started or joined.
    Lost,
}

impl Background {
    pub fn new(renderer: Box<dyn Rows>) -> Background {
        Background { place: Place::Here(renderer), rows: 0, batch: Vec::new() }
    }

    fn hand_over(&mut self) -> io::Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let mut used = match &self.place {
            Place::Away { written, .. } => written.try_recv().unwrap_or_default(),
            _ => Vec::new(),
        };
        used.clear();
        used.reserve(BATCH);
        let batch = std::mem::replace(&mut self.batch, used);
        match &self.place {
            Place::Away { sender, .. } if sender.send(batch).is_ok() => Ok(()),
            // The thread has ended early, so it could not write.
            _ => self.come_back().map(drop),
        }
    }

    fn go_away(&mut self) -> io::Result<()> {
        let Place::Here(renderer) = std::mem::replace(&mut self.place, Place::Lost) else {
            return Ok(());
        };
        let (sender, receiver) = sync_channel::<Vec<Outcome>>(QUEUE);
        let (back, written) = channel();
        let work = move || {
            let mut renderer = renderer;
            let mut result = Ok(());
            for batch in receiver {
                result = batch
                    .iter()
                    .try_for_each(|outcome| renderer.row(outcome))
                    .and_then(|()| renderer.flush());
                if result.is_err() || back.send(batch).is_err() {
                    break;
                }
            }
            (renderer, result)
        };
        let thread = std::thread::Builder::new().name("render".into()).spawn(work)?;
        self.place = Place::Away { sender, written, thread };
        Ok(())
    }

    /// Ends the thread, and takes the renderer back.
    fn come_back(&mut self) -> io::Result<&mut Box<dyn Rows>> {
        let lost = || io::Error::other("the thread that writes the report is gone");
        let mut written = Ok(());
        self.place = match std::mem::replace(&mut self.place, Place::Lost) {
            Place::Away { sender, thread, .. } => {
                drop(sender);
                let (renderer, result) = thread.join().map_err(|_| lost())?;
                written = result;
                Place::Here(renderer)
            }
            other => other,
        };
        written?;
        match &mut self.place {
            Place::Here(renderer) => Ok(renderer),
            _ => Err(lost()),
        }
    }
}

impl Renderer for Background {
    fn begin(&mut self, header: &Header) -> io::Result<()> {
        self.come_back()?.begin(header)
    }

    fn outcome(&mut self, outcome: Outcome) -> io::Result<()> {
        if let Place::Here(renderer) = &mut self.place {
            renderer.row(&outcome)?;
            self.rows += 1;
            return if self.rows == FEW { self.go_away() } else { Ok(()) };
        }
        self.batch.push(outcome);
        if self.batch.len() >= BATCH { self.hand_over() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.place {
            Place::Here(renderer) => renderer.flush(),
            _ => self.hand_over(),
        }
    }

    fn end(&mut self, footer: &Footer) -> io::Result<()> {
        self.hand_over()?;
        self.come_back()?.end(footer)
    }
}
