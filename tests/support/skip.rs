//! A test that cannot run says so by name, and CI counts it as a failure.

use std::io::Write;

/// Says that this test does not run, and why.
///
/// # Panics
/// Where a skip is not allowed: `CI` is set, or `PORTSCAN_NO_SKIP=1`.
pub fn skip(why: &str) {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("unnamed test");
    let line = format!("SKIPPED: {name}: {why}");
    let forbidden = std::env::var_os("CI").is_some()
        || std::env::var_os("PORTSCAN_NO_SKIP").is_some_and(|value| value == "1");
    assert!(!forbidden, "{line}");
    // Past the capture of the test runner: a skip must be seen in a green run too.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Why worlds cannot be made here, if they cannot.
pub fn missing_for_worlds() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("making network namespaces needs root".to_owned());
    }
    if let Err(error) = std::fs::File::options().read(true).write(true).open("/dev/net/tun") {
        return Some(format!("/dev/net/tun: {error}"));
    }
    ["ip", "nft"].iter().find_map(|program| {
        std::process::Command::new(program)
            .arg("-V")
            .output()
            .err()
            .map(|error| format!("{program}: {error} (Debian: iproute2, nftables)"))
    })
}
