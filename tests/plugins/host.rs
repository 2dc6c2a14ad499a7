//! The host as these tests use it: its cache is in the build folder.

use std::path::Path;

use portscan::host::{Host, HostOptions, Origin};
use portscan::model::Metadata;

/// Options that leave the user's own cache alone.
pub fn options() -> HostOptions {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugins-cache");
    HostOptions { cache: Some(cache), ..HostOptions::default() }
}

/// What `describe` of a component returns.
pub fn describe(component: &[u8]) -> Result<Metadata, String> {
    let guest = Host::new(options()).load(component, Origin::BuiltIn);
    guest.map(|guest| guest.metadata().clone()).map_err(|error| error.to_string())
}
