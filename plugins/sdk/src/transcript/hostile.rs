//! Peers that no standard describes. Whatever they send, a plugin comes to an
//! end, does not panic, and does not call them its service.

use std::time::Duration;

use super::TransportName;
use super::replay::{endpoint, settings};
use super::{Expect, Half, Transcript};
use crate::{
    Answer, Check, CheckError, Connection, Datagram, IoError, TlsOptions, TlsSession, Transport,
    UdpProbe, Verdict, Wire,
};

/// Most bytes that a plugin may read from a peer that never stops: an honest
/// answer is far smaller, and the host's own limit far larger.
const ENOUGH: usize = 1 << 20;

/// How a hostile peer hands out its bytes.
#[derive(Clone, Copy, Debug)]
enum Manner {
    /// Once, then it closes.
    Once,
    /// Once, then silence.
    OnceThenSilent,
    /// Once, one byte at a time, then it closes.
    Slowly,
    /// Over and over.
    Forever,
}

/// A peer that accepts everything and says what it wants.
struct Hostile {
    transport: Transport,
    bytes: Vec<u8>,
    manner: Manner,
    at: usize,
    sent: usize,
    now: Duration,
}

/// Runs the check against garbage, other protocols, slow, endless and silent peers.
///
/// # Errors
/// A text that names the peer that fooled the plugin.
pub fn survives_hostile_peers<P: Check>(transport: Transport, port: u16) -> Result<(), String> {
    let transcript = nothing(transport, port);
    let settings = settings(&P::describe(), &transcript)?;
    for (name, bytes) in garbage() {
        for manner in [Manner::Once, Manner::OnceThenSilent, Manner::Slowly, Manner::Forever] {
            let bytes = bytes.clone();
            let peer = Hostile { transport, bytes, manner, at: 0, sent: 0, now: Duration::ZERO };
            let ran = P::run(&mut Connection::new(peer), &endpoint(&transcript), &settings);
            match ran {
                Ok(conclusion) if conclusion.verdict == Verdict::Confirmed => {
                    return Err(format!("{name}, {manner:?}: confirmed: {}", conclusion.summary));
                }
                Ok(_) | Err(CheckError::Conversation(_)) => {}
                Err(error) => return Err(format!("{name}, {manner:?}: {error:?}")),
            }
        }
    }
    Ok(())
}

/// Gives the judge garbage and other protocols' answers.
///
/// # Errors
/// A text that names the answer that fooled the plugin.
pub fn survives_hostile_answers<P: UdpProbe>(port: u16) -> Result<(), String> {
    let transcript = nothing(Transport::Udp, port);
    let settings = settings(&P::describe(), &transcript)?;
    let endpoint = endpoint(&transcript);
    let seed = 0x0102_0304_0506_0708;
    let payloads = P::payloads(&endpoint, seed, &settings).map_err(|error| format!("{error:?}"))?;
    let echoes = payloads.iter().map(|payload| ("its own question", payload.data.clone()));
    for (name, data) in garbage().into_iter().chain(echoes) {
        // An index beyond the payloads too: it comes from outside the plugin.
        for index in [0, 1, u32::MAX] {
            let answer = Answer { index, data: data.clone(), port };
            let conclusion = P::judge(&endpoint, seed, &answer, &settings);
            if conclusion.verdict == Verdict::Confirmed {
                return Err(format!("{name}: confirmed: {}", conclusion.summary));
            }
        }
    }
    Ok(())
}

/// An empty conversation, for its endpoint and settings.
fn nothing(transport: Transport, port: u16) -> Transcript {
    Transcript {
        name: String::new(),
        plugin: None,
        half: Half::Check,
        transport: match transport {
            Transport::Tcp => TransportName::Tcp,
            Transport::Udp => TransportName::Udp,
        },
        port,
        target: "peer.example".to_owned(),
        address: super::default_address(),
        local_port: super::default_local_port(),
        seed: 0,
        unix_time: 0,
        clock: Vec::new(),
        random: None,
        settings: Default::default(),
        step: Vec::new(),
        expect: Expect {
            verdict: String::new(),
            health: String::new(),
            summary: String::new(),
            findings: Default::default(),
        },
    }
}

/// Bytes that are no answer to anything.
fn garbage() -> Vec<(&'static str, Vec<u8>)> {
    // xorshift, so that every run sees the same noise.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let noise = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    });
    vec![
        ("nothing", Vec::new()),
        ("a zero byte", vec![0]),
        ("zeros", vec![0; 2048]),
        ("ones", vec![0xff; 2048]),
        ("line feeds", vec![b'\n'; 2048]),
        ("letters without an end", vec![b'A'; 70_000]),
        ("text lines", b"what do you want\r\n".to_vec()),
        ("noise", noise.take(4096).collect()),
        ("a mail server", b"220 mail.example ESMTP\r\n502 5.5.2 Error\r\n".to_vec()),
        ("a TLS alert", vec![0x15, 3, 3, 0, 2, 2, 70]),
        ("a terminal's escapes", b"\x1b]0;owned\x07\x1b[2J\r\n".to_vec()),
    ]
}

impl Wire for Hostile {
    fn transport(&self) -> Transport {
        self.transport
    }

    fn send(&mut self, _: &[u8]) -> Result<(), IoError> {
        Ok(())
    }

    fn receive(&mut self, max: u32, wait: Duration) -> Result<Vec<u8>, IoError> {
        self.now += Duration::from_micros(100);
        assert!(self.sent <= ENOUGH, "the plugin reads for ever");
        let exhausted = self.at == self.bytes.len();
        let len = match self.manner {
            Manner::Slowly => 1,
            _ => max as usize,
        };
        match self.manner {
            Manner::Once | Manner::Slowly if exhausted => return Err(IoError::Closed),
            Manner::OnceThenSilent if exhausted => {
                self.now += wait.min(self.time_left());
                return Err(IoError::TimedOut);
            }
            Manner::Forever if self.bytes.is_empty() => {
                self.now += wait.min(self.time_left());
                return Err(IoError::TimedOut);
            }
            Manner::Forever if exhausted => self.at = 0,
            _ => {}
        }
        let end = (self.at + len).min(self.bytes.len());
        let piece = self.bytes[self.at..end].to_vec();
        self.at = if self.transport == Transport::Udp { self.bytes.len() } else { end };
        self.sent += piece.len();
        Ok(piece)
    }

    fn receive_from(&mut self, max: u32, wait: Duration) -> Result<Datagram, IoError> {
        Ok(Datagram { data: self.receive(max, wait)?, port: 9 })
    }

    fn finish(&mut self) -> Result<(), IoError> {
        Ok(())
    }

    fn start_tls(&mut self, _: &TlsOptions) -> Result<TlsSession, IoError> {
        Err(IoError::Tls("not a handshake".to_owned()))
    }

    fn reconnect(&mut self) -> Result<Box<dyn Wire>, IoError> {
        Err(IoError::Refused)
    }

    fn local_port(&self) -> u16 {
        9
    }

    fn log(&mut self, _: &str) {}

    fn elapsed(&self) -> Duration {
        self.now
    }

    fn unix_now_nanos(&self) -> i64 {
        0
    }

    fn time_left(&self) -> Duration {
        Duration::from_secs(10).saturating_sub(self.now)
    }

    fn random_bytes(&mut self, len: u32) -> Vec<u8> {
        vec![0x5a; len as usize]
    }
}
