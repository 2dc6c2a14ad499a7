//! postgres: does a PostgreSQL server accept connections?
//!
//! **Confirms** PostgreSQL by a well-formed answer to its start-up message: an
//! authentication request, or an error with an SQLSTATE. Poolers that speak the
//! protocol (PgBouncer and others) are confirmed likewise.
//!
//! **Sends**, in this order, as any client does:
//! 1. SSLRequest, `00000008 04d2162f`, unless `tls=disable`; after `S` the
//!    connection is upgraded to TLS;
//! 2. StartupMessage for protocol 3.0: the user and the database of the settings,
//!    and `application_name=portscan`;
//! 3. Terminate, `58 00000004`, when the server let us in without a password.
//!
//! **Never** sends a password, a query or a cancel request. Where the server
//! asks for a password we close, which PostgreSQL takes for a client that goes
//! to ask its user: no line in its log. A start-up that it refuses (no entry in
//! pg_hba.conf, no such role) does leave a line.
//!
//! **Verdicts**
//! - confirmed and healthy: it asks for a password, lets us in, or refuses this
//!   user; degraded: it does not know the database that the user named, its
//!   certificate has expired, or it reports any other error;
//! - confirmed and unhealthy: it is starting up or shutting down (57P03), has no
//!   connection left (53300), or is out of another resource (53xxx);
//! - inconclusive and unhealthy: it declines TLS and `tls=require` forbids more;
//! - mismatch: it answers, and not in this protocol.
//!
//! Findings: `postgres.tls`, `postgres.authentication`, `postgres.sqlstate`,
//! `postgres.message`, `postgres.server-version`, and the `tls.*` of the session.
//!
//! References: PostgreSQL documentation, "Frontend/Backend Protocol" (message
//! flow, message formats, error fields) and appendix "PostgreSQL Error Codes".

mod judge;
mod message;

use portscan_plugin::{
    Check, CheckError, Conclusion, Connection, Endpoint, IoError, Metadata, Plugin, REST,
    SettingKind, SettingSpec, Settings, SideEffect, TlsOptions, TlsSession,
};

use message::Message;

/// Most bytes of a user or database name: PostgreSQL's own NAMEDATALEN is 64.
const MAX_NAME: usize = 128;

/// Most messages that are read after we were let in, until the server is ready.
/// A server sends about fifteen parameters; a notice or two may come between.
const MAX_GREETING: usize = 64;

/// The plugin.
pub struct Postgres;

impl Plugin for Postgres {
    fn describe() -> Metadata {
        let version = env!("CARGO_PKG_VERSION");
        Metadata::new("postgres", version, "PostgreSQL: does it accept connections")
            .tcp(5432)
            .setting(
                // A role that exists nearly everywhere: one that does not exist
                // would leave a line in the log with every check.
                SettingSpec::new("user", SettingKind::Text, "the role to start up as")
                    .or("postgres"),
            )
            .setting(
                SettingSpec::new("database", SettingKind::Text, "the database to start up with")
                    .or("postgres"),
            )
            .setting(
                SettingSpec::new("tls", SettingKind::Text, "prefer, require or disable")
                    .or("prefer"),
            )
            .sends(
                "SSLRequest, StartupMessage without a password, Terminate",
                3,
                (8 + 64 + 2 * MAX_NAME + 5) as u32,
            )
            .leaves(SideEffect::LogLine)
    }
}

/// What the user wants of TLS; the words are libpq's sslmode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TlsMode {
    Prefer,
    Require,
    Disable,
}

struct Start<'a> {
    user: &'a str,
    database: &'a str,
    tls: TlsMode,
}

impl<'a> Start<'a> {
    fn read(settings: &'a Settings) -> Result<Start<'a>, CheckError> {
        let tls = match settings.text("tls").unwrap_or("prefer") {
            "prefer" => TlsMode::Prefer,
            "require" => TlsMode::Require,
            "disable" => TlsMode::Disable,
            other => {
                let text = format!("tls: {other} is not one of prefer, require, disable");
                return Err(CheckError::InvalidSetting(text));
            }
        };
        let user = name(settings, "user")?;
        let database = name(settings, "database")?;
        Ok(Start { user, database, tls })
    }
}

fn name<'a>(settings: &'a Settings, setting: &str) -> Result<&'a str, CheckError> {
    let name = settings.text(setting).unwrap_or("postgres");
    if name.is_empty() || name.len() > MAX_NAME || name.contains('\0') {
        let text = format!("{setting}: needs 1 to {MAX_NAME} bytes and no zero byte");
        return Err(CheckError::InvalidSetting(text));
    }
    Ok(name)
}

