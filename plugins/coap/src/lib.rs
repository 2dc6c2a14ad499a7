//! coap: does a CoAP endpoint answer?
//!
//! **Confirms** an endpoint by a Reset (or acknowledgement) with the message id
//! that we sent. **Sends** four bytes: an empty confirmable message, the "CoAP
//! ping". **Never** reads or changes a resource.
//!
//! References: RFC 7252 3 (format), 4.3 (an empty confirmable message elicits a Reset).

use portscan_plugin::{
    Answer, Conclusion, Endpoint, Metadata, Payload, PayloadError, Plugin, Settings, UdpProbe,
};

/// The plugin.
pub struct Coap;

impl Plugin for Coap {
    fn describe() -> Metadata {
        Metadata::new("coap", env!("CARGO_PKG_VERSION"), "CoAP endpoints")
            .udp(5683)
            .udp(5783)
            .sends("an empty confirmable message", 1, 4)
    }
}

impl UdpProbe for Coap {
    fn payloads(_: &Endpoint, seed: u64, _: &Settings) -> Result<Vec<Payload>, PayloadError> {
        Ok(vec![Payload { data: ping(seed).to_vec(), label: "ping".to_owned() }])
    }

    fn judge(_: &Endpoint, seed: u64, answer: &Answer, _: &Settings) -> Conclusion {
        let [_, _, high, low] = ping(seed);
        match answer.data[..] {
            // Version 1, Reset or acknowledgement, no token, empty, our id.
            [0x70 | 0x60, 0, a, b] if [a, b] == [high, low] => {
                Conclusion::confirmed("it answers CoAP pings").healthy()
            }
            _ => Conclusion::mismatch("it answered, but not as CoAP to our message"),
        }
    }
}

fn ping(seed: u64) -> [u8; 4] {
    let [high, low] = (seed as u16).to_be_bytes();
    [0x40, 0x00, high, low]
}

portscan_plugin::export!(Coap: udp_probe);
