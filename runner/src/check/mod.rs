//! Which plugin looks at which endpoint, and what it concluded.
