//! How a run ends as an exit code.
