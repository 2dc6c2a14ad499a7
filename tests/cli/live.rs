//! Watching on a terminal: a real one (tmux), with listeners that come and go.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// Longer than any machine takes for what a test waits for.
const PATIENCE: Duration = Duration::from_secs(40);

/// A terminal with its own tmux server, which ends with it.
struct Terminal {
    folder: tempfile::TempDir,
}

impl Terminal {
    /// Runs portscan in a terminal of this size, and then says how it ended.
    ///
    /// None, and said so, where there is no tmux.
    #[allow(clippy::print_stderr)]
    fn run(words: &str, (width, height): (u32, u32), locale: &str) -> Option<Terminal> {
        if Command::new("tmux").arg("-V").output().is_err() {
            let name = std::thread::current().name().unwrap_or_default().to_owned();
            eprintln!("SKIPPED: {name}: tmux is not installed (Debian: tmux)");
            let forbidden =
                ["CI", "PORTSCAN_NO_SKIP"].iter().any(|n| std::env::var_os(n).is_some());
            assert!(!forbidden, "it must not be skipped here");
            return None;
        }
        let terminal = Terminal { folder: tempfile::tempdir().unwrap() };
        let portscan = env!("CARGO_BIN_EXE_portscan");
        // The shell outlives an interruption, to say how portscan ended.
        let line = format!(
            "trap : INT; LC_ALL={locale} {portscan} {words}; code=$?; stty -a > stty; echo \"ended with $code\"; exec cat"
        );
        let (width, height) = (width.to_string(), height.to_string());
        let made = terminal.tmux(&[
            "-u",
            "new-session",
            "-d",
            "-x",
            &width,
            "-y",
            &height,
            "sh",
            "-c",
            &line,
        ]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Some(terminal)
    }

    fn tmux(&self, words: &[&str]) -> Output {
        let mut command = Command::new("tmux");
        // Nothing of the developer's machine decides a test.
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8");
        command.env("TERM", "xterm-256color").env("HOME", self.folder.path());
        command.current_dir(self.folder.path()).arg("-S").arg(self.folder.path().join("socket"));
        command.args(["-f", "/dev/null"]).args(words).output().unwrap()
    }

    /// What stands on the screen.
    fn screen(&self) -> String {
        let captured = self.tmux(&["capture-pane", "-p"]).stdout;
        String::from_utf8(captured).unwrap().trim_end().to_owned()
    }

    /// Waits until the screen is as it should be, and returns it.
    #[track_caller]
    fn until(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        loop {
            let screen = self.screen();
            if is_so(&screen) {
                return screen;
            }
            assert!(began.elapsed() < PATIENCE, "not seen: {what}\n{screen}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits for a text on the screen.
    #[track_caller]
    fn shows(&self, text: &str) -> String {
        self.until(text, |screen| screen.contains(text))
    }

    /// Requires that the terminal is as it was before: cursor, wrapping, echo.
    #[track_caller]
    fn is_restored(&self) {
        let flags = self.tmux(&["display-message", "-p", "#{cursor_flag} #{wrap_flag}"]).stdout;
        assert_eq!(String::from_utf8_lossy(&flags).trim(), "1 1", "{}", self.screen());
        let stty = std::fs::read_to_string(self.folder.path().join("stty")).unwrap();
        assert!(stty.contains(" echo ") && stty.contains(" icanon"), "{stty}");
    }

    fn interrupt(&self) {
        assert!(self.tmux(&["send-keys", "C-c"]).status.success());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

/// A port with its listener.
fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// The line of an endpoint.
fn line(screen: &str, port: u16) -> &str {
    let name = format!("127.0.0.1 {port}/tcp");
    screen.lines().skip(2).find(|line| line.contains(&name)).unwrap_or_default()
}

/// The rounds of an endpoint.
fn history(screen: &str, port: u16) -> Vec<char> {
    let cells = line(screen, port).trim().split("  ").filter(|cell| !cell.is_empty());
    cells.map(str::trim).nth(2).unwrap_or_default().chars().collect()
}

/// Some rounds, all of them drawn with these characters.
fn is_drawn(screen: &str, port: u16, characters: std::ops::RangeInclusive<char>) -> bool {
    let rounds = history(screen, port);
    rounds.len() > 2 && rounds.iter().all(|c| characters.contains(c))
}

#[test]
fn a_terminal_shows_what_is_now_how_it_was_and_what_changed() {
    let ((_stays, stays), (leaves, port)) = (listener(), listener());
    let words = format!("watch 127.0.0.1:{stays},{port} --no-plugins --every 100ms");
    let Some(terminal) = Terminal::run(&words, (80, 24), "C.UTF-8") else { return };

    let screen = terminal.until("two open", |s| is_drawn(s, port, '▁'..='█'));
    assert!(screen.starts_with("portscan watch  2 open  round "), "{screen}");
    assert!(screen.contains("endpoint") && screen.contains("loss  rtt ms  median    since"));
    assert!(screen.contains("no change yet"), "{screen}");
    assert!(line(&screen, stays).contains(" open ") && line(&screen, stays).contains(" 0%"));
    assert!(line(&screen, port).contains('>'), "nobody knows since when\n{screen}");

    drop(leaves);
    let change = format!("127.0.0.1 {port}/tcp  state: open (syn-ack) -> closed (reset)");
    let screen = terminal.shows(&change);
    assert!(screen.starts_with("portscan watch  1 open, 1 closed"), "{screen}");
    assert!(line(&screen, port).contains(" closed "), "{screen}");
    let screen = terminal.until("closed rounds", |s| history(s, port).ends_with(&['×', '×']));
    assert!(line(&screen, stays).contains(" open "), "{screen}");
    assert!(!line(&screen, port).contains('>'), "it is known since when\n{screen}");

    let again = TcpListener::bind(("127.0.0.1", port)).unwrap();
    terminal.shows(&format!("127.0.0.1 {port}/tcp  state: closed (reset) -> open (syn-ack)"));
    terminal
        .until("open again", |s| matches!(history(s, port)[..], ['▁'..='█', .., '×', '▁'..='█']));
    drop(again);

    terminal.interrupt();
    let screen = terminal.shows("ended with 130");
    assert_eq!(screen.matches("portscan watch").count(), 1, "drawn in place\n{screen}");
    terminal.is_restored();
}

/// A port that is silent until its listener goes: its queue is full, so Linux drops
/// every further SYN.
fn full() -> (socket2::Socket, Vec<TcpStream>, u16) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let at = socket.local_addr().unwrap().as_socket().unwrap();
    let soon = Duration::from_millis(300);
    let waiting: Vec<_> =
        std::iter::from_fn(|| TcpStream::connect_timeout(&at, soon).ok()).take(16).collect();
    assert!(waiting.len() < 16, "its queue has no end");
    (socket, waiting, at.port())
}

#[test]
fn silence_is_loss_until_something_answers() {
    let ((_open, open), (silent, waiting, port)) = (listener(), full());
    let words = format!(
        "watch 127.0.0.1:{open},{port} --no-plugins --no-controls --timeout 200ms --every 100ms"
    );
    let Some(terminal) = Terminal::run(&words, (160, 50), "C.UTF-8") else { return };
    let screen = terminal.until("silence", |s| is_drawn(s, port, '░'..='░'));
    assert!(line(&screen, port).contains(" filtered ") && line(&screen, port).contains(" 100% "));
    assert!(line(&screen, port).ends_with("no-response"), "{screen}");
    assert!(line(&screen, open).contains(" 0% "), "{screen}");
    drop((silent, waiting));
    terminal.shows("state: filtered (no-response) -> closed (reset)");
    let screen = terminal.until("closed", |s| history(s, port).ends_with(&['×', '×', '×']));
    let loss = line(&screen, port).split('%').next().unwrap().rsplit(' ').next().unwrap();
    let loss: u32 = loss.parse().unwrap();
    assert!(loss > 0 && loss < 100, "{screen}");
    terminal.interrupt();
    terminal.shows("ended with 130");
    terminal.is_restored();
}

#[test]
fn a_terminal_that_becomes_larger_or_smaller_is_filled_anew() {
    let (_open, open) = listener();
    let many: Vec<String> = (1..=60).map(|port| port.to_string()).collect();
    let words = format!("watch 127.0.0.1:{},{open} --no-plugins --every 100ms", many.join(","));
    let Some(terminal) = Terminal::run(&words, (80, 24), "C.UTF-8") else { return };
    let small = terminal.until("drawn", |s| s.contains("▁-█ open, by round trip"));
    assert!(small.contains("not shown: "), "{small}");
    assert!(small.lines().count() < 24 && !small.contains("syn-ack"), "{small}");

    terminal.tmux(&["resize-window", "-x", "160", "-y", "50"]);
    let large = terminal.until("larger", |s| s.lines().count() > 40);
    assert!(line(&large, 1).trim_end().ends_with("reset"), "the reason has room\n{large}");
    assert_eq!(large.matches("portscan watch").count(), 1, "{large}");

    terminal.tmux(&["resize-window", "-x", "60", "-y", "12"]);
    terminal.until("smaller", |s| s.starts_with("portscan watch") && s.lines().count() < 12);
    terminal.interrupt();
    terminal.shows("ended with 130");
    terminal.is_restored();
}

#[test]
fn what_was_waited_for_ends_the_view_with_its_last_frame() {
    let (opens, port) = listener();
    drop(opens);
    let words = format!("watch 127.0.0.1:{port} --no-plugins --every 100ms --until open");
    let Some(terminal) = Terminal::run(&words, (80, 24), "C.UTF-8") else { return };
    terminal.until("closed", |s| line(s, port).contains(" closed "));
    let _opens = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let screen = terminal.shows("ended with 0");
    assert!(line(&screen, port).contains(" open "), "{screen}");
    terminal.is_restored();

    let (_open, port) = listener();
    let words =
        format!("watch 127.0.0.1:{port} --no-plugins --every 100ms --until closed --within 500ms");
    let Some(terminal) = Terminal::run(&words, (80, 24), "C.UTF-8") else { return };
    let screen = terminal.shows("ended with 1");
    assert!(screen.contains("portscan: the time is over"), "{screen}");
}

/// A killed program restores nothing, so there must be nothing to restore.
#[test]
fn a_killed_watch_leaves_the_terminal_as_it_was() {
    let (_open, port) = listener();
    let words = format!("watch 127.0.0.1:{port} --no-plugins --every 100ms");
    // The words before the program: timeout(1) of coreutils kills it.
    let killer = "C.UTF-8 timeout --foreground -s KILL 4";
    let Some(terminal) = Terminal::run(&words, (80, 24), killer) else { return };
    terminal.until("open", |s| line(s, port).contains(" open "));
    terminal.shows("ended with 137");
    terminal.is_restored();
}

#[test]
fn another_locale_and_another_terminal_get_what_they_can_show() {
    let (_open, port) = listener();
    let words = format!("watch 127.0.0.1:{port} --no-plugins --every 100ms");
    let Some(terminal) = Terminal::run(&words, (80, 24), "C") else { return };
    let screen = terminal.until("digits", |s| is_drawn(s, port, '1'..='8'));
    assert!(screen.is_ascii(), "{screen}");

    for (words, before) in [(format!("{words} --no-live"), ""), (words, "TERM=dumb")] {
        let locale = format!("C.UTF-8 {before}");
        let Some(terminal) = Terminal::run(&words, (80, 24), &locale) else { return };
        let screen = terminal.shows(&format!("Z  127.0.0.1 {port}/tcp  open (syn-ack)"));
        assert!(!screen.contains("portscan watch"), "{screen}");
        terminal.interrupt();
        terminal.shows("ended with 130");
    }
}

#[test]
fn what_a_command_writes_stands_above_the_view() {
    let (leaves, port) = listener();
    let words = format!(
        "watch 127.0.0.1:{port} --no-plugins --every 100ms --on-change 'cat > /dev/null; echo told the pager'"
    );
    let Some(terminal) = Terminal::run(&words, (80, 24), "C.UTF-8") else { return };
    terminal.until("open", |s| line(s, port).contains(" open "));
    drop(leaves);
    let screen = terminal.until("both", |s| s.contains("told the pager") && s.contains("> closed"));
    let screen = match screen.contains("portscan watch") {
        true => screen,
        false => terminal.shows("portscan watch"),
    };
    assert!(screen.starts_with("told the pager\nportscan watch"), "{screen}");
    assert_eq!(screen.matches("portscan watch").count(), 1, "{screen}");
}

#[test]
fn differences_from_a_file_are_marked_while_they_last() {
    let ((_stays, stays), (leaves, port)) = (listener(), listener());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("expected.toml");
    write(&file, &format!("[targets.'127.0.0.1']\n{stays} = 'open'\n{port} = 'open'\n"));
    let words = format!("watch --check {} --no-plugins --every 100ms", file.display());
    let Some(terminal) = Terminal::run(&words, (100, 24), "C.UTF-8") else { return };
    terminal.until("all well", |s| s.starts_with("portscan watch  2 as expected  round "));
    drop(leaves);
    let screen = terminal.shows("1 as expected, 1 differs");
    assert!(line(&screen, port).starts_with("! "), "{screen}");
    assert!(line(&screen, stays).starts_with("  "), "{screen}");
    let difference = "expectation: as expected -> state: expected open, is closed (reset)";
    assert!(screen.contains(&difference[..60]), "{screen}");
    let _again = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let screen = terminal.until("well again", |s| s.starts_with("portscan watch  2 as expected"));
    assert!(!screen.lines().any(|line| line.starts_with('!')), "{screen}");
    terminal.interrupt();
    terminal.shows("ended with 130");
}

fn write(path: &Path, text: &str) {
    std::fs::File::create(path).unwrap().write_all(text.as_bytes()).unwrap();
}
