//! NAME: does the service answer PING with PONG?
//!
//! Replace the conversation by your service's. `portscan plugin build .` makes
//! the component, `portscan plugin test .` plays the transcripts with it.

use portscan_plugin::{
    Check, CheckError, Conclusion, Connection, Endpoint, Metadata, Plugin, REST, SettingKind,
    SettingSpec, Settings,
};

/// The plugin. It holds nothing: every check starts afresh.
pub struct Service;

impl Plugin for Service {
    fn describe() -> Metadata {
        Metadata::new("NAME", env!("CARGO_PKG_VERSION"), "Asks a service whether it is there")
            .tcp(7000)
            .setting(
                SettingSpec::new("word", SettingKind::Text, "what to ask it with").or("PING"),
            )
            // The receipt: no more than this may be sent.
            .sends("one line", 1, 64)
    }
}

impl Check for Service {
    fn run(
        connection: &mut Connection,
        _: &Endpoint,
        settings: &Settings,
    ) -> Result<Conclusion, CheckError> {
        let word = settings.text("word").unwrap_or("PING");
        connection.send(format!("{word}\r\n").as_bytes())?;
        // `?` ends the check as inconclusive when the peer stays silent or goes away.
        let line = connection.receive_line(256, REST)?;
        Ok(match line.as_deref() {
            Some(b"PONG") => Conclusion::confirmed("it answers").healthy(),
            Some(b"BUSY") => Conclusion::confirmed("it is busy").unhealthy(),
            _ => Conclusion::mismatch("it answers, but not as this service"),
        })
    }
}

portscan_plugin::export!(Service: check);
