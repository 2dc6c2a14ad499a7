//! The host as these tests use it: the real executable as compiler, and a cache in
//! the build folder.

use std::path::Path;

use portscan::host::{COMPILE_COMMAND, Compiler, Host, HostOptions, Origin};
use portscan::model::Metadata;

/// Options that leave the user's own cache alone.
pub fn options() -> HostOptions {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugins-cache");
    let compiler = Compiler {
        program: env!("CARGO_BIN_EXE_portscan").into(),
        arguments: vec![COMPILE_COMMAND.into()],
    };
    HostOptions { cache: Some(cache), compiler, ..HostOptions::default() }
}

/// What `describe` of a component returns.
pub fn describe(component: &[u8]) -> Result<Metadata, String> {
    let guest = Host::new(options()).load(component, Origin::BuiltIn);
    guest.map(|guest| guest.metadata().clone()).map_err(|error| error.to_string())
}
