//! heartbeat: a plugin for a protocol that only one company speaks.
//!
//! A worked example with everything that `hello-check` leaves out: both halves,
//! settings, a secret, lengths that the peer names, and an answer that only this
//! protocol gives. `src/message.rs` is the protocol, this file the judgement.
//!
//! **Confirms** the job server by its frame: our number comes back in it.
//!
//! **Sends** over TCP one `status` frame of at most 300 bytes, with the token if
//! there is one; over UDP one beat of 7 bytes.
//!
//! **Never** sends a job, and never the token to UDP: it would be in the clear
//! for everyone on the way, and a beat is answered without it.
//!
//! **Verdicts**
//! - confirmed and healthy: it serves, and its queue is no longer than `max-queue`;
//! - confirmed and degraded: the queue is longer, or it is draining;
//! - confirmed and unhealthy: it refuses the token;
//! - mismatch: anything else.
//!
//! Build and try it: `portscan plugin test examples/heartbeat-check`, then
//! `portscan jobs.example.com 7400 --plugin ./heartbeat.wasm
//! --secret heartbeat.token=env:JOBS_TOKEN`.

mod message;

use message::{Beat, Condition, MAX_FRAME, Status};
use portscan_plugin::{
    Answer, Check, CheckError, Conclusion, Connection, Endpoint, Metadata, Payload, PayloadError,
    Plugin, REST, SettingKind, SettingSpec, Settings, SideEffect, Transport, UdpProbe,
};

/// The plugin.
pub struct Heartbeat;

impl Plugin for Heartbeat {
    fn describe() -> Metadata {
        Metadata::new("heartbeat", env!("CARGO_PKG_VERSION"), "Job servers: do they take work?")
            .tcp(7400)
            .udp(7400)
            .setting(
                SettingSpec::new("token", SettingKind::Text, "what the server knows us by")
                    .secret(),
            )
            .setting(
                SettingSpec::new(
                    "max-queue",
                    SettingKind::Integer,
                    "the longest queue that is fine",
                )
                .or("1000"),
            )
            // The host holds us to these figures.
            .sends("TCP: one status frame with the token; UDP: one beat of 7 bytes", 1, 300)
            .leaves(SideEffect::LogLine)
    }
}

/// TCP: ask for the status, and judge it. UDP: a second beat, and nothing else.
impl Check for Heartbeat {
    fn run(
        connection: &mut Connection,
        _: &Endpoint,
        settings: &Settings,
    ) -> Result<Conclusion, CheckError> {
        let number = u32::from_be_bytes(connection.random());
        if connection.transport() == Transport::Udp {
            connection.send(Beat { number }.request())?;
            return Ok(echo(&connection.receive(64, REST)?, number));
        }
        let token = settings.text("token").unwrap_or_default();
        let frame = message::status_request(number, token).map_err(|_| {
            CheckError::InvalidSetting("`token` may have up to 255 bytes".to_owned())
        })?;
        connection.send(frame)?;
        // The peer names a length. It is held to ours before a byte is read for it.
        let length = connection.receive_exact(2, REST)?;
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        if length > MAX_FRAME {
            return Ok(Conclusion::mismatch(format!("it announces a frame of {length} bytes")));
        }
        let frame = connection.receive_exact(length, REST)?;
        Ok(match Status::parse(&frame) {
            Some(status) if status.number == number => judge(&status, settings),
            Some(_) => Conclusion::mismatch("it answers a question that was not asked"),
            None => Conclusion::mismatch("it answers, and not with a status frame"),
        })
    }
}

fn judge(status: &Status, settings: &Settings) -> Conclusion {
    let most = settings.integer("max-queue").unwrap_or(i64::MAX);
    let queue = i64::from(status.queue);
    let conclusion = match status.condition {
        Condition::Refused => Conclusion::confirmed("it refuses our token").unhealthy(),
        Condition::Draining => Conclusion::confirmed("it is draining: no new jobs").degraded(),
        Condition::Serving if queue > most => {
            Conclusion::confirmed(format!("{queue} jobs wait, more than {most}")).degraded()
        }
        Condition::Serving => {
            Conclusion::confirmed(format!("it serves; {queue} jobs wait")).healthy()
        }
    };
    conclusion
        .finding("heartbeat.queue", queue)
        .finding("heartbeat.version", i64::from(status.version))
}

/// UDP: a beat, and its echo. Pure: the host sends, repeats and listens.
impl UdpProbe for Heartbeat {
    fn payloads(_: &Endpoint, seed: u64, _: &Settings) -> Result<Vec<Payload>, PayloadError> {
        let data = Beat { number: seed as u32 }.request();
        Ok(vec![Payload { data, label: "beat".to_owned() }])
    }

    fn judge(_: &Endpoint, seed: u64, answer: &Answer, _: &Settings) -> Conclusion {
        echo(&answer.data, seed as u32)
    }
}

fn echo(datagram: &[u8], number: u32) -> Conclusion {
    match Beat::parse_echo(datagram) {
        Some(beat) if beat.number == number => Conclusion::confirmed("its heart beats").healthy(),
        Some(_) => Conclusion::mismatch("it echoes a beat that was not ours"),
        None => Conclusion::mismatch("it answers, and not with a beat"),
    }
}

portscan_plugin::export!(Heartbeat: udp_probe + check);
