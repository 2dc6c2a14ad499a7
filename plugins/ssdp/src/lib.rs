//! ssdp: does a UPnP device answer?
//!
//! **Confirms** a device by a search response (200 OK with USN or ST). **Sends**
//! one unicast M-SEARCH for root devices. **Never** subscribes or controls
//! anything, and sends no multicast.
//!
//! Findings: `ssdp.server`, `ssdp.location`.
//!
//! References: UPnP Device Architecture 2.0, 1.3.2 and 1.3.3.

use portscan_plugin::Amplification;
use portscan_plugin::{
    Answer, Conclusion, Endpoint, Metadata, Payload, PayloadError, Plugin, Settings, UdpProbe,
};

/// The plugin.
pub struct Ssdp;

impl Plugin for Ssdp {
    fn describe() -> Metadata {
        Metadata::new("ssdp", env!("CARGO_PKG_VERSION"), "UPnP devices")
            .udp(1900)
            .sends("a unicast M-SEARCH for root devices", 1, SEARCH.len() as u32)
            .amplification(Amplification::Small)
            .replies_from_any_port()
    }
}

impl UdpProbe for Ssdp {
    fn payloads(_: &Endpoint, seed: u64, _: &Settings) -> Result<Vec<Payload>, PayloadError> {
        Ok(vec![Payload {
            data: {
                let _ = seed;
                SEARCH.as_bytes().to_vec()
            },
            label: "m-search".to_owned(),
        }])
    }

    fn judge(_: &Endpoint, seed: u64, answer: &Answer, _: &Settings) -> Conclusion {
        let _ = seed;
        let text = String::from_utf8_lossy(&answer.data);
        let found = text.starts_with("HTTP/1.1 200")
            && (header(&text, "USN").is_some() || header(&text, "ST").is_some());
        match found {
            true => Conclusion::confirmed("it answers searches for devices")
                .healthy()
                .maybe_finding("ssdp.server", header(&text, "SERVER").map(str::to_owned))
                .maybe_finding("ssdp.location", header(&text, "LOCATION").map(str::to_owned)),
            false => Conclusion::mismatch("it answered, but not as a UPnP device"),
        }
    }
}

const SEARCH: &str = "M-SEARCH * HTTP/1.1\r\n\
    HOST: 239.255.255.250:1900\r\n\
    MAN: \"ssdp:discover\"\r\n\
    MX: 1\r\n\
    ST: upnp:rootdevice\r\n\r\n";

fn header<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let lines = text.split("\r\n").skip(1).take_while(|line| !line.is_empty()).take(64);
    lines
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim().eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
        .filter(|value| value.len() <= 300)
}

portscan_plugin::export!(Ssdp: udp_probe);
