//! Asks a component who it is, with nothing of the host within its reach.

use portscan::model::{
    Amplification, DefaultPort, Metadata, ReplyFrom, Sends, SettingKind, SettingSpec, SideEffect,
    Silence, Transport,
};
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store};

mod bindings {
    wasmtime::component::bindgen!({
        path: "../wit",
        inline: "package portscan:tests; world described { include portscan:plugin/udp-probe-plugin@0.1.0; }",
        world: "portscan:tests/described",
    });
}

use bindings::exports::portscan::plugin::plugin as contract;

/// What `describe` of a component returns.
pub fn describe(component: &[u8]) -> Result<Metadata, String> {
    call(component).map_err(|error| format!("{error:#}"))
}

fn call(bytes: &[u8]) -> wasmtime::Result<Metadata> {
    let engine = Engine::default();
    let component = Component::new(&engine, bytes)?;
    let mut linker = Linker::<()>::new(&engine);
    linker.define_unknown_imports_as_traps(&component)?;
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &component)?;
    let indices = contract::GuestIndices::new(&linker.instantiate_pre(&component)?)?;
    let plugin = indices.load(&mut store, &instance)?;
    Ok(metadata(plugin.call_describe(&mut store)?))
}

fn metadata(from: contract::Metadata) -> Metadata {
    Metadata {
        name: from.name,
        version: from.version,
        description: from.description,
        ports: from.ports.into_iter().map(port).collect(),
        settings: from.settings.into_iter().map(setting).collect(),
        sends: Sends {
            what: from.sends.what,
            largest: from.sends.largest,
            packets: from.sends.packets,
            connections: from.sends.connections,
            amplification: match from.sends.amplification {
                contract::Amplification::None => Amplification::None,
                contract::Amplification::Small => Amplification::Small,
                contract::Amplification::Large => Amplification::Large,
            },
        },
        side_effect: match from.side_effect {
            contract::SideEffect::None => SideEffect::None,
            contract::SideEffect::LogLine => SideEffect::LogLine,
            contract::SideEffect::State => SideEffect::State,
            contract::SideEffect::Hardware => SideEffect::Hardware,
        },
        silence: match from.silence {
            contract::Silence::Unexpected => Silence::Unexpected,
            contract::Silence::Normal(reason) => Silence::Normal(reason),
        },
        reply_from: match from.reply_from {
            contract::ReplyFrom::SamePort => ReplyFrom::SamePort,
            contract::ReplyFrom::AnyPort => ReplyFrom::AnyPort,
        },
    }
}

fn port(from: contract::DefaultPort) -> DefaultPort {
    let transport = match from.transport {
        contract::Transport::Tcp => Transport::Tcp,
        contract::Transport::Udp => Transport::Udp,
    };
    DefaultPort { port: from.port, transport }
}

fn setting(from: contract::SettingSpec) -> SettingSpec {
    SettingSpec {
        name: from.name,
        kind: match from.kind {
            contract::SettingKind::Text => SettingKind::Text,
            contract::SettingKind::Integer => SettingKind::Integer,
            contract::SettingKind::Boolean => SettingKind::Boolean,
            contract::SettingKind::Duration => SettingKind::Duration,
            contract::SettingKind::TextList => SettingKind::TextList,
        },
        required: from.required,
        default: from.default,
        secret: from.secret,
        help: from.help,
    }
}
