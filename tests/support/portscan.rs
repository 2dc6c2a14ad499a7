//! Runs portscan in a world as `nobody`, and keeps what it said.

use std::ffi::{CString, OsString};
use std::fmt;
use std::io::Read;
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::namespace::Namespace;
use super::system::{self, Confinement};
use super::world::World;

/// Longer than any run in the suite may take.
const PATIENCE: Duration = Duration::from_secs(100);

/// A run to be made.
pub struct Portscan<'w> {
    world: &'w World,
    namespace: Namespace,
    args: Vec<OsString>,
    targets: Option<String>,
    resolv_conf: Option<String>,
    hosts: Option<String>,
    descriptors: Option<u64>,
    env: Vec<(&'static str, OsString)>,
}

impl<'w> Portscan<'w> {
    /// portscan without arguments, in the prober of `world`.
    pub fn new(world: &'w World) -> Portscan<'w> {
        Portscan {
            world,
            namespace: world.prober.clone(),
            args: Vec::new(),
            targets: None,
            resolv_conf: None,
            hosts: None,
            descriptors: None,
            env: Vec::new(),
        }
    }

    /// Sees this variable.
    pub fn env(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    /// Adds arguments.
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Adds `--targets` with a file of this text.
    pub fn targets(mut self, text: impl Into<String>) -> Self {
        self.targets = Some(text.into());
        self
    }

    /// Runs in another namespace than the prober.
    pub fn in_ns(mut self, namespace: &Namespace) -> Self {
        self.namespace = namespace.clone();
        self
    }

    /// Asks this name server, as a stub resolver does by default but sooner.
    pub fn resolver(mut self, server: IpAddr) -> Self {
        self.resolv_conf = Some(format!("nameserver {server}\noptions timeout:1 attempts:2\n"));
        self
    }

    /// Sees this text as `/etc/hosts`.
    pub fn hosts(mut self, text: &str) -> Self {
        self.hosts = Some(text.to_owned());
        self
    }

    /// May have this many descriptors open.
    pub fn descriptors(mut self, limit: u64) -> Self {
        self.descriptors = Some(limit);
        self
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// When it cannot be started or does not end.
    pub fn run(self) -> Ran {
        self.run_program(&program())
    }

    /// Runs another program under the same conditions.
    pub fn run_program(self, program: &Path) -> Ran {
        self.start(program).end()
    }

    /// Starts a program under these conditions.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(mut self, program: &Path) -> Running {
        let stage = Stage::new(self.world.stage());
        if let Some(targets) = &self.targets {
            let path = stage.file("targets.txt", targets);
            self.args.extend(["--targets".into(), path.into()]);
        }
        let mut mounts = vec![(c_string(program), c_string(&stage.program))];
        for (text, name, place) in [
            (&self.resolv_conf, "resolv.conf", "/etc/resolv.conf"),
            (&self.hosts, "hosts", "/etc/hosts"),
        ] {
            if let Some(text) = text {
                mounts.push((c_string(&stage.file(name, text)), c_string(Path::new(place))));
            }
        }
        let mut command = Command::new(&stage.program);
        command
            .args(&self.args)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .env("RUST_BACKTRACE", "1")
            .env("HOME", &stage.home)
            .envs(self.env.drain(..))
            .current_dir(&stage.home)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let network = self.namespace.fd();
        let confinement = Confinement { network, mounts, descriptors: self.descriptors };
        system::start_as_nobody(&mut command, confinement);
        let started = Instant::now();
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()));
        Running {
            command: command_line(program, &self.args),
            targets: self.targets.unwrap_or_default(),
            place: format!("in namespace {}, as nobody", self.namespace.label()),
            started,
            child,
        }
    }
}

/// A run under way.
pub struct Running {
    command: String,
    targets: String,
    place: String,
    started: Instant,
    child: Child,
}

impl Running {
    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end.
    pub fn end(mut self) -> Ran {
        let (status, stdout, stderr) = finish(&mut self.child);
        Ran {
            command: self.command,
            targets: self.targets,
            place: self.place,
            wall: self.started.elapsed(),
            status,
            stdout,
            stderr,
        }
    }
}

