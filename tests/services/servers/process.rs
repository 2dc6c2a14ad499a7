//! A server process of a test: started as an ordinary user with a folder of
//! its own, observed, and gone when its value is dropped.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::place;
use crate::support::namespace::Namespace;
use crate::support::world::sweep_folders;
use crate::support::{skip, system};

/// How long a server may take to answer after its start: far more than any
/// needs on a busy machine, and an end to the wait for one that never will.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// How long a server may take to end after it was asked to.
const END_PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks at a starting server.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// What of a log is shown when a test fails.
const SHOWN_LOG_BYTES: usize = 8 * 1024;

/// How the folders of servers begin; the process id of the tests follows.
const FOLDER_PREFIX: &str = "portscan-services-";

/// Where Debian puts servers, besides the `PATH` of an ordinary user.
const SERVER_FOLDERS: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

/// Finds an installed program; says that the test is skipped when there is none.
pub fn installed(program: &str, package: &str) -> Option<PathBuf> {
    let found = find(program);
    if found.is_none() {
        skip::skip(&format!("{program} is not installed (Debian: {package})"));
    }
    found
}

/// Finds a program in `PATH` and where servers are.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(SERVER_FOLDERS.iter().map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Whom a server runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunAs {
    /// `nobody` when the tests run as root, else whoever runs the tests.
    Ordinary,
    /// Whoever runs the tests: for servers that lower their rights themselves.
    Caller,
}

/// What it takes to start a server. The folder comes first, so that
/// configuration files can be written into it.
pub struct Recipe {
    /// What messages call the server.
    name: &'static str,
    folder: TempDir,
    place: SocketAddr,
    run_as: RunAs,
    /// The signal that ends it and all its children in good order.
    stop_signal: Signal,
    /// Another network than the one of the tests.
    network: Option<Namespace>,
}

impl Recipe {
    /// A recipe for the server `name`, at a place of its own.
    pub fn new(name: &'static str) -> Recipe {
        static SWEEP: Once = Once::new();
        SWEEP.call_once(|| sweep_folders(FOLDER_PREFIX));
        let folder = tempfile::Builder::new()
            .prefix(&format!("{FOLDER_PREFIX}{}-{name}-", std::process::id()))
            .tempdir()
            .expect("a temporary folder can be made");
        let recipe = Recipe {
            name,
            folder,
            place: place::reserve(),
            run_as: RunAs::Ordinary,
            stop_signal: Signal::SIGTERM,
            network: None,
        };
        recipe.give_away(recipe.folder());
        recipe
    }

    /// Runs as somebody else than an ordinary user.
    pub fn run_as(mut self, run_as: RunAs) -> Recipe {
        self.run_as = run_as;
        self
    }

    /// Ends by this signal instead of SIGTERM.
    pub fn stop_signal(mut self, signal: Signal) -> Recipe {
        self.stop_signal = signal;
        self
    }

    /// Runs in another network, with a `/run` of its own for the sockets and
    /// locks of which a machine has one.
    pub fn inside(mut self, network: &Namespace) -> Recipe {
        self.network = Some(network.clone());
        self
    }

    /// The server's own folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where the server is to listen.
    pub fn place(&self) -> SocketAddr {
        self.place
    }

