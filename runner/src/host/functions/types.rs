use crate::host::bindings::portscan::plugin::types::Host;
use crate::host::state::CheckState;

/// `types` has no functions.
impl Host for CheckState {}