/// The build on trial: cargo's, or the one that `PORTSCAN_BIN` names.
pub fn program() -> PathBuf {
    std::env::var_os("PORTSCAN_BIN")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_portscan")), PathBuf::from)
}

/// What one run finds in the file system, at places that `nobody` can reach
/// even when the build folder is not one of them.
struct Stage {
    folder: PathBuf,
    program: PathBuf,
    home: PathBuf,
}

impl Stage {
    fn new(stage: &Path) -> Stage {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let folder = stage.join(format!("run-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
        let home = folder.join("home");
        std::fs::create_dir_all(&home).expect("the stage is ours");
        std::os::unix::fs::chown(&home, Some(system::NOBODY), Some(system::NOBODY))
            .expect("root may give files away");
        let program = folder.join("portscan");
        std::fs::write(&program, "").expect("the stage is ours");
        for path in [&folder, &program] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
                .expect("the stage is ours");
        }
        Stage { folder, program, home }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.join(name);
        std::fs::write(&path, text).expect("the stage is ours");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644))
            .expect("the stage is ours");
        path
    }
}

fn c_string(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).expect("a path has no zero byte")
}

fn command_line(program: &Path, args: &[OsString]) -> String {
    let words = args.iter().map(|arg| arg.to_string_lossy());
    std::iter::once(program.display().to_string().into()).chain(words).collect::<Vec<_>>().join(" ")
}

/// Reads both streams to their ends and waits; ends a process that does not.
pub fn finish(child: &mut Child) -> (ExitStatus, String, String) {
    fn reader(stream: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
        let mut stream = stream.expect("the stream is piped");
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = stream.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        })
    }
    let streams = (reader(child.stdout.take()), reader(child.stderr.take()));
    let millis = PATIENCE.as_millis() as i32;
    let ended = system::wait_for_end(child.id(), millis).expect("the process is our child");
    if !ended {
        let _ = child.kill();
    }
    let status = child.wait().expect("the process is our child");
    let streams = (streams.0.join(), streams.1.join());
    let (stdout, stderr) =
        (streams.0.expect("the reader ends"), streams.1.expect("the reader ends"));
    assert!(ended, "no end after {PATIENCE:?}\nstdout: {stdout}\nstderr: {stderr}");
    (status, stdout, stderr)
}

/// A run that has ended. Its `Debug` is everything a reader needs to repeat it.
pub struct Ran {
    pub command: String,
    pub targets: String,
    pub place: String,
    pub wall: Duration,
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// The exit code.
    ///
    /// # Panics
    /// When a signal ended the process.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("ended by a signal\n{self:?}"))
    }

    /// The report on stdout, after it has passed the schema.
    ///
    /// # Panics
    /// When stdout is not a valid report.
    pub fn report(&self) -> Value {
        let report: Value = serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("stdout is not JSON: {error}\n{self:?}"));
        let complaints = super::trial::schema_complaints(&report);
        assert!(complaints.is_empty(), "not a valid report: {complaints:#?}\n{self:?}");
        report
    }

    /// The endpoint rows of the report.
    pub fn rows(&self) -> Vec<Value> {
        self.report()["endpoints"].as_array().cloned().unwrap_or_default()
    }
}

impl fmt::Debug for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "command:   {}", self.command)?;
        writeln!(f, "where:     {}", self.place)?;
        writeln!(f, "status:    {}, after {:.2?}", self.status, self.wall)?;
        if !self.targets.is_empty() {
            writeln!(f, "targets:\n{}", self.targets)?;
        }
        writeln!(f, "stderr:\n{}", cut(&self.stderr))?;
        write!(f, "stdout:\n{}", cut(&self.stdout))
    }
}

/// A stream for a message: whole when short, else both of its ends.
fn cut(text: &str) -> String {
    const SHOWN: usize = 3000;
    if text.len() <= 2 * SHOWN {
        return text.to_owned();
    }
    let head: String = text.chars().take(SHOWN).collect();
    let tail: Vec<char> = text.chars().rev().take(SHOWN).collect();
    format!("{head}\n[...]\n{}", tail.into_iter().rev().collect::<String>())
}
