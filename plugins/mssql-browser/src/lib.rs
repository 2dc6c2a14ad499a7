//! mssql-browser: does a SQL Server Browser answer?
//!
//! **Confirms** a browser by a server response whose length is right. **Sends**
//! one request for the default instance, 13 bytes. **Never** asks for the list
//! of all instances, which amplifies and alarms. A browser is silent for an
//! instance that it does not have, so silence is normal.
//!
//! Findings: `mssql.instance` (what it says of the instance).
//!
//! References: MC-SQLR 2.2.3 (request for one instance), 2.2.5 (response).

use portscan_plugin::Reader;
use portscan_plugin::{
    Answer, Conclusion, Endpoint, Metadata, Payload, PayloadError, Plugin, Settings, UdpProbe,
};

/// The plugin.
pub struct MssqlBrowser;

impl Plugin for MssqlBrowser {
    fn describe() -> Metadata {
        Metadata::new("mssql-browser", env!("CARGO_PKG_VERSION"), "SQL Server browsers")
            .udp(1434)
            .sends("a request for the instance MSSQLSERVER", 1, REQUEST.len() as u32)
            .amplification(portscan_plugin::Amplification::Small)
            .silence_is_normal("a browser answers only for instances that it has")
    }
}

impl UdpProbe for MssqlBrowser {
    fn payloads(_: &Endpoint, seed: u64, _: &Settings) -> Result<Vec<Payload>, PayloadError> {
        Ok(vec![Payload {
            data: {
                let _ = seed;
                REQUEST.to_vec()
            },
            label: "instance".to_owned(),
        }])
    }

    fn judge(_: &Endpoint, seed: u64, answer: &Answer, _: &Settings) -> Conclusion {
        let _ = seed;
        match instance(&answer.data) {
            Some(text) => Conclusion::confirmed("it answers for the default instance")
                .healthy()
                .finding("mssql.instance", text),
            None => Conclusion::mismatch("it answered, but not as a SQL Server browser"),
        }
    }
}

const REQUEST: &[u8] = b"\x04MSSQLSERVER\0";

fn instance(bytes: &[u8]) -> Option<String> {
    let mut reader = Reader::new(bytes);
    let kind = reader.u8().ok()?;
    let length = usize::from(reader.u16_le().ok()?);
    let text = reader.rest();
    // Key and value pairs separated by semicolons, in the server's code page.
    let plain = text.iter().all(|b| !b.is_ascii_control()) && text.starts_with(b"ServerName;");
    (kind == 0x05 && text.len() == length && length <= 1024 && plain)
        .then(|| String::from_utf8_lossy(text).into_owned())
}

portscan_plugin::export!(MssqlBrowser: udp_probe);
