//! Plugins written as text: a core module for the canonical ABI, wrapped into a
//! component by wit-component.
//!
//! A test writes only the body of the function that matters. Everything else is
//! an obedient plugin: it describes itself, and its check concludes at once.

use std::fmt::Write as _;

use portscan::model::{
    Amplification, DefaultPort, Metadata, ReplyFrom, Sends, SettingSpec, SideEffect, Silence,
    Transport,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Where the metadata lies in the guest's memory.
const METADATA_AT: u32 = 8192;

/// An obedient plugin's metadata.
pub fn metadata() -> Metadata {
    Metadata {
        name: "test".to_owned(),
        version: "1.2.3".to_owned(),
        description: "a plugin of the tests".to_owned(),
        ports: vec![
            DefaultPort { port: 7, transport: Transport::Tcp },
            DefaultPort { port: 7, transport: Transport::Udp },
        ],
        settings: Vec::new(),
        sends: Sends {
            what: "ping".to_owned(),
            largest: 1 << 20,
            packets: 1000,
            connections: 100,
            amplification: Amplification::None,
        },
        side_effect: SideEffect::None,
        silence: Silence::Normal("nobody listens".to_owned()),
        reply_from: ReplyFrom::SamePort,
    }
}

/// A plugin in the making.
pub struct Plugin {
    /// What `describe` returns.
    pub metadata: Metadata,
    /// Body of `check`'s `run`; none leaves the interface out. `$connection`
    /// is the handle.
    pub check: Option<String>,
    /// Body of `udp-probe`'s `judge` and of `payloads`; none leaves it out.
    pub probe: Option<(String, String)>,
    /// Body of `describe`.
    pub describe: String,
    /// The memory's limits, in pages.
    pub memory: String,
    /// Anything else of a core module.
    pub extra: String,
}

impl Plugin {
    /// An obedient check.
    pub fn check(body: &str) -> Plugin {
        Plugin {
            metadata: metadata(),
            check: Some(body.to_owned()),
            probe: None,
            describe: format!("(i32.const {METADATA_AT})"),
            memory: "4".to_owned(),
            extra: String::new(),
        }
    }

    /// An obedient UDP probe whose `judge` and `payloads` are given.
    pub fn probe(judge: &str, payloads: &str) -> Plugin {
        Plugin {
            check: None,
            probe: Some((judge.to_owned(), payloads.to_owned())),
            ..Plugin::check("")
        }
    }

    /// The component.
    pub fn build(&self) -> Vec<u8> {
        let text = self.text();
        let mut module = wat::parse_str(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        let mut resolve = Resolve::default();
        let wit = concat!(env!("CARGO_MANIFEST_DIR"), "/../wit");
        let (package, _) = resolve.push_dir(wit).expect("the contract parses");
        let world = match (&self.check, &self.probe) {
            (Some(_), None) => "check-plugin",
            (None, Some(_)) => "udp-probe-plugin",
            _ => "full-plugin",
        };
        let world = resolve.select_world(&[package], Some(world)).expect("a world of the contract");
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
            .expect("embedded");
        ComponentEncoder::default()
            .module(&module)
            .expect("a module of that world")
            .encode()
            .unwrap_or_else(|e| panic!("{e:?}\n{text}"))
    }

    /// The component with its metadata embedded, as `portscan plugin build` does.
    pub fn build_with_section(&self, metadata: &Metadata) -> Vec<u8> {
        let json = serde_json::to_vec(metadata).expect("serializes");
        with_section(self.build(), &json)
    }

    fn text(&self) -> String {
        let mut text = String::from("(module\n");
        if self.check.is_some() {
            text.push_str(IMPORTS);
        }
        let (memory, describe, extra) = (&self.memory, &self.describe, &self.extra);
        let _ = write!(
            text,
            r#"(memory (export "memory") {memory})
            (data (i32.const {METADATA_AT}) "{}")
            {LIBRARY}
            (func (export "portscan:plugin/plugin@0.1.1#describe") (result i32) {describe})
            {extra}
            "#,
            escape(&lower(&self.metadata))
        );
        if let Some(body) = &self.check {
            let _ = write!(
                text,
                r#"(func (export "portscan:plugin/check@0.1.1#run")
                    (param $connection i32) (param i32 i32 i32 i32 i32 i32)
                    (param $settings i32) (param $count i32) (result i32)
                    (local $i i32) (local $j i32)
                    {body})"#
            );
        }
        if let Some((judge, payloads)) = &self.probe {
            let _ = write!(
                text,
                r#"(func (export "portscan:plugin/udp-probe@0.1.1#judge")
                    (param i32 i32 i32 i32 i32 i32) (param $seed i64)
                    (param $index i32) (param $answer i32) (param $length i32) (param $port i32)
                    (param i32 i32) (result i32)
                    (local $i i32)
                    {judge})
                (func (export "portscan:plugin/udp-probe@0.1.1#payloads")
                    (param i32 i32 i32 i32 i32 i32) (param $seed i64) (param i32 i32) (result i32)
                    {payloads})"#
            );
        }
        text.push(')');
        text
    }
}

