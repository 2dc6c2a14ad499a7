//! What the operating system offers beyond plain sockets. All `unsafe` of the
//! room is here.

#[cfg(target_os = "linux")]
mod linux;

#[cfg(target_os = "linux")]
pub use linux::*;

#[cfg(not(target_os = "linux"))]
compile_error!(
    "portscan takes its evidence from Linux' socket error queue; other systems are not supported yet"
);
