//! Before the first check: what is refused, and what it costs.

use std::time::{Duration, Instant};

use portscan::host::{Host, HostOptions, LoadError, Origin, inspect, limits};
use portscan::model::Fault;

use crate::plugin::{Plugin, metadata, with_section};
use crate::world::{load, options};

fn obedient() -> Plugin {
    Plugin::check("(call $ok)")
}

/// Loads as a stranger's component, through the compiler's process.
fn load_foreign(component: &[u8]) -> Result<(), LoadError> {
    let cache = tempfile::tempdir().expect("a directory");
    Host::new(options(&cache)).load(component, Origin::Foreign).map(|_| ())
}

fn kind_of(component: &[u8]) -> Option<&'static str> {
    load_foreign(component).err().map(|error| {
        let fault = Fault::from(error);
        assert!(!fault.hint.is_empty() && !fault.text.is_empty());
        fault.kind
    })
}

#[test]
fn a_strangers_component_is_compiled_apart_and_works() {
    assert_eq!(load_foreign(&obedient().build()), Ok(()));
}

#[test]
fn inspection_tells_imports_exports_version_and_metadata_without_compiling() {
    let inspection = inspect(&obedient().build_with_section(&metadata())).expect("fine");
    assert_eq!(inspection.metadata, Some(metadata()));
    assert_eq!(inspection.interface_version, "0.1.1");
    assert!(inspection.is_check && !inspection.is_udp_probe);
    assert!(inspection.imports.contains(&"portscan:plugin/connection@0.1.1".to_owned()));
    assert!(inspection.exports.contains(&"portscan:plugin/check@0.1.1".to_owned()));
    assert_eq!(inspection.digest.len(), 64);
}

#[test]
fn what_is_no_component_says_what_it_is() {
    let good = obedient().build();
    let module = wat::parse_str("(module)").expect("a module");
    assert_eq!(load_foreign(b"#!/bin/sh"), Err(LoadError::NotWasm));
    assert_eq!(load_foreign(&module), Err(LoadError::CoreModule));
    for cut in [9, good.len() / 3, good.len() / 2, good.len() - 1] {
        assert_eq!(kind_of(&good[..cut]), Some("not-a-component"), "cut at {cut}");
    }
}

#[test]
fn a_flipped_bit_is_an_error_or_another_valid_component_and_never_more() {
    let good = obedient().build();
    for at in (8..good.len()).step_by(good.len() / 40) {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        // In process: what is tested is that nothing panics and nothing hangs.
        let _ = load(&bad);
    }
}

#[test]
fn the_size_is_checked_first() {
    let mut large = obedient().build();
    // A custom section is the cheapest way to be large.
    large = with_padding(large, limits::MAX_COMPONENT);
    assert_eq!(kind_of(&large), Some("too-large"));
    let cache = tempfile::tempdir().expect("a directory");
    let raised = HostOptions { max_component: limits::MAX_COMPONENT_RAISED, ..options(&cache) };
    assert!(Host::new(raised).load(&large, Origin::Foreign).is_ok());
}

pub fn with_padding(mut component: Vec<u8>, bytes: usize) -> Vec<u8> {
    use wasm_encoder::{ComponentSection as _, CustomSection};
    let data = vec![0; bytes];
    CustomSection { name: "padding".into(), data: data.as_slice().into() }
        .append_to_component(&mut component);
    component
}

/// A component that imports and exports the named instances and nothing else.
pub fn shell(import: &str, export: &str) -> Vec<u8> {
    let text = format!(
        r#"(component
            (import "{import}" (instance $i))
            (instance $empty)
            (export "{export}" (instance $empty)))"#
    );
    wat::parse_str(text).expect("a component")
}

#[test]
fn a_foreign_import_is_named() {
    let wasi = shell("wasi:sockets/tcp@0.2.3", "portscan:plugin/plugin@0.1.0");
    assert_eq!(
        load_foreign(&wasi),
        Err(LoadError::ForeignImport { name: "wasi:sockets/tcp@0.2.3".to_owned() })
    );
    assert_eq!(kind_of(&wasi), Some("foreign-import"));
    // An interface of ours that does not exist is no less foreign.
    let unknown = shell("portscan:plugin/raw-sockets@0.1.0", "portscan:plugin/plugin@0.1.0");
    assert_eq!(kind_of(&unknown), Some("foreign-import"));
}

#[test]
fn another_version_of_the_contract_gets_a_sentence_that_says_so() {
    for component in [
        shell("portscan:plugin/host@0.2.0", "portscan:plugin/plugin@0.2.0"),
        shell("portscan:plugin/host@0.1.0", "portscan:plugin/plugin@1.0.0"),
    ] {
        let error = load_foreign(&component).expect_err("another version");
        assert_eq!(error.kind(), "wrong-version");
        assert!(
            error.to_string().contains("this portscan speaks portscan:plugin@0.1.1"),
            "{error}"
        );
    }
}

#[test]
fn a_component_for_another_world_is_no_plugin() {
    let other = shell("portscan:plugin/host@0.1.0", "example:greeter/hello@1.0.0");
    assert_eq!(kind_of(&other), Some("not-a-plugin"));
    // The right name with nothing behind it.
    let hollow = wat::parse_str(
        r#"(component (instance $e)
            (export "portscan:plugin/plugin@0.1.0" (instance $e))
            (export "portscan:plugin/check@0.1.0" (instance $e)))"#,
    );
    assert_eq!(kind_of(&hollow.expect("a component")), Some("wrong-version"));
}

