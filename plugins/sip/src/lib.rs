//! sip: does a SIP server answer?
//!
//! **Confirms** a server by a response with the Call-ID that we sent; any
//! status proves it. **Sends** one OPTIONS request with `rport`, so that the
//! answer finds back through address translation. **Never** registers, invites
//! or authenticates.
//!
//! Findings: `sip.status`, `sip.server`.
//!
//! References: RFC 3261 11 (OPTIONS), 8.1.1 (request), RFC 3581 (rport).

use portscan_plugin::SideEffect;
use portscan_plugin::{
    Answer, Conclusion, Endpoint, Metadata, Payload, PayloadError, Plugin, Settings, UdpProbe,
};

/// The plugin.
pub struct Sip;

impl Plugin for Sip {
    fn describe() -> Metadata {
        Metadata::new("sip", env!("CARGO_PKG_VERSION"), "SIP servers")
            .udp(5060)
            .sends("an OPTIONS request", 1, 700)
            .leaves(SideEffect::LogLine)
    }
}

impl UdpProbe for Sip {
    fn payloads(
        endpoint: &Endpoint,
        seed: u64,
        _: &Settings,
    ) -> Result<Vec<Payload>, PayloadError> {
        let data = request(&endpoint.address, seed).into_bytes();
        Ok(vec![Payload { data, label: "options".to_owned() }])
    }

    fn judge(_: &Endpoint, seed: u64, answer: &Answer, _: &Settings) -> Conclusion {
        let text = String::from_utf8_lossy(&answer.data);
        let (Some(status), Some(id)) = (status(&text), header(&text, "Call-ID", "i")) else {
            return Conclusion::mismatch("it answered, but not as SIP to our request");
        };
        if id != call_id(seed) {
            return Conclusion::mismatch("it answered another SIP request than ours");
        }
        let conclusion = Conclusion::confirmed(format!("it answers SIP requests ({status})"));
        let conclusion = match status {
            500..600 => conclusion.unhealthy(),
            _ => conclusion.healthy(),
        };
        let server =
            header(&text, "Server", "Server").or_else(|| header(&text, "User-Agent", "User-Agent"));
        conclusion
            .finding("sip.status", i64::from(status))
            .maybe_finding("sip.server", server.map(str::to_owned))
    }
}

fn call_id(seed: u64) -> String {
    format!("{seed:016x}@portscan.invalid")
}

/// An IPv6 address stands in brackets in a SIP URI (RFC 3261 25.1).
fn request(address: &str, seed: u64) -> String {
    let host = match address.contains(':') {
        true => format!("[{}]", address.split('%').next().unwrap_or(address)),
        false => address.to_owned(),
    };
    format!(
        "OPTIONS sip:{host} SIP/2.0\r\n\
         Via: SIP/2.0/UDP portscan.invalid;branch=z9hG4bK{seed:016x};rport\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:portscan@portscan.invalid>;tag={seed:08x}\r\n\
         To: <sip:{host}>\r\n\
         Call-ID: {}\r\n\
         CSeq: 1 OPTIONS\r\n\
         Accept: application/sdp\r\n\
         Content-Length: 0\r\n\r\n",
        call_id(seed)
    )
}

fn status(text: &str) -> Option<u16> {
    let code = text.strip_prefix("SIP/2.0 ")?.get(..3)?;
    code.parse().ok().filter(|status| (100..700).contains(status))
}

/// The value of a header, by its name or short form.
fn header<'a>(text: &'a str, name: &str, short: &str) -> Option<&'a str> {
    let lines = text.split("\r\n").skip(1).take_while(|line| !line.is_empty()).take(64);
    lines
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| {
            key.trim().eq_ignore_ascii_case(name) || key.trim().eq_ignore_ascii_case(short)
        })
        .map(|(_, value)| value.trim())
        .filter(|value| value.len() <= 200)
}

portscan_plugin::export!(Sip: udp_probe);
