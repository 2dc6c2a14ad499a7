//! Generated from `wit/`, and nothing else.
//!
//! One world is enough: its exports are looked up one interface at a time, so
//! that a plugin that has only one half is bound by the same types.
#![allow(missing_docs, reason = "documented where it is written: wit/*.wit")]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "full-plugin",
    imports: {
        "portscan:plugin/host": trappable,
        "portscan:plugin/connection.[method]connection.transport": trappable,
        "portscan:plugin/connection.[method]connection.local-port": trappable,
        default: async | trappable,
    },
    exports: {
        "portscan:plugin/check.run": async,
    },
    with: {
        "portscan:plugin/connection.connection": crate::host::functions::connection::Handle,
    },
    require_store_data_send: true,
});
