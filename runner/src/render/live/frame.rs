//! A frame: from the history and the terminal's size to lines. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use unicode_width::UnicodeWidthStr;

use super::Screen;
use super::line::{Line, Look};
use crate::compare::{Change, History, Track};
use crate::render::{compare, escape};

/// Columns of numbers: loss, last and median round trip, time in the state.
const NUMBERS: [usize; 4] = [4, 6, 6, 7];
/// Between two columns.
const GAP: usize = 2;
/// The fewest and the most rounds that are worth their columns.
const HISTORY: (usize, usize) = (12, 60);
/// Columns of a name that can still be told from others.
const SHORTEST_LABEL: usize = 12;
/// Lines from which on the characters are explained.
const ROOMY: usize = 14;

/// The lines of a frame; each at most as wide as the terminal, and one fewer than it is high.
pub(super) fn lines(screen: &Screen, size: (usize, usize), now: Timestamp) -> Vec<String> {
    let (width, height) = (size.0, size.1.saturating_sub(1).max(1));
    let Screen { history, glyphs, style, .. } = screen;
    let new = || Line::new(width, *glyphs);
    let legend = if height >= ROOMY { 2 } else { 0 };
    let room = height.saturating_sub(2 + legend);
    let (tracks, changes) = share(room, history.tracks().len(), history.recent().len());
    let mut lines = vec![title(screen, now, new())];
    let columns = Columns::of(history, width);
    if height > 1 {
        lines.push(columns.head(new()));
    }
    let hidden = match history.tracks().len() > tracks {
        true => tracks.saturating_sub(1),
        false => tracks,
    };
    let (shown, left_out) = choose(history.tracks(), hidden);
    lines.extend(shown.iter().map(|track| columns.row(track, screen, now, new())));
    if !left_out.is_empty() && tracks > 0 {
        lines.push(new().text(&format!("  not shown: {}", counted(&left_out)), Look::Faint));
    }
    if changes > 0 {
        lines.push(new());
        let skipped = history.recent().len().saturating_sub(changes);
        for dated in history.recent().iter().skip(skipped) {
            lines.push(change(dated.at, &dated.change, new()));
        }
        if history.recent().is_empty() {
            lines.push(new().text("no change yet", Look::Faint));
        }
    }
    if legend > 0 {
        lines.push(new());
        lines.push(new().text(&glyphs.legend(), Look::Faint));
    }
    lines.truncate(height);
    lines.into_iter().map(|line| line.painted(style)).collect()
}

/// Of `room` lines, those for endpoints and those for changes; an empty line stands
/// between them. Endpoints come first, but a quarter is left to changes.
fn share(room: usize, tracks: usize, changes: usize) -> (usize, usize) {
    let wanted = changes.max(1);
    let least = if room >= 6 { wanted.min(room / 4) } else { 0 };
    let left = room.saturating_sub(tracks.min(room) + 1);
    let changes = wanted.min(left).max(least);
    let between = if changes > 0 { 1 } else { 0 };
    (tracks.min(room - changes - between), changes)
}

/// The endpoints that fit, in the order of the request: those that changed, the latest
/// first, then those that are not as they should be; and the others.
fn choose(tracks: &[Track], room: usize) -> (Vec<&Track>, Vec<&Track>) {
    let mut order: Vec<usize> = (0..tracks.len()).collect();
    order.sort_by_key(|at| {
        let track = &tracks[*at];
        (std::cmp::Reverse(track.changed), !track.wrong, *at)
    });
    let (mut shown, mut left_out) = (order, Vec::new());
    if shown.len() > room {
        left_out = shown.split_off(room);
    }
    shown.sort_unstable();
    let of = |places: Vec<usize>| places.into_iter().map(|at| &tracks[at]).collect();
    (of(shown), of(left_out))
}

/// `3 open, 1 closed`.
fn counted<'a>(tracks: impl IntoIterator<Item = &'a &'a Track>) -> String {
    let mut counts: BTreeMap<_, usize> = BTreeMap::new();
    for track in tracks {
        // `None` sorts first, and what cannot be told comes last.
        let state = track.last().and_then(|beat| beat.state);
        *counts.entry((state.is_none(), state)).or_default() += 1;
    }
    let word = |state: Option<_>| state.map_or("not there", crate::model::PortState::name);
    let parts: Vec<String> =
        counts.into_iter().map(|((_, state), n)| format!("{n} {}", word(state))).collect();
    parts.join(", ")
}

fn title(screen: &Screen, now: Timestamp, line: Line) -> Line {
    let tracks: Vec<&Track> = screen.history.tracks().iter().collect();
    let counts = match &screen.counts {
        Some(counts) => counts.clone(),
        None => counted(&tracks),
    };
    let every = screen.caption.every.as_secs_f64();
    let rounds = screen.history.rounds();
    line.text("portscan watch", Look::Strong)
        .text(&format!("  {counts}"), Look::Plain)
        .text(&format!("  round {rounds}, every {every} s  {}", clock(now)), Look::Faint)
}

/// `2026-11-24T02:15:03Z` without its date.
fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M:%SZ").to_string()
}

fn change(at: Timestamp, change: &Change, line: Line) -> Line {
    line.text(&clock(at), Look::Faint)
        .text(&format!("  {}  ", compare::name(&change.key)), Look::Plain)
        .text(&compare::told(change), Look::Plain)
}

/// How wide the columns are.
struct Columns {
    label: usize,
    state: usize,
    history: usize,
    /// What there is to say beside the state; 0 where there is no room for it.
    detail: usize,
}

