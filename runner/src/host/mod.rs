//! The WebAssembly side of a check; the only room that knows wasmtime.
//!
//! A [`Host`] turns the bytes of a component into a [`Guest`], in this order:
//! look at it without compiling ([`inspect`]), take the compiled artifact from
//! the cache or compile it (what strangers wrote in a process of its own), link
//! it with this contract's functions and nothing else, ask it who it is, and
//! hold that against what is embedded in the file. A `Guest` then answers for
//! one endpoint at a time, within the numbers of [`limits`].
//!
//! A guest that breaks a rule ends as a [`Fault`](crate::model::Fault): its own
//! check counts as not made, everything else stands.
//!
//! Not here: which plugin looks at which endpoint (`check`), sockets (`net`).
//! Start reading at [`Host::load`].

mod bindings;
mod cache;
mod compile;
mod convert;
mod cpu;
mod engine;
mod error;
mod fault;
mod functions;
mod guest;
mod inspect;
pub mod limits;
mod line;
mod machine;
mod metadata;
mod peek;
mod pure;
mod record;
mod state;
mod text;

pub use compile::{COMPILE_COMMAND, ChildError, Compiler, compile_child_main};
pub use error::LoadError;
pub use guest::{CheckJob, Guest};
pub use inspect::{CONTRACT, Inspection, METADATA_SECTION, digest, inspect, inspect_up_to};
// The words of a [`Player`].
pub use crate::net::conversation::{
    Certificate, Datagram, TalkError, TlsOptions, TlsSession, Trust,
};
pub use line::{Player, SharedPlayer};
pub use peek::peek_metadata;
pub use record::{Event, Recorder};

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use wasmtime::component::Component;

use cache::{Cache, Found};
use machine::Machine;

/// Who wrote a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It is part of this executable: compiled in this process.
    BuiltIn,
    /// Anybody: compiled in a process of its own, with limits.
    Foreign,
}

/// How a host is set up.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// Guests that may be alive at once, warm ones included.
    pub slots: usize,
    /// Largest component that is loaded.
    pub max_component: usize,
    /// How foreign components are compiled.
    pub compiler: Compiler,
    /// Where compiled components are kept; none asks the environment
    /// (`PORTSCAN_CACHE_DIR`, `XDG_CACHE_HOME`).
    pub cache: Option<PathBuf>,
}

impl HostOptions {
    /// For a component that somebody named: it may be large.
    pub fn for_named() -> HostOptions {
        HostOptions { max_component: limits::MAX_COMPONENT_RAISED, ..HostOptions::default() }
    }
}

impl Default for HostOptions {
    fn default() -> HostOptions {
        HostOptions {
            slots: 64,
            max_component: limits::MAX_COMPONENT,
            compiler: Compiler::default(),
            cache: None,
        }
    }
}

/// Loads plugins. Nothing of the sandbox exists before the first
/// [`Host::load`], so that a run without plugins does not pay for it.
pub struct Host {
    options: HostOptions,
    cache: Cache,
    machine: OnceLock<Result<Arc<Machine>, LoadError>>,
    notes: Mutex<Vec<String>>,
}

impl Host {
    /// A host that has done nothing yet.
    pub fn new(options: HostOptions) -> Host {
        let cache = match &options.cache {
            Some(directory) => Cache::at(Some(directory.clone())),
            None => Cache::from_environment(),
        };
        Host { options, cache, machine: OnceLock::new(), notes: Mutex::new(Vec::new()) }
    }

    /// Makes a component ready for use. Blocks while it compiles.
    ///
    /// # Errors
    /// Everything that is wrong with the component, or with this machine.
    pub fn load(&self, bytes: &[u8], origin: Origin) -> Result<Guest, LoadError> {
        self.load_up_to(bytes, origin, self.options.max_component)
    }

    /// As [`Host::load`], for a component of at most `cap` bytes: what somebody
    /// named or installed may be larger than what merely lies in a folder.
    ///
    /// # Errors
    /// As [`Host::load`].
    pub fn load_up_to(&self, bytes: &[u8], origin: Origin, cap: usize) -> Result<Guest, LoadError> {
        let inspection = inspect_up_to(bytes, cap)?;
        let machine = self.machine()?;
        let component = self.component(bytes, &inspection, &machine, origin)?;
        Guest::link(machine, &component, &inspection)
    }

    /// Remarks for the user about what happened while loading, and forgets them.
    pub fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn machine(&self) -> Result<Arc<Machine>, LoadError> {
        self.machine.get_or_init(|| Machine::new(self.options.slots).map(Arc::new)).clone()
    }

    fn component(
        &self,
        bytes: &[u8],
        inspection: &Inspection,
        machine: &Machine,
        origin: Origin,
    ) -> Result<Component, LoadError> {
        let engine = machine.engine();
        match self.cache.find(&inspection.digest, engine) {
            // An artifact of another engine, or of another processor, is made again.
            Found::Artifact(artifact) => {
                if let Ok(component) = deserialize(engine, &artifact) {
                    return Ok(component);
                }
            }
            Found::Nothing => {}
            Found::Unsafe(why) => {
                self.note(format!("ignored a compiled plugin in the cache: {why}"))
            }
        }
        let artifact = match origin {
            Origin::BuiltIn => engine
                .precompile_component(bytes)
                .map_err(|e| LoadError::NotCompiled { reason: e.root_cause().to_string() })?,
            Origin::Foreign => self.options.compiler.compile(bytes)?,
        };
        self.cache.store(&inspection.digest, engine, &artifact);
        deserialize(engine, &artifact).map_err(|e| LoadError::Machine { reason: e.to_string() })
    }

    fn note(&self, note: String) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(note);
    }
}

/// Makes the artifact executable. It must come from [`Cache::find`], from this
/// process' compiler or from our compiler's process.
fn deserialize(engine: &wasmtime::Engine, artifact: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: every artifact that gets here was written by this executable's
    // own compiler: just now, or earlier into a directory and file that only
    // this user can write, with a digest over these very bytes.
    unsafe { Component::deserialize(engine, artifact) }
}
