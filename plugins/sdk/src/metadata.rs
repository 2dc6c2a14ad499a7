//! Building [`Metadata`] in one expression.

use crate::{
    Amplification, DefaultPort, Metadata, ReplyFrom, Sends, SettingKind, SettingSpec, SideEffect,
    Silence, Transport,
};

impl Metadata {
    /// A plugin that sends nothing, leaves nothing behind and expects an answer.
    ///
    /// `name` is the protocol's own, in kebab-case; `version` the plugin's,
    /// usually `env!("CARGO_PKG_VERSION")`; `description` one line.
    pub fn new(name: &str, version: &str, description: &str) -> Metadata {
        Metadata {
            name: name.to_owned(),
            version: version.to_owned(),
            description: description.to_owned(),
            ports: Vec::new(),
            settings: Vec::new(),
            sends: Sends {
                what: "nothing".to_owned(),
                largest: 0,
                packets: 0,
                connections: 1,
                amplification: Amplification::None,
            },
            side_effect: SideEffect::None,
            silence: Silence::Unexpected,
            reply_from: ReplyFrom::SamePort,
        }
    }

    /// Used by itself at this TCP port.
    pub fn tcp(mut self, port: u16) -> Metadata {
        self.ports.push(DefaultPort { port, transport: Transport::Tcp });
        self
    }

    /// Used by itself at this UDP port.
    pub fn udp(mut self, port: u16) -> Metadata {
        self.ports.push(DefaultPort { port, transport: Transport::Udp });
        self
    }

    /// Understands this setting.
    pub fn setting(mut self, setting: SettingSpec) -> Metadata {
        self.settings.push(setting);
        self
    }

    /// Sends `what` (in words), at most `packets` datagrams or calls of `send`
    /// in one check, the largest datagram or the whole stream `largest` bytes.
    /// The host holds the plugin to these figures.
    pub fn sends(mut self, what: &str, packets: u32, largest: u32) -> Metadata {
        self.sends.what = what.to_owned();
        self.sends.packets = packets;
        self.sends.largest = largest;
        self
    }

    /// Opens up to this many connections in one check, the first included.
    pub fn connections(mut self, connections: u32) -> Metadata {
        self.sends.connections = connections;
        self
    }

    /// How much more may come back than was sent.
    pub fn amplification(mut self, amplification: Amplification) -> Metadata {
        self.sends.amplification = amplification;
        self
    }

    /// What one check leaves behind at the service, at worst.
    pub fn leaves(mut self, side_effect: SideEffect) -> Metadata {
        self.side_effect = side_effect;
        self
    }

    /// A healthy service may not answer a stranger, for this reason.
    pub fn silence_is_normal(mut self, reason: &str) -> Metadata {
        self.silence = Silence::Normal(reason.to_owned());
        self
    }

    /// Answers come from any port of the address asked.
    pub fn replies_from_any_port(mut self) -> Metadata {
        self.reply_from = ReplyFrom::AnyPort;
        self
    }
}

impl SettingSpec {
    /// An optional setting without a default. `help` is one line.
    pub fn new(name: &str, kind: SettingKind, help: &str) -> SettingSpec {
        SettingSpec {
            name: name.to_owned(),
            kind,
            required: false,
            default: None,
            secret: false,
            help: help.to_owned(),
        }
    }

    /// The plugin cannot work without it.
    pub fn required(mut self) -> SettingSpec {
        self.required = true;
        self
    }

    /// Used when the user gives none; written as the user would type it.
    pub fn or(mut self, default: &str) -> SettingSpec {
        self.default = Some(default.to_owned());
        self
    }

    /// Never shown, logged or recorded; taken from the environment or a file.
    pub fn secret(mut self) -> SettingSpec {
        self.secret = true;
        self
    }
}