/// Appends the section `portscan:metadata` to a component.
pub fn with_section(mut component: Vec<u8>, json: &[u8]) -> Vec<u8> {
    use wasm_encoder::{ComponentSection as _, CustomSection};
    let section = CustomSection { name: "portscan:metadata".into(), data: json.into() };
    section.append_to_component(&mut component);
    component
}

/// Makes the allocator never return.
pub const STALLING_ALLOCATOR: &str = r#"(data (i32.const 1032) "\01")"#;

/// Makes the allocator trap.
pub const TRAPPING_ALLOCATOR: &str = r#"(data (i32.const 1032) "\02")"#;

const IMPORTS: &str = r#"
    (import "portscan:plugin/host@0.1.1" "log" (func $log (param i32 i32)))
    (import "portscan:plugin/host@0.1.1" "monotonic-now" (func $now (result i64)))
    (import "portscan:plugin/host@0.1.1" "time-left" (func $time_left (result i32)))
    (import "portscan:plugin/host@0.1.1" "random-bytes" (func $random (param i32 i32)))
    (import "portscan:plugin/connection@0.1.1" "[method]connection.send"
        (func $send (param i32 i32 i32 i32)))
    (import "portscan:plugin/connection@0.1.1" "[method]connection.receive"
        (func $receive (param i32 i32 i32 i32)))
    (import "portscan:plugin/connection@0.1.1" "[method]connection.receive-from"
        (func $receive_from (param i32 i32 i32 i32)))
    (import "portscan:plugin/connection@0.1.1" "[method]connection.finish"
        (func $finish (param i32 i32)))
    (import "portscan:plugin/connection@0.1.1" "[method]connection.start-tls"
        (func $start_tls (param i32 i32 i32 i32 i32 i32 i32)))
    (import "portscan:plugin/connection@0.1.1" "[method]connection.reconnect"
        (func $reconnect (param i32 i32)))
    (import "portscan:plugin/connection@0.1.1" "[resource-drop]connection"
        (func $drop (param i32)))
"#;

