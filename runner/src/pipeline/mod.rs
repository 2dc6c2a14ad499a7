//! Wires the stages; the only room that knows all of them, the clock included.

pub mod scan;
