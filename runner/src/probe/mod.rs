//! Evidence to state and reason.
