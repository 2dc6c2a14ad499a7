use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::report::EndpointRow;
use unicode_width::UnicodeWidthStr;

const NO_COLOR: Style = Style { color: false, width: 80, explain: false };

fn row(target: &str, port: u16, state: &str, reason: &str) -> EndpointRow<'static> {
    let silent = reason == "no-response";
    let row = serde_json::json!({
        "target": target, "address": "192.0.2.7", "port": port, "transport": "tcp",
        "state": state, "reason": reason, "rtt_ms": (!silent).then_some(1.5), "check": null,
        "advice": [],
        "evidence": {"icmp": null, "from": "192.0.2.7", "from_role": null, "errno": null,
                     "attempts": 1, "answered": u16::from(!silent)},
    });
    serde_json::from_value(row).unwrap()
}

fn report(rows: Vec<EndpointRow<'static>>) -> Report {
    let report = serde_json::json!({
        "schema": "portscan/report/1", "portscan": "0.1.0", "started": "2026-01-01T00:00:00Z",
        "finished": "2026-01-01T00:00:01Z", "endpoints": rows, "unresolved": [], "conclusions": [],
        "interrupted": false,
        "vantage": {"name": "here", "hostname": "h", "user": "u", "privileged": false,
                    "source_addresses": []},
    });
    Report::read(&report.to_string()).unwrap()
}

/// A screen that has seen these rounds, one a second.
fn screen(glyphs: Glyphs, rounds: &[Vec<EndpointRow<'static>>]) -> Screen {
    let caption = Caption { every: Duration::from_secs(1), expects: false };
    let mut screen = Screen::new(NO_COLOR, caption, glyphs);
    let mut last = None;
    for (second, rows) in (0..).zip(rounds) {
        let report = report(rows.clone());
        let changes = last.map_or(Vec::new(), |last| crate::compare::changes(&last, &report));
        let wrong = |_: &Key, row: Option<&EndpointRow<'_>>| {
            let is_open = row.is_some_and(|row| row.state == crate::model::PortState::Open);
            (!is_open).then(String::new)
        };
        screen.history.add(&report, &changes, wrong, Timestamp::from_second(second).unwrap());
        last = Some(report);
    }
    screen
}

fn drawn(screen: &Screen, size: (usize, usize), second: i64) -> Vec<String> {
    frame::lines(screen, size, Timestamp::from_second(second).unwrap())
}

fn three_rounds() -> Vec<Vec<EndpointRow<'static>>> {
    let with = |state: &str, reason: &str| {
        vec![
            row("192.0.2.7", 22, "open", "syn-ack"),
            row("192.0.2.7", 80, state, reason),
            row("192.0.2.7", 443, "filtered", "no-response"),
            row("192.0.2.7", 444, "filtered", "admin-prohibited"),
        ]
    };
    vec![with("closed", "reset"), with("open", "syn-ack"), with("open", "syn-ack")]
}

#[test]
fn state_history_loss_round_trip_and_time_stand_beside_each_endpoint() {
    let lines = drawn(&screen(Glyphs::BLOCKS, &three_rounds()), (80, 24), 75);
    let wanted = "\
portscan watch  2 open, 2 filtered  round 3, every 1 s  00:01:15Z
  endpoint           state     history             loss  rtt ms  median    since
  192.0.2.7 22/tcp   open      ▃▃▃                   0%    1.50    1.50   >1m15s
  192.0.2.7 80/tcp   open      ×▃▃                   0%    1.50    1.50    1m14s
  192.0.2.7 443/tcp  filtered  ░░░                 100%       -       -   >1m15s
  192.0.2.7 444/tcp  filtered  !!!                   0%    1.50    1.50   >1m15s

00:00:01Z  192.0.2.7 80/tcp  state: closed (reset) -> open (syn-ack)

▁-█ open, by round trip   × closed   ! rejected   ░ silent   ? unknown";
    assert_eq!(lines.join("\n"), wanted);
}

#[test]
fn without_utf8_everything_is_ascii() {
    let mut rounds = three_rounds();
    rounds[2].push(row("bücher.example", 1, "open", "syn-ack"));
    let lines = drawn(&screen(Glyphs::ASCII, &rounds), (100, 24), 75).join("\n");
    assert!(lines.is_ascii(), "{lines}");
    assert!(lines.contains("x33 ") && lines.contains("... ") && lines.contains("!!! "), "{lines}");
}

