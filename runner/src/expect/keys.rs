//! Every key that a file may have, so that the schema for editors can be held to it.

/// Keys of the top level.
pub(super) const TOP: &[&str] = &["include", "variables", "roles", "targets"];

/// Keys of a target besides ports.
pub(super) const TARGET: &[&str] = &["roles", "addresses", "family"];

/// Keys of what is expected of a port.
pub(super) const PORT: &[&str] =
    &["state", "code", "by", "health", "findings", "rtt", "plugin", "set", "from", "at"];

/// States that can be expected.
pub(super) const STATES: &[&str] =
    &["open", "closed", "filtered", "open|filtered", "not-open", "rejected", "dropped"];

/// Families of addresses.
pub(super) const FAMILIES: &[&str] = &["ipv4", "ipv6"];

/// Healths that can be expected.
pub(super) const HEALTHS: &[&str] = &["healthy", "degraded", "unhealthy", "unknown"];
