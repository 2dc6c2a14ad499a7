//! OpenSSH's server.

use std::io::Read;
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use super::process::{Recipe, Server, find, installed};
use super::says;

/// A connection that the server waits for to log in, for as long as the value
/// lives.
///
/// # Panics
/// When the server does not greet it: it did not get the place.
pub fn wait_for_login(server: &Server) -> TcpStream {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let mut stream = TcpStream::connect(server.place()).expect("sshd listens");
        let mut greeting = [0; 4];
        // The look that found the server ready may still count as waiting.
        if stream.read_exact(&mut greeting).is_ok() && &greeting == b"SSH-" {
            return stream;
        }
        assert!(Instant::now() < until, "sshd has no place for a login");
    }
}

/// sshd with a host key of its own and nobody who may log in.
///
/// `max_startups` is the number of connections that it lets wait for a login
/// (`MaxStartups` in sshd_config(5)).
pub fn sshd(max_startups: u32) -> Option<Server> {
    let program = installed("sshd", "openssh-server")?;
    let keygen = find("ssh-keygen").expect("openssh-server brings openssh-client");
    let recipe = Recipe::new("sshd");
    let key = recipe.folder().join("host-key");
    recipe.run_to_end(
        &keygen,
        [
            "-q".as_ref(),
            "-t".as_ref(),
            "ed25519".as_ref(),
            "-N".as_ref(),
            "".as_ref(),
            "-f".as_ref(),
            key.as_os_str(),
        ],
    );
    let config = recipe.file(
        "sshd_config",
        format!(
            "ListenAddress {}\nHostKey {}\nPidFile none\nUsePAM no\nMaxStartups {max_startups}\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\n",
            recipe.place(),
            key.display(),
        ),
    );
    let args = [Path::new("-D"), Path::new("-e"), Path::new("-f"), &config].map(Path::as_os_str);
    Some(recipe.start(&program, args, |place| {
        says(place, b"").is_some_and(|greeting| greeting.starts_with(b"SSH-2.0-"))
    }))
}
