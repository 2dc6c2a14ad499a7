//! A name server that answers from memory.

use std::time::Duration;

use portscan::host::{Datagram, Player, TalkError, TlsOptions, TlsSession};
use portscan::model::Transport;

/// Answers each question over TCP with "no error" and no records.
#[derive(Debug, Default)]
pub struct NameServer {
    /// What it has said and nobody has read.
    said: Vec<u8>,
}

/// Makes an answer of a question: QR and RA are set (RFC 1035 4.1.1).
pub fn answer(question: &mut [u8]) {
    question[2] |= 0x80;
    question[3] |= 0x80;
}

impl Player for NameServer {
    fn transport(&self) -> Transport {
        Transport::Tcp
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), TalkError> {
        let mut message = bytes.to_vec();
        // Over TCP a message follows its length (RFC 1035 4.2.2).
        answer(&mut message[2..]);
        self.said.extend(message);
        Ok(())
    }

    fn receive(&mut self, max: usize, _: Duration) -> Result<Datagram, TalkError> {
        match self.said.is_empty() {
            true => Err(TalkError::TimedOut),
            false => {
                let rest = self.said.split_off(self.said.len().min(max));
                Ok(Datagram { bytes: std::mem::replace(&mut self.said, rest), port: 53 })
            }
        }
    }

    fn finish(&mut self) -> Result<(), TalkError> {
        Ok(())
    }

    fn start_tls(&mut self, _: &TlsOptions) -> Result<TlsSession, TalkError> {
        Err(TalkError::Unsupported("it speaks no TLS"))
    }

    fn reconnect(&mut self) -> Result<(), TalkError> {
        Ok(())
    }

    fn local_port(&self) -> u16 {
        40_000
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    fn time_left(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn unix_now_nanos(&mut self) -> i64 {
        0
    }

    fn random_bytes(&mut self, len: u32) -> Vec<u8> {
        vec![7; len as usize]
    }
}
