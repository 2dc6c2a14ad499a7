//! redis: does a Redis server answer, and does it serve?
//!
//! **Confirms** Redis (and what speaks its protocol: Valkey, KeyDB, Sentinel) by
//! its answer to PING.
//!
//! **Sends** one PING as an array, `*1\r\n$4\r\nPING\r\n` (14 bytes). With
//! `tls=true`, after a TLS handshake. Nothing else: no QUIT either, the
//! connection is closed.
//!
//! **Never** sends AUTH, a key, or any other command.
//!
//! **Verdicts**
//! - confirmed and healthy: `+PONG`, or it asks for a password (`-NOAUTH`, or a
//!   refusal of the command for this user, `-NOPERM`);
//! - confirmed and degraded: `-DENIED` (protected mode: it serves its own machine
//!   only), PING switched off, read-only, or a certificate that is not trusted here;
//! - confirmed and unhealthy: a certificate that has expired, `-LOADING` (reading its data), `-MASTERDOWN` (a
//!   replica without its master), `-BUSY` (a script holds it), `-MISCONF`,
//!   `-NOREPLICAS`, `-OOM`, `-ERR max number of clients reached`;
//! - mismatch: anything else, an error that Redis does not have included.
//!
//! Findings: `redis.reply`, and the `tls.*` of the session.
//!
//! References: Redis serialization protocol specification (redis.io, "RESP"),
//! command PING, error replies in Redis' `server.c` (`createSharedObjects`).

mod judge;

use portscan_plugin::{
    Check, CheckError, Conclusion, Connection, Endpoint, IoError, Metadata, Plugin, REST,
    SettingKind, SettingSpec, Settings, TlsOptions,
};

/// PING as clients send it. An inline `PING\r\n` would do as well, and is also
/// what a web or mail server answers with an error of its own.
const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";

/// Longest reply that is read. The errors are sentences; DENIED is 600 bytes.
const MAX_REPLY: usize = 2048;

/// The plugin.
pub struct Redis;

impl Plugin for Redis {
    fn describe() -> Metadata {
        Metadata::new("redis", env!("CARGO_PKG_VERSION"), "Redis servers: do they answer and serve")
            .tcp(6379)
            .setting(
                SettingSpec::new("tls", SettingKind::Boolean, "whether to begin with TLS")
                    .or("false"),
            )
            .sends("one PING", 1, PING.len() as u32)
    }
}

impl Check for Redis {
    fn run(
        connection: &mut Connection,
        _: &Endpoint,
        settings: &Settings,
    ) -> Result<Conclusion, CheckError> {
        let session = match settings.boolean("tls") {
            Some(true) => Some(connection.start_tls(&TlsOptions::offering(&[]))?),
            _ => None,
        };
        // A server without a free connection says so and closes at once: what it
        // said can be read although nothing can be sent any more.
        let sent = connection.send(PING);
        let conclusion = match connection.receive_line(MAX_REPLY, REST) {
            Ok(Some(line)) => judge::reply(&line),
            Ok(None) => judge::mismatch(),
            Err(error) => {
                let error = sent.err().unwrap_or(error);
                unfinished(connection.unread(), error)?
            }
        };
        Ok(match session {
            Some(session) => judge::with_tls(conclusion, &session, connection.unix_now()),
            None => conclusion,
        })
    }
}

/// The line did not come to its end.
fn unfinished(came: &[u8], error: IoError) -> Result<Conclusion, IoError> {
    if judge::may_begin_a_reply(came) { Err(error) } else { Ok(judge::mismatch()) }
}

portscan_plugin::export!(Redis: check);