impl Check for Postgres {
    fn run(
        connection: &mut Connection,
        _: &Endpoint,
        settings: &Settings,
    ) -> Result<Conclusion, CheckError> {
        let start = Start::read(settings)?;
        let session = match upgrade(connection, start.tls)? {
            Upgrade::Done(session) => Some(session),
            Upgrade::Declined => None,
            Upgrade::Over(conclusion) => return Ok(conclusion),
        };
        connection.send(message::startup(start.user, start.database))?;
        let conclusion = converse(connection, &start)?.finding("postgres.tls", session.is_some());
        Ok(match session {
            Some(session) => judge::with_tls(conclusion, &session, connection.unix_now()),
            None => conclusion,
        })
    }
}

/// How the question for TLS ended.
enum Upgrade {
    Done(TlsSession),
    /// Plaintext from here on, by the server's wish or the user's.
    Declined,
    /// There is nothing more to ask.
    Over(Conclusion),
}

fn upgrade(connection: &mut Connection, mode: TlsMode) -> Result<Upgrade, IoError> {
    if mode == TlsMode::Disable {
        return Ok(Upgrade::Declined);
    }
    connection.send(message::SSL_REQUEST)?;
    // More is asked for than the one byte that PostgreSQL sends: whoever speaks
    // first and at length (SSH begins with an S, too) is told apart here.
    let answer = connection.receive(64, REST)?;
    match (answer.as_slice(), mode) {
        (b"S", _) => match connection.start_tls(&TlsOptions::offering(&["postgresql"])) {
            Ok(session) => Ok(Upgrade::Done(session)),
            Err(IoError::Tls(why)) => {
                let text =
                    format!("it offers TLS as PostgreSQL does, and the handshake fails: {why}");
                Ok(Upgrade::Over(Conclusion::inconclusive(text).unhealthy()))
            }
            Err(error) => Err(error),
        },
        (b"N", TlsMode::Require) => {
            let text = "it declines TLS as PostgreSQL does; tls=require forbids to go on without";
            Ok(Upgrade::Over(Conclusion::inconclusive(text).unhealthy()))
        }
        (b"N", _) => Ok(Upgrade::Declined),
        // A postmaster that cannot even fork says so here, in the format of old.
        (b"E", _) => Ok(Upgrade::Over(judge::fork_failure(&rest_of_error(connection)?))),
        ([b'E', rest @ ..], _) => {
            let more = rest_of_error(connection)?;
            Ok(Upgrade::Over(judge::fork_failure(&[rest, &more].concat())))
        }
        _ => Ok(Upgrade::Over(judge::mismatch())),
    }
}

/// An error without a length: text until its zero byte or until the server closes.
fn rest_of_error(connection: &mut Connection) -> Result<Vec<u8>, IoError> {
    match connection.receive_until(b"\0", 1024, REST) {
        Ok(text) => Ok(text),
        Err(_) if !connection.unread().is_empty() => Ok(connection.unread().to_vec()),
        Err(IoError::Closed) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// From the start-up message to the conclusion.
fn converse(connection: &mut Connection, start: &Start) -> Result<Conclusion, IoError> {
    // Before it asks who we are, a server may say which minor version it speaks.
    for _ in 0..4 {
        match message::receive(connection)? {
            Some(Message::Notice | Message::Negotiation) => {}
            Some(Message::Authentication { method: 0, .. }) => return let_in(connection),
            Some(Message::Authentication { method, mechanisms }) => {
                return Ok(judge::asks_password(method, &mechanisms));
            }
            Some(Message::Error(error)) => return Ok(judge::error(&error, start.database)),
            _ => return Ok(judge::mismatch()),
        }
    }
    Ok(judge::mismatch())
}

/// The server wants no password: read its greeting, and take leave.
fn let_in(connection: &mut Connection) -> Result<Conclusion, IoError> {
    let mut version = None;
    for _ in 0..MAX_GREETING {
        match message::receive(connection)? {
            Some(Message::Parameter { name, value }) if name == "server_version" => {
                version = Some(value);
            }
            Some(Message::Ready) => {
                // The conclusion stands, whether or not the leave arrives.
                let _ = connection.send(message::TERMINATE);
                return Ok(judge::lets_in(version));
            }
            Some(Message::Error(error)) => return Ok(judge::error(&error, "")),
            Some(_) => {}
            None => return Ok(judge::mismatch()),
        }
    }
    Ok(judge::mismatch())
}

portscan_plugin::export!(Postgres: check);
