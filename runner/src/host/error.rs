use thiserror::Error;

use super::fault::fault;
use super::limits::{MAX_MEMORY, MAX_TABLE_ELEMENTS};
use crate::model::Fault;

/// Why a component cannot be used, before any check was made with it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LoadError {
    /// The file is larger than allowed.
    #[error("the component has {size} bytes; {cap} are allowed")]
    TooLarge {
        /// Its size.
        size: u64,
        /// The limit.
        cap: usize,
    },
    /// The file is not the one that was installed.
    #[error("its file has sha256 {found}, and was installed with {pinned}")]
    Changed {
        /// What `plugins.lock` says.
        pinned: String,
        /// What the file has.
        found: String,
    },
    /// It does not begin as WebAssembly does.
    #[error("the file is not WebAssembly")]
    NotWasm,
    /// A core module.
    #[error("the file is a core WebAssembly module and not a component")]
    CoreModule,
    /// A component that ends early or cannot be parsed.
    #[error("the component is damaged or cut off: {reason}")]
    Malformed {
        /// The parser's words.
        reason: String,
    },
    /// It imports something that the host does not lend.
    #[error("the component imports `{name}`, which no plugin gets")]
    ForeignImport {
        /// The import.
        name: String,
    },
    /// It was built for another version of the contract.
    #[error("the component was built for `{name}`; this portscan speaks {ours}")]
    WrongVersion {
        /// The import or export that says so.
        name: String,
        /// Our package and version.
        ours: &'static str,
    },
    /// A component that exports nothing of the contract, or half of it.
    #[error("the component is no plugin: it does not export `{missing}`")]
    NotAPlugin {
        /// What is missing.
        missing: String,
    },
    /// Names of the contract with other types behind them.
    #[error("the component does not fit the contract: {reason}")]
    Unlinkable {
        /// The linker's words.
        reason: String,
    },
    /// It starts with more memory or tables than a guest may have.
    #[error(
        "the component starts with {bytes} bytes of memory and {elements} table elements; {MAX_MEMORY} and {MAX_TABLE_ELEMENTS} are allowed"
    )]
    TooMuchMemory {
        /// Initial memory.
        bytes: u64,
        /// Initial table elements.
        elements: u64,
    },
    /// Its `portscan:metadata` section, or what `describe` returned, is not valid.
    #[error("the component's metadata: {reason}")]
    BadMetadata {
        /// What and where.
        reason: String,
    },
    /// `describe` returned something else than the embedded metadata says.
    #[error("`describe` does not return what the embedded metadata says: {difference}")]
    Lied {
        /// The first field that differs.
        difference: &'static str,
    },
    /// The compiler's process used up what it may use.
    #[error("compiling the component took more than {limit}")]
    CompileLimit {
        /// Which limit.
        limit: &'static str,
    },
    /// The compiler refused the component.
    #[error("the component cannot be compiled: {reason}")]
    NotCompiled {
        /// Its words.
        reason: String,
    },
    /// The compiler's process could not be started, or another failure of this
    /// machine.
    #[error("this machine cannot load the component: {reason}")]
    Machine {
        /// The system's words.
        reason: String,
    },
    /// `describe` broke a rule.
    #[error("{}", .0.text)]
    Faulted(Fault),
}

impl LoadError {
    /// The fault's stable name.
    pub fn kind(&self) -> &'static str {
        match self {
            LoadError::TooLarge { .. } => "too-large",
            LoadError::Changed { .. } => "changed",
            LoadError::NotWasm | LoadError::CoreModule | LoadError::Malformed { .. } => {
                "not-a-component"
            }
            LoadError::NotCompiled { .. } => "not-a-component",
            LoadError::ForeignImport { .. } => "foreign-import",
            LoadError::WrongVersion { .. } | LoadError::Unlinkable { .. } => "wrong-version",
            LoadError::NotAPlugin { .. } => "not-a-plugin",
            LoadError::TooMuchMemory { .. } => "memory",
            LoadError::BadMetadata { .. } => "bad-metadata",
            LoadError::Lied { .. } => "lied",
            LoadError::CompileLimit { .. } => "compile-limit",
            LoadError::Machine { .. } => "host",
            LoadError::Faulted(fault) => fault.kind,
        }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> String {
        Fault::from(self.clone()).hint
    }
}

impl From<LoadError> for Fault {
    fn from(error: LoadError) -> Fault {
        match error {
            LoadError::Faulted(fault) => fault,
            other => fault(other.kind(), other.to_string()),
        }
    }
}
