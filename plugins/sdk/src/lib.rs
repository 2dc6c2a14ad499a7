//! Write a portscan plugin in about thirty lines.
//!
//! A plugin is a type with one trait for who it is ([`Plugin`]) and one or both
//! for what it can do ([`UdpProbe`], [`Check`]). [`export!`] turns it into the
//! component that `portscan plugin build` makes:
//!
//! ```
//! use portscan_plugin::{Check, CheckError, Conclusion, Connection, Endpoint, Metadata, Plugin, REST, Settings};
//!
//! struct Daytime;
//!
//! impl Plugin for Daytime {
//!     fn describe() -> Metadata {
//!         Metadata::new("daytime", "0.1.0", "Daytime, RFC 867").tcp(13)
//!     }
//! }
//!
//! impl Check for Daytime {
//!     fn run(connection: &mut Connection, _: &Endpoint, _: &Settings) -> Result<Conclusion, CheckError> {
//!         let Some(line) = connection.receive_line(128, REST)? else {
//!             return Ok(Conclusion::mismatch("the line has no end"));
//!         };
//!         Ok(Conclusion::confirmed("it tells the time").healthy().finding("daytime.text", line))
//!     }
//! }
//!
//! portscan_plugin::export!(Daytime: check);
//! # fn main() {}
//! ```
//!
//! Everything compiles natively as well, so the parts that judge are tested by
//! `cargo test` without WebAssembly; with the feature `transcript`, so are
//! whole dialogues. The plain types come from `wit/`, whose comments are theirs.
//!
//! Start reading at [`Check`], then [`Connection`].

#[cfg(any(test, all(target_family = "wasm", feature = "arena")))]
mod arena;
mod bytes;
mod conclusion;
mod connection;
mod error;
mod metadata;
mod settings;
mod tls;
#[cfg(feature = "transcript")]
pub mod transcript;

#[doc(hidden)]
pub mod bindings;
#[doc(hidden)]
pub mod glue;

pub use bindings::exports::portscan::plugin::check::CheckError;
pub use bindings::exports::portscan::plugin::plugin::{
    Amplification, DefaultPort, Metadata, ReplyFrom, Sends, SettingKind, SettingSpec, SideEffect,
    Silence,
};
pub use bindings::exports::portscan::plugin::udp_probe::{Answer, Payload, PayloadError};
pub use bindings::portscan::plugin::connection::{
    Certificate, Datagram, IoError, TlsOptions, TlsSession, Trust,
};
pub use bindings::portscan::plugin::types::{
    Conclusion, Endpoint, Finding, FindingValue, Health, Setting, SettingValue, Transport, Verdict,
};
pub use bytes::{Cut, Reader, Writer};
pub use connection::{Connection, REST, Wire};
pub use settings::Settings;

/// Sixteen pages: more than any shipped plugin's dialogue has in use at once.
#[cfg(all(target_family = "wasm", feature = "arena"))]
#[global_allocator]
static ALLOCATOR: arena::Arena<{ 64 << 10 }> = arena::Arena::new();

/// Who the plugin is and what it will do.
pub trait Plugin {
    /// Returns the same metadata each time. Called with no target in sight.
    fn describe() -> Metadata;
}

/// The pure half: how to make a UDP service answer, and how to read the answer.
///
/// The runner sends, repeats, paces and listens. No state survives from one
/// call to the next, and no function of [`Connection`] is within reach.
pub trait UdpProbe: Plugin {
    /// Datagrams to try, in order of preference; the runner walks through them
    /// with its attempts. Derive transaction ids from `seed`.
    fn payloads(
        endpoint: &Endpoint,
        seed: u64,
        settings: &Settings,
    ) -> Result<Vec<Payload>, PayloadError>;

    /// Judges one datagram that came back. It may answer any payload, not only
    /// the one sent last: the network delays and doubles.
    fn judge(endpoint: &Endpoint, seed: u64, answer: &Answer, settings: &Settings) -> Conclusion;
}

/// The dialogue half: talk to the service and judge it.
pub trait Check: Plugin {
    /// Called on a fresh instance for every endpoint, with a connection that is
    /// open (TCP) or ready to send (UDP).
    ///
    /// # Errors
    /// [`CheckError::Conversation`] when the peer fell silent or went away
    /// before there was anything to conclude (`?` on an [`IoError`] does that):
    /// the verdict becomes `inconclusive`. The other cases count as not checked.
    fn run(
        connection: &mut Connection,
        endpoint: &Endpoint,
        settings: &Settings,
    ) -> Result<Conclusion, CheckError>;
}

/// Makes a component's exports of a type: `export!(Dns: udp_probe + check)`.
///
/// After the colon stand the traits that the type has: `check`, `udp_probe`, or
/// `udp_probe + check`. Does nothing in a native build.
#[macro_export]
macro_rules! export {
    ($plugin:ident: check) => {
        $crate::export!(@world $plugin CHECK plugin check);
    };
    ($plugin:ident: udp_probe) => {
        $crate::export!(@world $plugin UDP_PROBE plugin udp_probe);
    };
    ($plugin:ident: udp_probe + check) => {
        $crate::export!(@world $plugin FULL plugin udp_probe check);
    };
    ($plugin:ident: check + udp_probe) => {
        $crate::export!($plugin: udp_probe + check);
    };
    (@world $plugin:ident $world:ident $($interface:ident)+) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            type Exported = $crate::glue::Exported<$plugin>;
            $($crate::export!(@interface $interface);)+

            // The section's name must be this crate's own: sections of one name
            // are glued together by the linker.
            #[unsafe(link_section = "component-type:portscan-plugin:exports")]
            pub static WORLD: [u8; $crate::glue::$world.len()] =
                $crate::glue::array($crate::glue::$world);
        };
    };
    (@interface plugin) => {
        $crate::bindings::exports::portscan::plugin::plugin::__export_portscan_plugin_plugin_0_1_1_cabi!(
            Exported with_types_in $crate::bindings::exports::portscan::plugin::plugin
        );
    };
    (@interface udp_probe) => {
        $crate::bindings::exports::portscan::plugin::udp_probe::__export_portscan_plugin_udp_probe_0_1_1_cabi!(
            Exported with_types_in $crate::bindings::exports::portscan::plugin::udp_probe
        );
    };
    (@interface check) => {
        $crate::bindings::exports::portscan::plugin::check::__export_portscan_plugin_check_0_1_1_cabi!(
            Exported with_types_in $crate::bindings::exports::portscan::plugin::check
        );
    };
}
