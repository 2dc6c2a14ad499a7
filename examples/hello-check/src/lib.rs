//! The smallest useful plugin: does the service greet us with a line of text?
//!
//! Many services of the older kind (SMTP, FTP, POP3, IMAP, SSH) speak first.
//! This check sends nothing, waits for their first line, and shows it.
//!
//! Build and try it: `portscan plugin build examples/hello-check`, then
//! `portscan mail.example.com 25 --plugin ./hello.wasm`.

// Everything that a plugin needs comes from one crate.
use portscan_plugin::{Check, CheckError, Conclusion, Connection, Endpoint, Metadata, Plugin};
use portscan_plugin::{REST, Settings};

/// A plugin is a type. It holds nothing: every check starts afresh.
pub struct Hello;

// Who it is. The runner reads this before it sends a packet.
impl Plugin for Hello {
    fn describe() -> Metadata {
        Metadata::new(
            "hello",
            env!("CARGO_PKG_VERSION"),
            "Reads the greeting of a service that speaks first",
        )
    }
}

// What it does: a straight conversation, with a bound on every step.
impl Check for Hello {
    fn run(
        connection: &mut Connection,
        _: &Endpoint,
        _: &Settings,
    ) -> Result<Conclusion, CheckError> {
        // `?` ends the check as inconclusive when the peer stays silent or goes away.
        let Some(line) = connection.receive_line(512, REST)? else {
            return Ok(Conclusion::mismatch("it speaks first, but not in lines"));
        };
        // Bytes from a peer may be anything. The runner escapes what it shows.
        let Ok(greeting) = String::from_utf8(line) else {
            return Ok(Conclusion::mismatch("it speaks first, but not in text"));
        };
        Ok(Conclusion::confirmed(format!("it greets: {greeting}"))
            .healthy()
            .finding("hello.greeting", greeting))
    }
}

// And out of the crate it goes, as a component. Natively this is nothing.
portscan_plugin::export!(Hello: check);
