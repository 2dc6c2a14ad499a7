//! The shipped plugins: built from the sources beside them, and true to their
//! transcripts.
//!
//! `plugins/prebuilt/rebuild` runs this with `PORTSCAN_REBUILD=1`, which writes
//! the files instead of comparing them.

mod findings;
mod host;
mod lock;
mod prebuilt;
mod transcripts;