/// Memory map: 16..64 results of host functions, 256..320 the conclusion,
/// 512.. its text, 1032 whether the
/// allocator stalls, 8192.. the metadata, 32768.. the heap.
const LIBRARY: &str = r#"
    (data (i32.const 512) "all is well\1b[31m")
    (global $heap (mut i32) (i32.const 32768))
    (func $alloc (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
        (local $at i32)
        (if (i32.eq (i32.load8_u (i32.const 1032)) (i32.const 2)) (then (unreachable)))
        (loop $stall (br_if $stall (i32.load8_u (i32.const 1032))))
        (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
        (global.set $heap (i32.add (local.get $at) (local.get $size)))
        (block $enough
            (loop $more
                (br_if $enough (i32.le_u (global.get $heap)
                    (i32.mul (memory.size) (i32.const 65536))))
                (drop (memory.grow (i32.const 1)))
                (br $more)))
        (local.get $at))
    ;; Where `receive` puts its result: the case, then bytes or the error's case.
    (func $failed (result i32) (i32.load8_u (i32.const 16)))
    (func $error (result i32) (i32.load8_u (i32.const 20)))
    ;; A conclusion at 256: confirmed, healthy, a text and no findings.
    (func $conclude_at (param $at i32) (param $summary i32) (param $length i32)
            (param $findings i32) (param $count i32)
        (i32.store16 (local.get $at) (i32.const 0))
        (i32.store (i32.add (local.get $at) (i32.const 4)) (local.get $summary))
        (i32.store (i32.add (local.get $at) (i32.const 8)) (local.get $length))
        (i32.store (i32.add (local.get $at) (i32.const 12)) (local.get $findings))
        (i32.store (i32.add (local.get $at) (i32.const 16)) (local.get $count)))
    ;; The result of a check that concluded.
    (func $concluded (param $summary i32) (param $length i32) (param $findings i32) (param $count i32)
            (result i32)
        (i32.store (i32.const 256) (i32.const 0))
        (call $conclude_at (i32.const 260) (local.get $summary) (local.get $length)
            (local.get $findings) (local.get $count))
        (i32.const 256))
    (func $ok (result i32)
        (call $concluded (i32.const 512) (i32.const 16) (i32.const 0) (i32.const 0)))
    ;; The result of a judge.
    (func $judged (result i32)
        (call $conclude_at (i32.const 260) (i32.const 512) (i32.const 16) (i32.const 0) (i32.const 0))
        (i32.const 260))
    ;; The result of a check that ends with the io-error of the last call.
    (func $conversation (result i32)
        (i32.store (i32.const 256) (i32.const 1))
        (i32.store (i32.const 260) (i32.const 0))
        (i32.store (i32.const 264) (i32.load (i32.const 20)))
        (i32.store (i32.const 268) (i32.load (i32.const 24)))
        (i32.store (i32.const 272) (i32.load (i32.const 28)))
        (i32.const 256))
    ;; The result of a check that declines: case 1 invalid-setting, 2 failed.
    (func $declined (param $case i32) (result i32)
        (i32.store (i32.const 256) (i32.const 1))
        (i32.store (i32.const 260) (local.get $case))
        (i32.store (i32.const 264) (i32.const 512))
        (i32.store (i32.const 268) (i32.const 11))
        (i32.const 256))
    ;; A payload list of `count` entries of `size` bytes each.
    (func $payloads (param $count i32) (param $size i32) (result i32)
        (local $at i32) (local $i i32)
        (local.set $at (call $alloc (i32.const 0) (i32.const 0) (i32.const 8)
            (i32.mul (local.get $count) (i32.const 16))))
        (block $done
            (loop $next
                (br_if $done (i32.ge_u (local.get $i) (local.get $count)))
                (i32.store (i32.add (local.get $at) (i32.mul (local.get $i) (i32.const 16))) (i32.const 512))
                (i32.store offset=4 (i32.add (local.get $at) (i32.mul (local.get $i) (i32.const 16))) (local.get $size))
                (i32.store offset=8 (i32.add (local.get $at) (i32.mul (local.get $i) (i32.const 16))) (i32.const 512))
                (i32.store offset=12 (i32.add (local.get $at) (i32.mul (local.get $i) (i32.const 16))) (i32.const 3))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br $next)))
        (i32.store (i32.const 256) (i32.const 0))
        (i32.store (i32.const 260) (local.get $at))
        (i32.store (i32.const 264) (local.get $count))
        (i32.const 256))
"#;

/// Lays the metadata out as the canonical ABI does (Component Model,
/// CanonicalABI.md "Loading"), for a place at [`METADATA_AT`].
fn lower(metadata: &Metadata) -> Vec<u8> {
    let mut memory = Lowering { record: Vec::new(), rest: Vec::new() };
    memory.text(&metadata.name);
    memory.text(&metadata.version);
    memory.text(&metadata.description);
    let ports = metadata.ports.iter().flat_map(|port| {
        let [low, high] = port.port.to_le_bytes();
        [low, high, u8::from(port.transport == Transport::Udp), 0]
    });
    memory.list(ports.collect(), metadata.ports.len());
    memory.settings(&metadata.settings);
    memory.text(&metadata.sends.what);
    memory.number(metadata.sends.largest);
    memory.number(metadata.sends.packets);
    memory.number(metadata.sends.connections);
    memory.number(metadata.sends.amplification as u32);
    memory.number(metadata.side_effect as u32);
    match &metadata.silence {
        Silence::Unexpected => {
            memory.number(0);
            memory.text("");
        }
        Silence::Normal(why) => {
            memory.number(1);
            memory.text(why);
        }
    }
    memory.number(metadata.reply_from as u32);
    assert_eq!(memory.record.len(), RECORD);
    [memory.record, memory.rest].concat()
}

/// Size of the metadata record.
const RECORD: usize = 84;

struct Lowering {
    record: Vec<u8>,
    rest: Vec<u8>,
}

impl Lowering {
    fn number(&mut self, number: u32) {
        self.record.extend(number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.list(text.as_bytes().to_vec(), text.len());
    }

    /// A list of records of 36 bytes: name, kind, required, default, secret, help.
    fn settings(&mut self, specs: &[SettingSpec]) {
        let mut inner = Lowering { record: Vec::new(), rest: std::mem::take(&mut self.rest) };
        for spec in specs {
            inner.text(&spec.name);
            inner.number(spec.kind as u32 | u32::from(spec.required) << 8);
            inner.number(u32::from(spec.default.is_some()));
            inner.text(spec.default.as_deref().unwrap_or_default());
            inner.number(u32::from(spec.secret));
            inner.text(&spec.help);
        }
        self.rest = inner.rest;
        self.list(inner.record, specs.len());
    }

    fn list(&mut self, bytes: Vec<u8>, count: usize) {
        self.rest.resize(self.rest.len().next_multiple_of(8), 0);
        self.number(METADATA_AT + (RECORD + self.rest.len()) as u32);
        self.number(count as u32);
        self.rest.extend(bytes);
    }
}

fn escape(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "\\{byte:02x}");
        text
    })
}
