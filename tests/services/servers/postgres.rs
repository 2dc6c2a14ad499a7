//! PostgreSQL in the moods that a client meets: with and without TLS, still
//! starting, out of connections.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::certificate::Identity;
use super::process::{Recipe, Server, find};
use crate::support::skip;

/// What the server is able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Postgres {
    /// Serves whoever has the password.
    Serving,
    /// Starting up, for as long as it runs.
    StartingUp,
    /// A standby that is up and takes no connections.
    Standby,
    /// Has room for one connection in all.
    OneConnection,
}

/// The user who gets in without a password.
pub const TRUSTED: &str = "trusted";

/// PostgreSQL in the clear.
pub fn postgres(mood: Postgres) -> Option<Server> {
    start(mood, None)
}

/// PostgreSQL with TLS; `identity` makes its certificate for the address it gets.
pub fn postgres_tls(
    mood: Postgres,
    identity: impl FnOnce(SocketAddr) -> Identity + 'static,
) -> Option<Server> {
    start(mood, Some(Box::new(identity)))
}

type MakeIdentity = Box<dyn FnOnce(SocketAddr) -> Identity>;

fn start(mood: Postgres, identity: Option<MakeIdentity>) -> Option<Server> {
    let Some(programs) = programs() else {
        skip::skip("postgres is not installed (Debian: postgresql)");
        return None;
    };
    // SIGQUIT: end at once, children and shared memory included. SIGTERM would
    // wait for the clients.
    let recipe = Recipe::new("postgres").stop_signal(Signal::SIGQUIT);
    let data = recipe.folder().join("data");
    let init: [&Path; 9] = [
        "-D".as_ref(),
        &data,
        "-U".as_ref(),
        TRUSTED.as_ref(),
        "--auth=trust".as_ref(),
        "--no-locale".as_ref(),
        "--encoding=UTF8".as_ref(),
        "--no-sync".as_ref(),
        "--no-instructions".as_ref(),
    ];
    recipe.run_to_end(&programs.join("initdb"), init);
    recipe.file("data/pg_hba.conf", HBA);
    let mut config = configuration(mood, &recipe);
    if let Some(identity) = identity {
        let identity = identity(recipe.place());
        recipe.file("data/server.crt", identity.certificate);
        recipe.file("data/server.key", identity.key);
        config.push_str("ssl = on\n");
    }
    recipe.file("data/postgresql.conf", config);
    let args: [OsString; 2] = ["-D".into(), data.into()];
    Some(recipe.start(&programs.join("postgres"), args, move |place| is_ready(mood, place)))
}

/// One user without a password, any other with one.
const HBA: &str = "\
host all trusted 127.0.0.0/8 trust
host all all     127.0.0.0/8 scram-sha-256
host all all     10.99.0.0/16 scram-sha-256
";

fn configuration(mood: Postgres, recipe: &Recipe) -> String {
    let place = recipe.place();
    let common = format!(
        "listen_addresses = '{}'\nport = {}\nunix_socket_directories = ''\nfsync = off\n\
         shared_buffers = 1MB\ndynamic_shared_memory_type = mmap\nlog_line_prefix = '%p '\n",
        place.ip(),
        place.port()
    );
    let special = match mood {
        Postgres::Serving => String::new(),
        Postgres::OneConnection => "max_connections = 1\nsuperuser_reserved_connections = 0\n\
             max_wal_senders = 0\n"
            .to_owned(),
        // The first thing that a recovery does is to fetch its history; this
        // one waits for it until the folder of the test is gone.
        Postgres::StartingUp => {
            let mark = recipe.file("data/recovery.signal", "");
            format!(
                "restore_command = 'while test -e {}; do sleep 0.1; done; false'\n",
                mark.display()
            )
        }
        Postgres::Standby => {
            recipe.file("data/standby.signal", "");
            "hot_standby = off\n".to_owned()
        }
    };
    common + &special
}

/// Where the newest installed PostgreSQL has its programs.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok();
    let newest = versions.into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    newest
        .filter(|bin| bin.join("initdb").is_file() && bin.join("postgres").is_file())
        .max()
        .or_else(|| find("initdb")?.parent().map(Path::to_path_buf))
}

/// Answers a start-up message with what its mood lets expect.
fn is_ready(mood: Postgres, place: SocketAddr) -> bool {
    let Some((_, answer)) = log_in(place) else { return false };
    match mood {
        Postgres::Serving | Postgres::OneConnection => answer.first() == Some(&b'R'),
        Postgres::StartingUp => has_code(&answer, "57P03") && has_text(&answer, "starting up"),
        Postgres::Standby => has_code(&answer, "57P03") && has_text(&answer, "not accepting"),
    }
}

/// A connection of the trusted user, for as long as the value lives.
///
/// Waits for a place to become free: the look that found the server ready had
/// a connection too, and the server takes a moment to notice its end.
///
/// # Panics
/// When the server does not let the user in.
pub fn hold_connection(server: &Server) -> TcpStream {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let (stream, answer) = log_in(server.place()).expect("the server answers");
        if answer.starts_with(b"R\0\0\0\x08\0\0\0\0") {
            return stream;
        }
        let full = has_code(&answer, "53300") && Instant::now() < until;
        assert!(full, "not let in: {}", String::from_utf8_lossy(&answer));
    }
}

/// Whether the server turns the trusted user away with this SQLSTATE.
pub fn refuses_with(server: &Server, code: &str) -> bool {
    log_in(server.place()).is_some_and(|(_, answer)| has_code(&answer, code))
}

/// Sends the start-up message of the trusted user (protocol 3.0, "Message
/// Formats") and returns the connection with the first bytes that came back.
fn log_in(place: SocketAddr) -> Option<(TcpStream, Vec<u8>)> {
    let mut body = 196_608_u32.to_be_bytes().to_vec();
    body.extend(format!("user\0{TRUSTED}\0database\0postgres\0\0").into_bytes());
    let mut message = u32::try_from(body.len() + 4).ok()?.to_be_bytes().to_vec();
    message.extend(body);
    let mut stream = TcpStream::connect_timeout(&place, Duration::from_secs(1)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    stream.write_all(&message).ok()?;
    let mut answer = vec![0; 4096];
    let len = stream.read(&mut answer).ok()?;
    answer.truncate(len);
    Some((stream, answer))
}

fn has_code(answer: &[u8], code: &str) -> bool {
    answer.first() == Some(&b'E') && has_text(answer, &format!("C{code}"))
}

fn has_text(answer: &[u8], text: &str) -> bool {
    answer.windows(text.len()).any(|window| window == text.as_bytes())
}

/// What in a log says that a client did not keep to the protocol, or broke off.
pub fn protocol_complaints(log: &str) -> Vec<&str> {
    const COMPLAINTS: [&str; 9] = [
        "invalid length of startup packet",
        "incomplete startup packet",
        "unsupported frontend protocol",
        "invalid frontend message",
        "expected ",
        "could not receive data from client",
        "could not send data to client",
        "could not accept SSL connection",
        "unexpected EOF",
    ];
    log.lines().filter(|line| COMPLAINTS.iter().any(|complaint| line.contains(complaint))).collect()
}
