//! A machine that may be logged in to: OpenSSH's server in a network of its own, and
//! what the client needs to get there.

use std::ffi::CString;
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::servers::process::{find, installed};
use crate::support::namespace::Namespace;
use crate::support::portscan;
use crate::support::system::{self, Confinement, NOBODY};
use crate::support::world::World;

const PORT: u16 = 2222;

/// Names of machines, and how they are got at. Servers end with it.
pub struct Bastions {
    folder: PathBuf,
    servers: Vec<Child>,
}

impl Drop for Bastions {
    fn drop(&mut self) {
        for server in &mut self.servers {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

impl Bastions {
    /// A server in each of these networks, at this address; the first one is known as
    /// `stranger`, too, without its key. None, and said so, where
    /// there is no OpenSSH.
    pub fn new(world: &World, places: &[(&str, &Namespace, [u8; 4])]) -> Option<Bastions> {
        let program = installed("sshd", "openssh-server")?;
        installed("ssh", "openssh-client")?;
        let folder = world.stage().join("bastions");
        std::fs::create_dir(&folder).expect("the stage is ours");
        let mut bastions = Bastions { folder, servers: Vec::new() };
        std::fs::set_permissions(&bastions.folder, std::fs::Permissions::from_mode(0o755))
            .expect("the stage is ours");
        let there = bastions.path("portscan");
        std::fs::copy(portscan::program(), &there).expect("portscan is built");
        bastions.give(&there, 0o755);
        for key in ["host-key", "user-key"] {
            bastions.key(key);
        }
        let known = std::fs::read_to_string(bastions.path("user-key.pub")).expect("just made");
        bastions.file("authorized", &known, 0o600);
        // As `nobody`, but by another name: that one's account is locked (nss-systemd(8)).
        let passwd = format!("visitor:*:{NOBODY}:{NOBODY}::/:/bin/sh\n");
        let passwd = bastions.file("passwd", &passwd, 0o644);
        let mut client = String::new();
        for (name, network, address) in places {
            let address = SocketAddr::from((*address, PORT));
            bastions.serve(&program, name, network, address, &passwd);
            let at = format!("HostName {}\nPort {PORT}\n", address.ip());
            client += &format!("Host {name}\n{at}Host stranger\nHostKeyAlias stranger\n{at}");
        }
        let key = std::fs::read_to_string(bastions.path("host-key.pub")).expect("just made");
        let known: String = places
            .iter()
            .map(|(_, _, a)| format!("[{}]:{PORT} {key}", SocketAddr::from((*a, 0)).ip()))
            .collect();
        let known = bastions.file("known", &known, 0o644);
        client += &format!(
            "Host *\nUser visitor\nIdentityFile {}\nIdentitiesOnly yes\nUserKnownHostsFile {}\n\
             GlobalKnownHostsFile /dev/null\n",
            bastions.path("user-key").display(),
            known.display(),
        );
        let config = bastions.file("ssh_config", &client, 0o644);
        let ssh = format!("#!/bin/sh\nexec ssh -F {} \"$@\"\n", config.display());
        bastions.file("ssh", &ssh, 0o755);
        Some(bastions)
    }

    /// A file of the machines.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A program on the machines: a script of POSIX' shell.
    pub fn script(&self, name: &str, text: &str) {
        self.file(name, &format!("#!/bin/sh\n{text}"), 0o755);
    }

    fn file(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).expect("the stage is ours");
        self.give(&path, mode);
        path
    }

    fn give(&self, path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
            .expect("the stage is ours");
        chown(path, Some(NOBODY), Some(NOBODY)).expect("root may give files away");
    }

    fn key(&self, name: &str) {
        let keygen = find("ssh-keygen").expect("openssh-client brings it");
        let made = Command::new(keygen)
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(self.path(name))
            .status();
        assert!(made.expect("it starts").success());
        self.give(&self.path(name), 0o600);
    }

    fn serve(
        &mut self,
        program: &Path,
        name: &str,
        network: &Namespace,
        address: SocketAddr,
        passwd: &Path,
    ) {
        let config = format!(
            "ListenAddress {address}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nUsePAM no\n\
             StrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n",
            self.path("host-key").display(),
            self.path("authorized").display(),
        );
        let config = self.file(&format!("sshd-{name}"), &config, 0o600);
        let log = std::fs::File::create(self.path(&format!("log-{name}"))).expect("ours");
        let mut command = Command::new(program);
        command
            .args(["-D", "-e", "-f"])
            .arg(config)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let path = |path: &Path| CString::new(path.as_os_str().as_bytes()).expect("no zero byte");
        let mounts = vec![(path(passwd), path(Path::new("/etc/passwd")))];
        let confinement = Confinement { network: network.fd(), mounts, descriptors: None };
        system::start_as_nobody(&mut command, confinement);
        self.servers.push(command.spawn().expect("sshd starts"));
        let until = Instant::now() + Duration::from_secs(30);
        while !network.enter(|| greets(address)) {
            let log = std::fs::read_to_string(self.path(&format!("log-{name}")));
            assert!(Instant::now() < until, "sshd does not greet: {log:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn greets(address: SocketAddr) -> bool {
    let mut greeting = [0; 4];
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    stream.read_exact(&mut greeting).is_ok() && &greeting == b"SSH-"
}