    /// Writes a file into the folder, readable by its owner alone (servers
    /// refuse keys that others can read).
    pub fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.folder().join(name);
        std::fs::write(&path, text).expect("the folder is ours");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
            .expect("the folder is ours");
        self.give_away(&path);
        path
    }

    /// Makes a folder within the folder.
    pub fn subfolder(&self, name: &str) -> PathBuf {
        let path = self.folder().join(name);
        std::fs::create_dir(&path).expect("the folder is ours");
        self.give_away(&path);
        path
    }

    fn give_away(&self, path: &Path) {
        if nix::unistd::geteuid().is_root() {
            std::os::unix::fs::chown(path, Some(system::NOBODY), Some(system::NOBODY))
                .expect("root may give files away");
        }
    }

    /// A command that runs as the server will, in its folder, without the
    /// surroundings of the test.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .env("HOME", self.folder())
            .current_dir(self.folder())
            .stdin(Stdio::null());
        if self.run_as == RunAs::Ordinary && nix::unistd::geteuid().is_root() {
            command.uid(system::NOBODY).gid(system::NOBODY);
        }
        command
    }

    /// The same in another network. `exec` keeps the process the same, so that
    /// it can be ended.
    fn command_inside(&self, network: &Namespace, program: &Path) -> Command {
        let mut command = self.command(Path::new("unshare"));
        command.args(["--mount", "sh", "-c", "mount -t tmpfs none /run && exec \"$0\" \"$@\""]);
        command.arg(program);
        system::start_in_network(&mut command, network.fd());
        command
    }

    /// Runs a program of the set-up to its end.
    ///
    /// # Panics
    /// When it fails; with everything that it said.
    pub fn run_to_end<A: AsRef<OsStr>>(&self, program: &Path, args: impl IntoIterator<Item = A>) {
        let output = self
            .command(program)
            .args(args)
            .output()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()));
        assert!(output.status.success(), "{} failed: {output:#?}", program.display());
    }

    /// Starts the server and waits until `is_ready` says so.
    ///
    /// # Panics
    /// When the server ends by itself or is not ready in time; with its log.
    pub fn start<A: Into<OsString>>(
        self,
        program: &Path,
        args: impl IntoIterator<Item = A>,
        is_ready: impl Fn(SocketAddr) -> bool,
    ) -> Server {
        let log = self.folder().join("server.log");
        let out = File::create(&log).expect("the folder is ours");
        let err = out.try_clone().expect("a descriptor can be copied");
        let mut command = match &self.network {
            None => self.command(program),
            Some(network) => self.command_inside(network, program),
        };
        command.args(args.into_iter().map(Into::into)).stdout(out).stderr(err).process_group(0);
        system::end_with_parent(&mut command, self.stop_signal as i32);
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()));
        let server = Server { recipe: self, child, log };
        server.await_ready(is_ready)
    }
}

/// A running server. It ends with this value, also when the test panics; the
/// log is then printed.
pub struct Server {
    recipe: Recipe,
    child: Child,
    log: PathBuf,
}

impl Server {
    fn await_ready(mut self, is_ready: impl Fn(SocketAddr) -> bool) -> Server {
        let until = Instant::now() + START_PATIENCE;
        while !is_ready(self.place()) {
            let ended = self.child.try_wait().expect("the server is our child");
            assert!(ended.is_none(), "{} ended at its start: {ended:?}", self.recipe.name);
            assert!(Instant::now() < until, "{} is not ready in time", self.recipe.name);
            std::thread::sleep(LOOK_AGAIN);
        }
        self
    }

    /// Where it listens.
    pub fn place(&self) -> SocketAddr {
        self.recipe.place
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.recipe.folder()
    }

    /// Everything it has logged so far.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Ends the server and returns what it has logged after the first `seen`
    /// bytes. It has ended, so no line is still to come.
    pub fn end_and_read_log(mut self, seen: usize) -> String {
        self.stop();
        self.log().get(seen..).unwrap_or_default().to_owned()
    }

    fn stop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        let group = Pid::from_raw(self.child.id().cast_signed());
        let _ = kill(group, self.recipe.stop_signal);
        let millis = i32::try_from(END_PATIENCE.as_millis()).unwrap_or(i32::MAX);
        let _ = system::wait_for_end(self.child.id(), millis);
        // Helpers that outlived it, while its number is still ours.
        let _ = killpg(group, Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            let log = self.log();
            let start = log.len().saturating_sub(SHOWN_LOG_BYTES);
            let tail = log.get(log.ceil_char_boundary(start)..).unwrap_or_default();
            print_log(self.recipe.name, self.recipe.place, tail);
        }
    }
}

/// Through the capture of the test runner, which shows it for a failed test.
#[expect(clippy::print_stdout, reason = "a failed test shows its captured output")]
fn print_log(name: &str, place: SocketAddr, log: &str) {
    println!("--- log of {name} at {place} ---\n{log}--- end of log ---");
}
