//! A transcript's peer, as the host's own.

use std::time::Duration;

use portscan_plugin as sdk;
use portscan_plugin::transcript::{Delivery, Script, Transcript};

use crate::host::{Certificate, Datagram, Player, TalkError, TlsOptions, TlsSession, Trust};
use crate::model::{Sends, Transport};

/// Plays a transcript.
#[derive(Debug)]
pub(super) struct Played(Script);

impl Played {
    /// A peer that delivers what `transcript` says in this way, for a plugin that
    /// declares `sends`.
    pub(super) fn new(transcript: &Transcript, delivery: Delivery, sends: &Sends) -> Played {
        let declared = sdk::Sends {
            what: String::new(),
            largest: sends.largest,
            packets: sends.packets,
            connections: sends.connections,
            amplification: sdk::Amplification::None,
        };
        Played(Script::new(transcript, delivery, declared))
    }

    /// Where the plugin left the transcript.
    pub(super) fn problem(&self) -> Option<String> {
        self.0.problem()
    }
}

impl Player for Played {
    fn transport(&self) -> Transport {
        match self.0.transport() {
            sdk::Transport::Tcp => Transport::Tcp,
            sdk::Transport::Udp => Transport::Udp,
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), TalkError> {
        self.0.send(bytes).map_err(error)
    }

    fn receive(&mut self, max: usize, wait: Duration) -> Result<Datagram, TalkError> {
        let max = u32::try_from(max).unwrap_or(u32::MAX);
        let bytes = self.0.receive(max, wait).map_err(error)?;
        Ok(Datagram { bytes, port: self.0.port() })
    }

    fn finish(&mut self) -> Result<(), TalkError> {
        self.0.finish().map_err(error)
    }

    fn start_tls(&mut self, options: &TlsOptions) -> Result<TlsSession, TalkError> {
        let options = sdk::TlsOptions {
            server_name: options.server_name.clone(),
            alpn: options.alpn.clone(),
        };
        self.0.start_tls(&options).map(session).map_err(error)
    }

    fn reconnect(&mut self) -> Result<(), TalkError> {
        self.0.reconnect().map_err(error)
    }

    fn local_port(&self) -> u16 {
        self.0.local_port()
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn time_left(&self) -> Duration {
        self.0.time_left()
    }

    fn unix_now_nanos(&mut self) -> i64 {
        self.0.unix_now_nanos()
    }

    fn random_bytes(&mut self, len: u32) -> Vec<u8> {
        self.0.random_bytes(len)
    }
}

fn error(error: sdk::IoError) -> TalkError {
    match error {
        sdk::IoError::TimedOut => TalkError::TimedOut,
        sdk::IoError::Refused => TalkError::Refused,
        sdk::IoError::Closed => TalkError::Closed,
        sdk::IoError::Reset => TalkError::Reset,
        sdk::IoError::Unreachable(text) => TalkError::Unreachable(text),
        sdk::IoError::Tls(text) => TalkError::Tls(text),
        sdk::IoError::OverBudget(text)
        | sdk::IoError::Unsupported(text)
        | sdk::IoError::Other(text) => TalkError::Other(text),
    }
}

fn session(from: sdk::TlsSession) -> TlsSession {
    TlsSession {
        version: from.version,
        cipher: from.cipher,
        alpn: from.alpn,
        certificates: from.certificates.into_iter().map(certificate).collect(),
        trust: match from.trust {
            sdk::Trust::Trusted => Trust::Trusted,
            sdk::Trust::Untrusted(why) => Trust::Untrusted(why),
            sdk::Trust::NoRoots => Trust::NoRoots,
        },
    }
}

fn certificate(from: sdk::Certificate) -> Certificate {
    Certificate {
        subject: from.subject,
        issuer: from.issuer,
        names: from.names,
        serial: from.serial,
        not_before: from.not_before,
        not_after: from.not_after,
        key: from.key,
        signature_algorithm: from.signature_algorithm,
        fingerprint: from.fingerprint,
        self_signed: from.self_signed,
    }
}
