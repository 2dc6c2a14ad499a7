use std::io::{self, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::told;
use crate::exit::Tally;
use crate::model::PortState;
use crate::pipeline::audit::Audited;
use crate::pipeline::interrupt;
use crate::render::{Progress, vantages};
use crate::report::{EndpointRow, HeadRow, TailRow};
use crate::via::{News, Said, Trouble, Visit};

/// How often it is looked after an interruption and after silence.
const TURN: Duration = Duration::from_millis(100);

/// How long places have to end by themselves.
const FAREWELL: Duration = Duration::from_secs(2);

/// What is known of one place.
pub(super) struct Visited {
    pub label: String,
    pub place: String,
    pub visit: Option<Visit>,
    pub head: Option<Box<HeadRow>>,
    pub rows: Vec<EndpointRow<'static>>,
    pub count: usize,
    pub tail: Option<Box<TailRow>>,
    pub trouble: Option<Trouble>,
    pub heard: Instant,
}

impl Visited {
    pub fn new(label: String, place: String) -> Visited {
        Visited {
            label,
            place,
            visit: None,
            head: None,
            rows: Vec::new(),
            count: 0,
            tail: None,
            trouble: None,
            heard: Instant::now(),
        }
    }
}

/// Takes what the places say, and writes it as it comes.
pub(super) struct Gathering<'a> {
    /// A line for each thing, and nothing kept.
    pub lines: bool,
    pub out: &'a mut dyn Write,
    pub audited: Option<&'a mut Audited>,
    pub visited: Vec<Visited>,
    pub tally: Tally,
    pub progress: Progress,
    pub done: u64,
    pub open: u64,
}

impl Gathering<'_> {
    /// Takes news until every place has said its last, or has been given up.
    ///
    /// # Errors
    /// Those of writing.
    pub fn gather(&mut self, news: &Receiver<(usize, News)>, patience: Duration) -> io::Result<()> {
        let mut over_by = None;
        for number in 0..self.visited.len() {
            self.ended_if_over(number)?;
        }
        while self.visited.iter().any(|place| place.visit.is_some()) {
            match news.recv_timeout(TURN) {
                Ok((number, news)) => self.take(number, news)?,
                Err(RecvTimeoutError::Timeout) => self.out.flush()?,
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if interrupt::is_asked() && over_by.is_none() {
                over_by = Some(Instant::now() + FAREWELL);
                self.visited.iter().filter_map(|p| p.visit.as_ref()).for_each(Visit::end);
            }
            let is_over = over_by.is_some_and(|by| Instant::now() >= by);
            for number in 0..self.visited.len() {
                let place = &self.visited[number];
                let (rows, silent) = (place.count, place.heard.elapsed() > patience);
                if place.visit.is_some() && (silent || is_over) {
                    let seconds = patience.as_secs();
                    let trouble = match is_over {
                        true => Trouble::Interrupted { rows },
                        false => Trouble::Silent { rows, seconds },
                    };
                    self.over(number, Some(trouble))?;
                }
            }
        }
        self.progress.clear();
        self.out.flush()
    }

    fn take(&mut self, number: usize, news: News) -> io::Result<()> {
        let Some(place) = self.visited.get_mut(number).filter(|place| place.visit.is_some()) else {
            return Ok(());
        };
        place.heard = Instant::now();
        match news {
            News::Said(Said::Start(mut head)) => {
                // What it is called is not for it to say.
                head.vantage.name = Some(place.label.clone());
                if self.lines {
                    vantages::start(self.out, &place.place, &head)?;
                }
                place.head = Some(head);
            }
            News::Said(Said::Row(row)) => {
                place.count += 1;
                self.done += 1;
                self.open += u64::from(row.state == PortState::Open);
                self.tally.add_row(row.state, row.check.as_ref().map(|check| check.health));
                if let Some(audited) = &mut self.audited {
                    audited.found_at(&place.label, &row)?;
                }
                match self.lines {
                    true => vantages::row(self.out, &place.label, &row)?,
                    false => place.rows.push(*row),
                }
                self.progress.update(self.done, None, self.open);
            }
            News::Said(Said::End(tail)) => {
                tail.unresolved.iter().for_each(|_| self.tally.add_unresolved());
                place.tail = Some(tail);
            }
            News::Over(trouble) => self.over(number, trouble)?,
        }
        Ok(())
    }

    /// A place says no more.
    fn over(&mut self, number: usize, trouble: Option<Trouble>) -> io::Result<()> {
        let place = &mut self.visited[number];
        place.trouble = match trouble {
            Some(Trouble::Stopped { rows } | Trouble::Lost { rows, .. })
                if interrupt::is_asked() =>
            {
                Some(Trouble::Interrupted { rows })
            }
            other => other,
        };
        place.visit = None;
        self.ended_if_over(number)
    }

    fn ended_if_over(&mut self, number: usize) -> io::Result<()> {
        let place = &self.visited[number];
        if place.visit.is_some() || !self.lines {
            return Ok(());
        }
        let trouble = place.trouble.as_ref().map(told);
        vantages::end(self.out, &place.label, &place.place, place.tail.as_deref(), trouble)?;
        self.out.flush()
    }
}
