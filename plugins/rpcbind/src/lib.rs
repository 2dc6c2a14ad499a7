//! rpcbind: does a port mapper answer?
//!
//! **Confirms** an ONC RPC server by an accepted or denied reply with the
//! transaction id that we sent. **Sends** one call of procedure 0 (NULL) of
//! program 100000 version 2, 40 bytes. **Never** asks for the table (DUMP),
//! which would amplify.
//!
//! Findings: `rpc.reply` (`success`, `program-mismatch`, ...).
//!
//! References: RFC 5531 9 (message), RFC 1833 3 (port mapper).

use portscan_plugin::{
    Answer, Conclusion, Endpoint, Metadata, Payload, PayloadError, Plugin, Settings, UdpProbe,
};
use portscan_plugin::{Cut, Reader, Writer};

/// The plugin.
pub struct Rpcbind;

impl Plugin for Rpcbind {
    fn describe() -> Metadata {
        Metadata::new("rpcbind", env!("CARGO_PKG_VERSION"), "ONC RPC port mappers").udp(111).sends(
            "a call of the NULL procedure",
            1,
            40,
        )
    }
}

impl UdpProbe for Rpcbind {
    fn payloads(_: &Endpoint, seed: u64, _: &Settings) -> Result<Vec<Payload>, PayloadError> {
        Ok(vec![Payload { data: call(seed), label: "null call".to_owned() }])
    }

    fn judge(_: &Endpoint, seed: u64, answer: &Answer, _: &Settings) -> Conclusion {
        match read(&answer.data, seed) {
            Ok(Some(reply)) => Conclusion::confirmed("it answers remote procedure calls")
                .healthy()
                .finding("rpc.reply", reply),
            Ok(None) | Err(Cut { .. }) => {
                Conclusion::mismatch("it answered, but not as ONC RPC to our call")
            }
        }
    }
}

fn call(seed: u64) -> Vec<u8> {
    let head = Writer::new().u32_be(seed as u32).u32_be(0).u32_be(2);
    let procedure = head.u32_be(100_000).u32_be(2).u32_be(0);
    // No credential and no verifier (AUTH_NONE, length 0).
    procedure.put([0; 16]).finish()
}

fn read(bytes: &[u8], seed: u64) -> Result<Option<&'static str>, Cut> {
    let mut reader = Reader::new(bytes);
    let ours = reader.u32_be()? == seed as u32 && reader.u32_be()? == 1;
    if !ours {
        return Ok(None);
    }
    match reader.u32_be()? {
        0 => {
            let _flavor = reader.u32_be()?;
            let length = reader.u32_be()?.min(400) as usize;
            reader.take(length)?;
            Ok(match reader.u32_be()? {
                0 => Some("success"),
                1 => Some("program-unavailable"),
                2 => Some("program-mismatch"),
                3 => Some("procedure-unavailable"),
                4 => Some("garbage-arguments"),
                5 => Some("system-error"),
                _ => None,
            })
        }
        1 => Ok((reader.u32_be()? <= 1).then_some("denied")),
        _ => Ok(None),
    }
}

portscan_plugin::export!(Rpcbind: udp_probe);