impl Columns {
    fn of(history: &History, width: usize) -> Columns {
        let tracks = history.tracks();
        let widest = |of: &dyn Fn(&Track) -> usize| tracks.iter().map(of).max().unwrap_or(0);
        let state = widest(&|track| state(track).0.width()).max("state".len());
        let fixed = NUMBERS.iter().map(|number| GAP + number).sum::<usize>();
        let mut left = width.saturating_sub(2 + fixed + GAP + state + GAP);
        let label = widest(&|track| compare::name(&track.key).width()).max("endpoint".len());
        let label = label.min(left.saturating_sub(HISTORY.0).max(SHORTEST_LABEL));
        left = left.saturating_sub(label);
        let details = widest(&|track| escape(&track.detail).width());
        let detail = match left.saturating_sub(HISTORY.0 * 2 + GAP) {
            some if some >= SHORTEST_LABEL => details.min(some),
            _ => 0,
        };
        let gap = if detail > 0 { GAP } else { 0 };
        let history = left.saturating_sub(detail + gap).clamp(HISTORY.0.min(left), HISTORY.1);
        Columns { label, state, history, detail }
    }

    fn head(&self, line: Line) -> Line {
        let [loss, last, median, since] = NUMBERS.map(|width| width + GAP);
        let look = Look::Faint;
        line.left("  endpoint", self.label + 2 + GAP, look)
            .left("state", self.state + GAP, look)
            .left("history", self.history, look)
            .right("loss", loss, look)
            .right("rtt ms", last, look)
            .right("median", median, look)
            .right("since", since, look)
    }

    fn row(&self, track: &Track, screen: &Screen, now: Timestamp, line: Line) -> Line {
        let [loss, last, median, since] = NUMBERS.map(|width| width + GAP);
        let usual = track.median();
        let is_marked = screen.caption.expects && track.wrong;
        let (word, look) = state(track);
        let mut line = line
            .text(if is_marked { "! " } else { "  " }, Look::Bad)
            .left(&label(track, self.label, screen.glyphs.cut), self.label + GAP, Look::Plain)
            .left(word, self.state + GAP, look);
        let rounds = track.beats.len().min(self.history);
        for beat in track.beats.iter().skip(track.beats.len() - rounds) {
            let (glyph, look) = screen.glyphs.beat(beat, usual);
            line = line.text(glyph.encode_utf8(&mut [0; 4]), look);
        }
        let number = |ms: Option<f32>| ms.map_or_else(|| "-".to_owned(), milliseconds);
        let lost = track.loss().map_or_else(|| "-".to_owned(), |loss| format!("{loss:.0}%"));
        let loss_look =
            if track.loss().is_some_and(|l| l > 0.0) { Look::Plain } else { Look::Faint };
        let age = elapsed(track.since, now);
        // It may have been so for longer: nobody looked.
        let age = if track.changed.is_none() { format!(">{age}") } else { age };
        line = line
            .text(&" ".repeat(self.history - rounds), Look::Plain)
            .right(&lost, loss, loss_look)
            .right(&number(track.last().and_then(|beat| beat.rtt)), last, Look::Plain)
            .right(&number(usual), median, Look::Plain)
            .right(&age, since, Look::Plain);
        match self.detail {
            0 => line,
            width => line.text("  ", Look::Plain).left(&track.detail, width, Look::Faint),
        }
    }
}

/// The word for what it is.
fn state(track: &Track) -> (&'static str, Look) {
    match track.last().and_then(|beat| beat.state.map(|state| (state, beat.unhealthy))) {
        Some((state, true)) => (state.name(), Look::Bad),
        Some((state, false)) => (state.name(), Look::State(state)),
        None if track.key.port == 0 => ("unresolved", Look::Bad),
        None => ("gone", Look::Faint),
    }
}

/// Which endpoint, in at most `width` columns: the port is never cut, and the address
/// goes last, because it tells endpoints of one name apart.
fn label(track: &Track, width: usize, cut: char) -> String {
    let whole = compare::name(&track.key);
    let key = &track.key;
    if whole.width() <= width || key.port == 0 {
        return whole;
    }
    let port = format!(" {}/{}", key.port, key.transport);
    let room = width.saturating_sub(port.width());
    let address = if key.address.is_empty() { &key.target } else { &key.address };
    let address = escape(address);
    let target = escape(&key.target);
    let between = room.saturating_sub(address.width() + 2);
    let shown = match between {
        0..=3 => tail(&address, room, cut),
        some => format!("{}{cut} {address}", head(&target, some)),
    };
    shown + &port
}

/// The first columns of a text.
fn head(text: &str, width: usize) -> String {
    let mut short = String::new();
    for c in text.chars() {
        if format!("{short}{c}").width() > width {
            break;
        }
        short.push(c);
    }
    short
}

/// The last columns of a text, marked where it was cut.
fn tail(text: &str, width: usize, cut: char) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut short = text;
    while short.width() + 1 > width && !short.is_empty() {
        let mut rest = short.chars();
        rest.next();
        short = rest.as_str();
    }
    format!("{cut}{short}")
}

/// Milliseconds in at most six columns.
fn milliseconds(ms: f32) -> String {
    match ms {
        ms if ms < 0.1 => format!("{ms:.3}"),
        ms if ms < 10.0 => format!("{ms:.2}"),
        ms if ms < 1000.0 => format!("{ms:.1}"),
        ms => format!("{ms:.0}"),
    }
}

/// A time in its two largest units: `45s`, `12m05s`, `3h12m`, `2d03h`.
fn elapsed(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(since.as_second()).max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m{:02}s", seconds % 60),
        (0, _, _) => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{days}d{:02}h", hours % 24),
    }
}
