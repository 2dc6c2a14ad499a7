//! The WebAssembly side of a check; the only room that knows wasmtime.
