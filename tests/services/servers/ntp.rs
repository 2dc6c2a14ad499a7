//! Time servers: chrony, which leaves this machine's clock alone.

use std::net::SocketAddr;

use super::answers;
use super::process::{Recipe, Server, installed};

/// Whether the server knows the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chrony {
    /// Serves its own clock as stratum 8.
    Synchronised,
    /// Has no source and says so.
    Unsynchronised,
}

/// chronyd as a server for all of loopback.
pub fn chrony(mood: Chrony) -> Option<Server> {
    let program = installed("chronyd", "chrony")?;
    let recipe = Recipe::new("chrony");
    let place = recipe.place();
    let source = if mood == Chrony::Synchronised { "local stratum 8\n" } else { "" };
    let config = recipe.file(
        "chrony.conf",
        format!(
            "port {}\nbindaddress {}\nallow all\ncmdport 0\nbindcmdaddress /\npidfile {}\n{source}",
            place.port(),
            place.ip(),
            recipe.folder().join("chronyd.pid").display(),
        ),
    );
    // -x: never touch the clock. -U: no root is needed for that. -d: log here.
    let args =
        ["-x", "-U", "-d", "-f"].map(Into::into).into_iter().chain([config.into_os_string()]);
    Some(recipe.start(&program, args, is_ready))
}

/// Answers a client's packet (RFC 5905 7.3: version 4, mode 3) as a server (mode 4).
fn is_ready(place: SocketAddr) -> bool {
    let mut packet = [0; 48];
    packet[0] = 0x23;
    packet[40..48].copy_from_slice(b"portscan");
    answers(place, &packet)
        .is_some_and(|a| a.len() >= 48 && a[0] & 7 == 4 && &a[24..32] == b"portscan")
}
