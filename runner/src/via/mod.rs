//! The same request on another machine: through the user's ssh client and the
//! portscan that is there, or as a process of its own on this one.
//!
//! What comes back is from outside: read line by line within caps, held to what was
//! asked for, and never trusted to end. Not here: putting places side by side
//! (`compare`), what may be probed at all (`scope`). Start reading at [`Started`].

mod command;
mod place;
mod read;
mod trouble;
mod visit;

pub use command::Request;
pub use place::{Place, PlaceError};
pub use read::{Asked, Said};
pub use trouble::Trouble;
pub use visit::{News, Started, Visit};
