use super::line::Look;
use crate::compare::Beat;
use crate::model::PortState;

/// Characters of a live view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Glyphs {
    /// Everything is ASCII.
    pub ascii: bool,
    /// Round trips, the shortest first.
    levels: [char; 8],
    closed: char,
    silent: char,
    /// Where a text was cut.
    pub cut: char,
}

/// Where the median stands among the levels.
const MIDDLE: f32 = 3.0;

impl Glyphs {
    /// Blocks, for terminals that write UTF-8.
    pub const BLOCKS: Glyphs = Glyphs {
        ascii: false,
        levels: ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
        closed: '×',
        silent: '░',
        cut: '…',
    };

    /// Digits and letters, for all others.
    pub const ASCII: Glyphs = Glyphs {
        ascii: true,
        levels: ['1', '2', '3', '4', '5', '6', '7', '8'],
        closed: 'x',
        silent: '.',
        cut: '~',
    };

    /// Those of the user's locale (locale(7): the first that is set counts).
    pub fn of_locale() -> Glyphs {
        let set = ["LC_ALL", "LC_CTYPE", "LANG"]
            .into_iter()
            .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
        Glyphs::of(&set.unwrap_or_default())
    }

    fn of(locale: &str) -> Glyphs {
        let locale = locale.to_ascii_lowercase();
        match locale.contains("utf-8") || locale.contains("utf8") {
            true => Glyphs::BLOCKS,
            false => Glyphs::ASCII,
        }
    }

    /// A round of an endpoint whose median round trip is known: round trips as heights,
    /// two levels for each doubling.
    pub fn beat(&self, beat: &Beat, median: Option<f32>) -> (char, Look) {
        let Some(state) = beat.state else { return (' ', Look::Plain) };
        let glyph = match (state, beat.silent) {
            (PortState::Open, _) => self.levels[level(beat.rtt, median)],
            (PortState::Closed, _) => self.closed,
            (PortState::Filtered | PortState::OpenFiltered, true) => self.silent,
            (PortState::Filtered | PortState::OpenFiltered, false) => '!',
            (PortState::Unknown, _) => '?',
        };
        match beat.unhealthy {
            true => (glyph, Look::Bad),
            false => (glyph, Look::State(state)),
        }
    }

    /// What the characters mean.
    pub fn legend(&self) -> String {
        let [first, .., last] = self.levels;
        let (closed, silent) = (self.closed, self.silent);
        format!(
            "{first}-{last} open, by round trip   {closed} closed   ! rejected   {silent} silent   ? unknown"
        )
    }
}

fn level(rtt: Option<f32>, median: Option<f32>) -> usize {
    let steps = match (rtt, median) {
        (Some(rtt), Some(median)) if rtt > 0.0 && median > 0.0 => 2.0 * (rtt / median).log2(),
        _ => 0.0,
    };
    (MIDDLE + steps).round().clamp(1.0, 8.0) as usize - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_decides_whether_there_are_blocks() {
        for locale in ["en_US.UTF-8", "C.utf8", "de_DE.utf-8@euro"] {
            assert_eq!(Glyphs::of(locale), Glyphs::BLOCKS, "{locale}");
        }
        for locale in ["", "C", "POSIX", "de_DE.ISO-8859-1"] {
            assert_eq!(Glyphs::of(locale), Glyphs::ASCII, "{locale}");
        }
    }

    #[test]
    fn a_steady_round_trip_is_flat_and_a_slow_one_is_high() {
        assert_eq!(level(Some(5.0), Some(5.0)), 2);
        assert_eq!(level(Some(10.0), Some(5.0)), 4);
        assert_eq!(level(Some(900.0), Some(5.0)), 7);
        assert_eq!(level(Some(0.1), Some(5.0)), 0);
        for odd in [None, Some(0.0), Some(-1.0), Some(f32::NAN), Some(f32::INFINITY)] {
            assert!(level(odd, Some(1.0)) < 8 && level(Some(1.0), odd) < 8);
        }
    }
}
