//! http: does a web server answer, and is its certificate in order?
//!
//! **Confirms** HTTP/1 by a well-formed status line, in plaintext or over TLS.
//!
//! **Sends** one request for the settings' path,
//! `HEAD / HTTP/1.1`, `Host`, `User-Agent: portscan`, `Accept: */*`,
//! `Connection: close`, and the empty line. Ports 443 and 8443 get TLS first
//! (offering `http/1.1`), others when `tls=true`. A server that answers HEAD
//! with 400, 405 or 501 is asked once more with GET, over a second connection:
//! those say nothing about how it is, and the body may say why.
//!
//! **Never** follows a redirect, sends a body, a cookie or a credential, and
//! reads no more of a page than 4 KiB.
//!
//! **Verdicts**
//! - confirmed and healthy: any status below 500 (a 404 or 401 is an answer);
//! - confirmed and degraded: a certificate that is not trusted here or about to
//!   expire, or a port that wants TLS and was asked without;
//! - confirmed and unhealthy: a status of 500 and above, or a certificate that
//!   has expired or is not valid yet;
//! - inconclusive and unhealthy: the TLS handshake fails;
//! - mismatch: anything else; TLS is named when it answers.
//!
//! Findings: `http.status`, `http.version`, `http.server`, `http.location`,
//! `http.tls`, and the `tls.*` of the session.
//!
//! References: RFC 9110 (semantics; 9.3.2 HEAD, 15 status codes), RFC 9112
//! (message syntax; 3.2 request target and Host, 4 status line).

mod judge;
mod request;
mod response;

use portscan_plugin::{
    Check, CheckError, Conclusion, Connection, Endpoint, IoError, Metadata, Plugin, SettingKind,
    SettingSpec, Settings, SideEffect, TlsOptions, TlsSession,
};

use request::Request;
use response::Answer;

/// Ports at which TLS comes first unless the user says otherwise.
const TLS_PORTS: [u16; 2] = [443, 8443];

/// The plugin.
pub struct Http;

impl Plugin for Http {
    fn describe() -> Metadata {
        let version = env!("CARGO_PKG_VERSION");
        Metadata::new("http", version, "Web servers: do they answer, is their certificate in order")
            .tcp(80)
            .tcp(443)
            .tcp(8080)
            .tcp(8443)
            .setting(SettingSpec::new("path", SettingKind::Text, "what to ask for").or("/"))
            .setting(SettingSpec::new(
                "host",
                SettingKind::Text,
                "the Host to ask for, and the name for TLS; without it, the target's own",
            ))
            .setting(SettingSpec::new(
                "tls",
                SettingKind::Boolean,
                "whether to begin with TLS; without it, on ports 443 and 8443",
            ))
            .setting(
                SettingSpec::new(
                    "expiry-days",
                    SettingKind::Integer,
                    "days before a certificate's end from which on it is a flaw",
                )
                .or("7"),
            )
            .sends("a HEAD request; a GET one when that is refused", 2, request::MAX_REQUEST as u32)
            .connections(2)
            .leaves(SideEffect::LogLine)
    }
}

impl Check for Http {
    fn run(
        connection: &mut Connection,
        endpoint: &Endpoint,
        settings: &Settings,
    ) -> Result<Conclusion, CheckError> {
        let request = Request::read(endpoint, settings)?;
        let mut first = match exchange(connection, &request, "HEAD")? {
            Exchange::Over(conclusion) => return Ok(conclusion),
            Exchange::Answered(answered) => answered,
        };
        if matches!(first.answer.status, 400 | 405 | 501)
            // What the first answer says stands when the second cannot be had.
            && let Ok(mut again) = connection.reconnect()
            && let Ok(Exchange::Answered(second)) = exchange(&mut again, &request, "GET")
        {
            first = second;
        }
        let expiry_days = settings.integer("expiry-days").unwrap_or(7);
        let tls = first.session.as_ref().map(|session| judge::Tls {
            session,
            now: connection.unix_now(),
            expiry_days,
        });
        Ok(judge::conclude(&first.answer, tls))
    }
}

/// How one request ended.
enum Exchange {
    Answered(Answered),
    /// It is no web server, or none that can be talked to.
    Over(Conclusion),
}

struct Answered {
    answer: Answer,
    session: Option<TlsSession>,
}

fn exchange(
    connection: &mut Connection,
    request: &Request,
    method: &str,
) -> Result<Exchange, IoError> {
    let session = match request.tls {
        false => None,
        true => match connection.start_tls(&request.tls_options()) {
            Ok(session) => Some(session),
            Err(IoError::Tls(why)) => return Ok(Exchange::Over(judge::no_handshake(&why))),
            Err(error) => return Err(error),
        },
    };
    connection.send(request.bytes(method))?;
    Ok(match response::receive(connection)? {
        Ok(answer) => Exchange::Answered(Answered { answer, session }),
        Err(began_with) => Exchange::Over(judge::mismatch(&began_with)),
    })
}

impl Request {
    fn tls_options(&self) -> TlsOptions {
        let options = TlsOptions::offering(&["http/1.1"]);
        TlsOptions { server_name: self.server_name.clone(), ..options }
    }
}

portscan_plugin::export!(Http: check);