#[test]
fn what_a_network_says_cannot_steer_the_terminal() {
    let evil = "a\u{1b}[2J\u{202e}\n.example";
    let lines =
        drawn(&screen(Glyphs::BLOCKS, &[vec![row(evil, 1, "open", "syn-ack")]]), (160, 9), 1);
    let shown = lines.concat();
    assert!(shown.contains("a\\u{1b}[2J\\u{202e}\\n.example"), "{shown}");
    assert!(!shown.contains(['\u{1b}', '\u{202e}', '\n']), "{shown}");
}

#[test]
fn no_size_is_too_small_and_no_line_too_wide() {
    let long = "世界".repeat(40);
    let mut rounds = three_rounds();
    let more = (1_000..1_100).map(|port| row(&long, port, "open|filtered", "no-response"));
    rounds.iter_mut().for_each(|round| round.extend(more.clone()));
    let screen = screen(Glyphs::BLOCKS, &rounds);
    for width in (0..170).step_by(7) {
        for height in 0..60 {
            let lines = drawn(&screen, (width, height), 3);
            assert!(lines.len() <= height.saturating_sub(1).max(1), "{width}x{height}");
            let widest = lines.iter().map(|line| line.width()).max().unwrap();
            assert!(widest <= width, "{width}x{height}: {widest}\n{}", lines.join("\n"));
        }
    }
}

#[test]
fn where_not_all_fit_those_that_changed_or_are_not_as_they_should_come_first() {
    let mut rounds = vec![Vec::new(); 3];
    for (at, round) in rounds.iter_mut().enumerate() {
        for port in 1..=60 {
            let state = if port == 40 || port == 59 && at > 1 { "closed" } else { "open" };
            round.push(row("192.0.2.7", port, state, "reset"));
        }
    }
    let shown = drawn(&screen(Glyphs::BLOCKS, &rounds), (80, 12), 3).join("\n");
    for port in [1, 40, 59] {
        assert!(shown.contains(&format!("192.0.2.7 {port}/tcp ")), "{port}\n{shown}");
    }
    assert!(!shown.contains("192.0.2.7 39/tcp"), "{shown}");
    assert!(shown.contains("not shown: 54 open"), "{shown}");
    assert!(shown.contains("59/tcp  state: open"), "{shown}");
}

#[test]
fn names_are_cut_before_addresses_and_ports_never() {
    let name = "database.internal.example.com";
    let shown = |width| {
        let screen = screen(Glyphs::BLOCKS, &[vec![row(name, 5432, "open", "syn-ack")]]);
        drawn(&screen, (width, 9), 3)[2].clone()
    };
    assert!(shown(160).starts_with("  database.internal.example.com 192.0.2.7 5432/tcp  open"));
    assert!(shown(80).starts_with("  databa… 192.0.2.7 5432/tcp"), "{}", shown(80));
    assert!(shown(64).contains("5432/tcp"), "{}", shown(64));
}

#[test]
fn a_frame_replaces_the_last_and_leaves_the_terminal_as_it_was() {
    let mut screen = screen(Glyphs::BLOCKS, &three_rounds());
    let mut paint = |size, second| {
        let mut out = Vec::new();
        screen.paint_if_due(&mut out, size, Timestamp::from_second(second).unwrap());
        String::from_utf8(out).unwrap()
    };
    let first = paint((80, 24), 3);
    assert!(first.starts_with("\x1b[?25l\x1b[?7l\r\x1b[2K"), "{first:?}");
    assert_eq!(paint((80, 24), 3), "", "nothing is new");
    let lines = first.matches("\r\n").count();
    assert!(paint((80, 24), 4).contains(&format!("\x1b[?7l\x1b[{lines}A\r\x1b[2K")));
    let resized = paint((100, 24), 4);
    assert!(resized.contains("\x1b[?7l\x1b[H\x1b[2K"), "{resized:?}");
    for frame in [first, resized] {
        assert!(
            frame.ends_with("\x1b[?7h\x1b[?25h\r\n") && frame.contains("\r\n\x1b[J"),
            "{frame:?}"
        );
    }
}

#[test]
fn a_panic_ends_the_view_and_its_thread() {
    let caption = Caption { every: Duration::from_secs(1), expects: false };
    let live = Live::begin(NO_COLOR, caption).unwrap();
    let shared = Arc::downgrade(&live.shared);
    let panicked = catch_unwind(AssertUnwindSafe(move || {
        let _view = &live;
        std::panic::resume_unwind(Box::new("as if"));
    }));
    assert!(panicked.is_err());
    assert!(shared.upgrade().is_none(), "nobody draws any more");
}
