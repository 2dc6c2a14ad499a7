//! Compiling what strangers wrote.
//!
//! Compilation is the one phase that wasmtime does not bound: 200 KB made for
//! the purpose took 15 s and 1.6 GB, and nothing in the process can stop it. So
//! such a component is compiled by a process of our own executable with limits
//! on memory, CPU and time. It reads the component from standard input and
//! writes the artifact to standard output.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;

use nix::sys::resource::{Resource, setrlimit};

use super::engine;
use super::error::LoadError;
use super::limits::{
    COMPILE_CPU, COMPILE_MEMORY, COMPILE_RAISED, COMPILE_WALL, MAX_ARTIFACT, MAX_COMPONENT,
    MAX_COMPONENT_RAISED,
};

/// The hidden subcommand by which our executable becomes the compiler.
pub const COMPILE_COMMAND: &str = "__compile";

/// How the compiler's process failed. The words are on standard error; the exit
/// code is the parent's way to tell (`exit::ExitStatus`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildError {
    /// The component cannot be compiled: exit code 2.
    Refused,
    /// This machine or this program is the cause: exit code 3.
    Machine,
}

/// Most bytes of the compiler's words that are kept.
const MAX_WORDS: u64 = 4096;

/// How to start the compiler's process.
#[derive(Clone, Debug)]
pub struct Compiler {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

impl Default for Compiler {
    /// This very executable, found even if its file was replaced meanwhile.
    fn default() -> Compiler {
        Compiler { program: "/proc/self/exe".into(), arguments: vec![COMPILE_COMMAND.into()] }
    }
}

impl Compiler {
    /// Compiles `component` in a process of its own.
    pub(super) fn compile(&self, component: &[u8]) -> Result<Vec<u8>, LoadError> {
        let machine =
            |e: std::io::Error| LoadError::Machine { reason: format!("no compiler process: {e}") };
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(machine)?;
        let told = converse(&mut child, component);
        if told.is_none() {
            // It may have ended just now; then there is nothing to kill.
            let _ = child.kill();
        }
        let status = child.wait().map_err(machine)?;
        match told {
            None => Err(LoadError::CompileLimit { limit: "its time" }),
            Some(told) => conclude(status, told),
        }
    }
}

/// What the compiler wrote.
struct Told {
    artifact: Vec<u8>,
    words: Vec<u8>,
}

/// Feeds the child and reads what it says; none when it takes too long.
///
/// Each pipe has a thread of its own: a child that writes before it has read
/// everything must not wait for us while we wait for it.
fn converse(child: &mut Child, component: &[u8]) -> Option<Told> {
    let (stdin, stdout, stderr) = (child.stdin.take()?, child.stdout.take()?, child.stderr.take()?);
    let wall = COMPILE_WALL * raised(component);
    let component = component.to_vec();
    let (done, finished) = mpsc::channel();
    thread::spawn(move || {
        let mut stdin = stdin;
        // A child that was killed takes no more; its status tells the story.
        let _ = stdin.write_all(&component);
    });
    let words = thread::spawn(move || read_up_to(stderr, MAX_WORDS));
    thread::spawn(move || {
        let artifact = read_up_to(stdout, MAX_ARTIFACT as u64 + 1);
        // Nobody listens once the time is over.
        let _ = done.send(artifact);
    });
    let artifact = finished.recv_timeout(wall).ok()?;
    Some(Told { artifact, words: words.join().unwrap_or_default() })
}

fn read_up_to(from: impl Read, cap: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    // What was read until an error is as good as what was read until the end.
    let _ = from.take(cap).read_to_end(&mut bytes);
    bytes
}

fn conclude(status: ExitStatus, told: Told) -> Result<Vec<u8>, LoadError> {
    let words = String::from_utf8_lossy(&told.words);
    let words = words.lines().next().unwrap_or_default().to_owned();
    match (status.code(), status.signal()) {
        (Some(0), _) if told.artifact.len() > MAX_ARTIFACT => {
            Err(LoadError::CompileLimit { limit: "80 MiB of compiled code" })
        }
        (Some(0), _) => Ok(told.artifact),
        (Some(2), _) => Err(LoadError::NotCompiled { reason: words }),
        (_, Some(libc::SIGXCPU | libc::SIGKILL)) => {
            Err(LoadError::CompileLimit { limit: "its CPU time" })
        }
        // Rust aborts when memory cannot be had; a panic for the same reason
        // ends with 101.
        (_, Some(libc::SIGABRT | libc::SIGSEGV | libc::SIGBUS)) | (Some(101), _) => {
            Err(LoadError::CompileLimit { limit: "its memory" })
        }
        _ => Err(LoadError::Machine {
            reason: format!("the compiler's process ended with {status}: {words}"),
        }),
    }
}

/// The compiler's process: standard input to standard output.
///
/// # Errors
/// For the exit code; the words are on standard error already.
pub fn compile_child_main() -> Result<(), ChildError> {
    compile_child().map_err(|(error, words)| {
        // Nobody to tell when this fails.
        let _ = writeln!(std::io::stderr(), "{words}");
        error
    })
}

fn compile_child() -> Result<(), (ChildError, String)> {
    let ours = |e: &dyn std::fmt::Display| (ChildError::Machine, e.to_string());
    let mut component = Vec::new();
    std::io::stdin()
        .take(MAX_COMPONENT_RAISED as u64 + 1)
        .read_to_end(&mut component)
        .map_err(|e| ours(&e))?;
    limit_this_process(&component).map_err(|e| ours(&e))?;
    let engine = engine::for_compiling().map_err(|e| ours(&e))?;
    let artifact = engine
        .precompile_component(&component)
        .map_err(|e| (ChildError::Refused, e.root_cause().to_string()))?;
    std::io::stdout().write_all(&artifact).map_err(|e| ours(&e))
}

/// By how much the limits are raised for a component.
fn raised(component: &[u8]) -> u32 {
    if component.len() > MAX_COMPONENT { COMPILE_RAISED } else { 1 }
}

/// Sets the limits before a foreign byte is looked at.
fn limit_this_process(component: &[u8]) -> nix::Result<()> {
    let times = u64::from(raised(component));
    let (cpu, memory) = (COMPILE_CPU.as_secs() * times, COMPILE_MEMORY * times);
    setrlimit(Resource::RLIMIT_CPU, cpu, cpu + 1)?;
    setrlimit(Resource::RLIMIT_AS, memory, memory)?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    // A compiler must not outlive the run that was interrupted.
    // SAFETY: prctl with these arguments touches no memory.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    Ok(())
}
