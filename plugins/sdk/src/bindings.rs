//! The guest side of the contract in `wit/`, generated; nothing else.
//!
//! Generated once, from the world that has everything. Which world a plugin
//! implements is said by [`export!`](crate::export), see [`crate::glue`].
#![allow(missing_docs)]

wit_bindgen::generate!({
    path: "../../wit",
    world: "full-plugin",
    pub_export_macro: true,
    additional_derives: [PartialEq],
});
