use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a plugin could not be built.
#[derive(Debug, Error)]
pub enum BuildError {
    /// A program could not be started at all.
    #[error("cannot run {program}: {source}")]
    Program {
        /// The program, as it was called.
        program: String,
        /// The operating system's answer.
        source: io::Error,
    },
    /// Cargo does not accept the folder.
    #[error("{} is not a crate that cargo can read:\n{text}", dir.display())]
    Manifest {
        /// The folder.
        dir: PathBuf,
        /// Cargo's words.
        text: String,
    },
    /// The crate makes no library that could become a component.
    #[error("package {package} has no library of type cdylib")]
    NotAPlugin {
        /// The package's name.
        package: String,
    },
    /// No compiler here can make WebAssembly, and rustup could not fetch one.
    #[error("no compiler for wasm32-unknown-unknown: {rustup}")]
    NoToolchain {
        /// What rustup said, or that there is none.
        rustup: String,
    },
    /// The folder given as toolchain root holds no compiler that works.
    #[error("{} is no toolchain root: {why}", root.display())]
    ToolchainRoot {
        /// The folder.
        root: PathBuf,
        /// What is missing.
        why: String,
    },
    /// Cargo ran and failed; usually an error in the plugin's source.
    #[error("cargo could not compile {package}{}", with_text(text))]
    Cargo {
        /// The package's name.
        package: String,
        /// What cargo and the compiler wrote; empty when it was shown already.
        text: String,
    },
    /// No tool of the plugin's language is here.
    #[error("there is no {missing}")]
    NoTool {
        /// What is missing, and how to get it.
        missing: String,
    },
    /// A language's tool ran and failed; usually an error in the plugin's source.
    #[error("{tool} could not build it{}", with_text(text))]
    Tool {
        /// The tool, as it was called.
        tool: String,
        /// What it wrote.
        text: String,
    },
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// The module is not what the contract wants.
    #[error("the module does not fit the plugin contract: {text}")]
    Encode {
        /// The encoder's words.
        text: String,
    },
    /// The finished component did not say who it is.
    #[error("the component's describe() did not work: {text}")]
    Describe {
        /// Why.
        text: String,
    },
}

impl BuildError {
    /// What the author can do about it, in one sentence.
    pub fn hint(&self) -> String {
        match self {
            BuildError::Program { program, .. } => {
                format!("install Rust (https://rustup.rs), or put {program} on the PATH")
            }
            BuildError::Manifest { .. } => {
                "give the folder that holds the plugin's Cargo.toml".to_owned()
            }
            BuildError::NotAPlugin { .. } => {
                "add `[lib] crate-type = [\"cdylib\", \"rlib\"]` to its Cargo.toml".to_owned()
            }
            BuildError::NoToolchain { .. } => {
                "run `rustup target add wasm32-unknown-unknown`; on Debian without access to \
                 rustup, run tests/toolchain/wasm DIR and set PORTSCAN_WASM_ROOT to what it prints"
                    .to_owned()
            }
            BuildError::ToolchainRoot { .. } => {
                "run tests/toolchain/wasm DIR and set PORTSCAN_WASM_ROOT to the folder that it prints".to_owned()
            }
            BuildError::NoTool { .. } => "install it, and try again".to_owned(),
            BuildError::Tool { .. } => "mend the errors above".to_owned(),
            BuildError::Cargo { .. } => {
                "mend the errors above; `cargo check` in the plugin's folder shows most of them"
                    .to_owned()
            }
            BuildError::Read { .. } => "look at the file's permissions".to_owned(),
            BuildError::Encode { .. } => {
                "end the plugin with portscan_plugin::export!(Type: check), from a portscan-plugin \
                 of this portscan's version"
                    .to_owned()
            }
            BuildError::Describe { .. } => {
                "describe() must return at once, without calling the host".to_owned()
            }
        }
    }
}

fn with_text(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(":\n{text}") }
}
