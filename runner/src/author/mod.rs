//! What plugin authors run: build, test, new, doctor.
//!
//! Not here: loading and running a component (`host`), choosing one for an
//! endpoint (`check`). Start reading at [`build::build`].

pub mod build;
pub mod new;
pub mod rehearse;