#[test]
fn metadata_that_lies_is_refused_with_the_field_named() {
    let truth = obedient().build_with_section(&metadata());
    assert_eq!(load_foreign(&truth), Ok(()));
    let mut harmless = metadata();
    harmless.sends.largest = 4;
    let lie = obedient().build_with_section(&harmless);
    assert_eq!(load_foreign(&lie), Err(LoadError::Lied { difference: "sends" }));
    assert_eq!(kind_of(&lie), Some("lied"));
}

#[test]
fn metadata_that_makes_no_sense_is_refused() {
    for json in [&b"{"[..], b"{}", b"\xff"] {
        assert_eq!(kind_of(&with_section(obedient().build(), json)), Some("bad-metadata"));
    }
    let twice = with_section(obedient().build_with_section(&metadata()), b"{}");
    assert_eq!(kind_of(&twice), Some("bad-metadata"));
    let huge = with_section(obedient().build(), &vec![b' '; limits::MAX_METADATA + 1]);
    assert_eq!(kind_of(&huge), Some("bad-metadata"));
    let mut plugin = obedient();
    plugin.metadata.name = "../../etc/passwd".to_owned();
    assert_eq!(kind_of(&plugin.build()), Some("bad-metadata"));
}

#[test]
fn faults_in_describe_are_faults_of_the_plugin() {
    for (body, expected) in [
        ("(loop $l (br $l)) (unreachable)", "cpu-budget"),
        ("(unreachable)", "trap"),
        ("(loop $l (drop (memory.grow (i32.const 1))) (br $l)) (unreachable)", "memory"),
        ("(i32.const -4)", "broken-abi"),
    ] {
        let plugin = Plugin { describe: body.to_owned(), ..obedient() };
        assert_eq!(load(&plugin.build()).err().map(|e| e.kind()), Some(expected), "{body}");
    }
}

#[test]
fn memory_and_tables_to_begin_with_are_bounded_before_compiling() {
    let most = limits::MAX_MEMORY / 65_536;
    for (memory, table, expected) in [
        (most, 1, None),
        (most + 1, 1, Some("memory")),
        (65_536, 1, Some("memory")),
        (4, 10_000_000, Some("memory")),
    ] {
        let plugin = Plugin {
            memory: memory.to_string(),
            extra: format!("(table $t {table} funcref)"),
            ..obedient()
        };
        assert_eq!(kind_of(&plugin.build()), expected, "{memory} pages, {table} elements");
    }
}

#[test]
fn the_second_load_needs_no_compiler() {
    let cache = tempfile::tempdir().expect("a directory");
    let component = obedient().build();
    let with = options(&cache);
    let mut without = with.clone();
    without.compiler.program = "/nonexistent/compiler".into();
    let failed = Host::new(without.clone()).load(&component, Origin::Foreign).map(|_| ());
    assert_eq!(failed.map_err(|e| e.kind()), Err("host"));
    assert!(Host::new(with).load(&component, Origin::Foreign).is_ok());
    assert!(Host::new(without).load(&component, Origin::Foreign).is_ok());
}

#[test]
fn a_damaged_cache_entry_is_noted_and_made_again() {
    let cache = tempfile::tempdir().expect("a directory");
    let component = obedient().build();
    assert!(Host::new(options(&cache)).load(&component, Origin::Foreign).is_ok());
    let entries = std::fs::read_dir(cache.path().join("cache")).expect("made");
    let entry = entries.flatten().next().expect("one entry").path();
    let mut bytes = std::fs::read(&entry).expect("readable");
    *bytes.last_mut().expect("not empty") ^= 1;
    std::fs::write(&entry, bytes).expect("writable");

    let host = Host::new(options(&cache));
    assert!(host.load(&component, Origin::Foreign).is_ok());
    let notes = host.take_notes();
    assert!(notes.len() == 1 && notes[0].contains("damaged"), "{notes:?}");
    let again = Host::new(options(&cache));
    assert!(again.load(&component, Origin::Foreign).is_ok());
    assert!(again.take_notes().is_empty());
}

#[test]
fn a_component_made_to_stall_the_compiler_costs_its_limits_and_no_more() {
    let bomb = Plugin { extra: stalling_code(), ..obedient() }.build();
    assert!(bomb.len() < limits::MAX_COMPONENT);
    let started = Instant::now();
    assert_eq!(kind_of(&bomb), Some("compile-limit"));
    assert!(started.elapsed() < limits::COMPILE_WALL + Duration::from_secs(5));
}

/// A function that stalls the compiler.
pub fn stalling_code() -> String {
    // Thousands of blocks, thousands of locals that live through all of them:
    // the register allocator's worst case known here.
    let locals = 3000;
    let mut body = String::new();
    for local in 0..locals {
        body.push_str(&format!("(local.set {local} (i32.load (i32.const {})))", local * 4));
    }
    for block in 0..12_000 {
        let local = block % locals;
        body.push_str(&format!(
            "(if (local.get {local}) (then (local.set {local} (i32.const {block}))))"
        ));
    }
    for local in 0..locals {
        body.push_str(&format!("(i32.store (i32.const {}) (local.get {local}))", local * 4));
    }
    let types = "i32 ".repeat(locals);
    format!("(func (export \"bomb\") (local {types}) {body})")
}
