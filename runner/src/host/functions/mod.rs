//! What the host lends to a check: one file for each WIT interface.

pub(super) mod connection;
mod host;
mod types;
