//! Between the traits that authors write and the functions that the contract
//! wants. Reached through [`export!`](crate::export) only.
#![allow(missing_docs)]

use std::marker::PhantomData;

use crate::bindings;
use crate::bindings::exports::portscan::plugin::{check, plugin, udp_probe};
use crate::{Answer, Check, CheckError, Conclusion, Connection, Endpoint, Metadata, Payload};
use crate::{PayloadError, Plugin, Setting, Settings, UdpProbe};

/// What build.rs encoded: the world that a component says it implements.
pub const UDP_PROBE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/udp-probe-plugin"));
pub const CHECK: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/check-plugin"));
pub const FULL: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/full-plugin"));

/// `bytes` by value, as a section of the module must hold them. `N` is their length.
pub const fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(bytes);
    array
}

/// `T` as the generated code wants it.
pub struct Exported<T>(PhantomData<T>);

impl<T: Plugin> plugin::Guest for Exported<T> {
    fn describe() -> Metadata {
        T::describe()
    }
}

impl<T: UdpProbe> udp_probe::Guest for Exported<T> {
    fn payloads(
        endpoint: Endpoint,
        seed: u64,
        settings: Vec<Setting>,
    ) -> Result<Vec<Payload>, PayloadError> {
        T::payloads(&endpoint, seed, &Settings::new(settings))
    }

    fn judge(endpoint: Endpoint, seed: u64, answer: Answer, settings: Vec<Setting>) -> Conclusion {
        T::judge(&endpoint, seed, &answer, &Settings::new(settings))
    }
}

impl<T: Check> check::Guest for Exported<T> {
    fn run(
        connection: bindings::portscan::plugin::connection::Connection,
        endpoint: Endpoint,
        settings: Vec<Setting>,
    ) -> Result<Conclusion, CheckError> {
        T::run(&mut Connection::new(connection), &endpoint, &Settings::new(settings))
    }
}
