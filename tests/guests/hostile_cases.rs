//! The hostile plugins, one component each.

use portscan::host::limits;
use portscan::model::{DefaultPort, Transport};

use crate::loading::{shell, stalling_code, with_padding};
use crate::output::{findings, logs};
use crate::plugin::{Plugin, STALLING_ALLOCATOR, TRAPPING_ALLOCATOR};

/// What must come of a hostile plugin.
pub enum Outcome {
    /// Its check is not made, with a fault of one of these kinds.
    Fault(&'static [&'static str]),
    /// It is allowed, and changes nothing: the verdict.
    Verdict(&'static str),
    /// It is no plugin: a note says so, in these words.
    Ignored(&'static str),
}

/// One hostile plugin.
pub struct Case {
    /// What it does.
    pub name: &'static str,
    /// Its bytes.
    pub component: Vec<u8>,
    /// Over what it is met.
    pub transport: &'static str,
    /// What must come of it.
    pub outcome: Outcome,
    plugin: Option<Plugin>,
}

use Outcome::{Fault, Ignored, Verdict};

const LOOP: &str = "(loop $l (br $l)) (unreachable)";
const GROW: &str = "(loop $l (drop (memory.grow (i32.const 1))) (br $l)) (unreachable)";
const TWO: &str = "(call $payloads (i32.const 2) (i32.const 4))";

/// All of them, at this port.
pub fn cases(port: u16) -> Vec<Case> {
    let mut all = Vec::new();
    let mut check = |name, body: &str, outcome| {
        all.push(built(name, Plugin::check(body), "tcp", port, outcome));
    };
    check("endless loop in check", LOOP, Fault(&["cpu-budget"]));
    check("memory bomb", GROW, Fault(&["memory"]));
    check("unreachable in check", "(unreachable)", Fault(&["trap"]));
    check("deep recursion", "(call $deeper (i32.const 0)) (drop) (call $ok)", Fault(&["trap"]));
    check("trap while the host waits", &waiting("(unreachable)"), Fault(&["trap"]));
    check(
        "list of 4 GiB to the host",
        "(call $send (local.get $connection) (i32.const 0) (i32.const -1) (i32.const 16)) (call $ok)",
        Fault(&["broken-abi", "trap"]),
    );
    check(
        "summary of 4 GiB",
        "(call $concluded (i32.const 0) (i32.const -1) (i32.const 0) (i32.const 0))",
        Fault(&["broken-abi"]),
    );
    check(
        "log flood",
        &format!("(block {}) {LOOP}", dropped(&logs(1_000_000, 1000))),
        Fault(&["over-budget"]),
    );
    check("verdict flood", &findings(2600, 20), Fault(&["too-much-output"]));
    check("finding flood", &findings(limits::MAX_FINDINGS + 100, 10), Verdict("confirmed"));
    check(
        "host-call flood",
        "(loop $l (drop (call $now)) (br $l)) (unreachable)",
        Fault(&["over-budget", "cpu-budget"]),
    );
    check(
        "handle exhaustion",
        "(loop $l (call $reconnect (local.get $connection) (i32.const 16)) (br_if $l (i32.eqz (call $failed)))) (unreachable)",
        Fault(&["over-budget", "trap"]),
    );
    check(
        "double drop",
        "(call $drop (local.get $connection)) (call $drop (local.get $connection)) (call $ok)",
        Fault(&["broken-abi"]),
    );
    check(
        "forged handle",
        "(call $finish (i32.const 77) (i32.const 16)) (call $ok)",
        Fault(&["broken-abi"]),
    );
    check(
        "invalid UTF-8",
        "(i32.store8 (i32.const 512) (i32.const 0xff)) (call $ok)",
        Fault(&["broken-abi"]),
    );
    // Its summary clears the terminal; the run's own escape test holds for it.
    check("terminal escapes", "(call $ok)", Verdict("confirmed"));
    check(
        "starting TLS twice",
        &format!(
            "{0} {0} (call $conversation)",
            "(call $start_tls (local.get $connection) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 16))"
        ),
        Verdict("inconclusive"),
    );
    check(
        "sending after close",
        "(call $finish (local.get $connection) (i32.const 16))
         (call $send (local.get $connection) (i32.const 512) (i32.const 1) (i32.const 16))
         (call $conversation)",
        Verdict("inconclusive"),
    );
    check("future that never ends", &waiting(LOOP), Fault(&["cpu-budget"]));
    let mut other = |name, plugin: Plugin, transport, outcome| {
        all.push(built(name, plugin, transport, port, outcome));
    };
    other(
        "waits for 49 days, again and again",
        Plugin::check(
            "(loop $l (call $receive (local.get $connection) (i32.const 1) (i32.const -1) (i32.const 16)) (br $l)) (unreachable)",
        ),
        "tcp",
        Fault(&["deadline", "over-budget", "cpu-budget"]),
    );
    let growing = Plugin {
        extra: "(table $t 1 funcref)".to_owned(),
        ..Plugin::check("(drop (table.grow $t (ref.null func) (i32.const -1))) (call $ok)")
    };
    other("table growth", growing, "tcp", Fault(&["memory"]));
    let mut small = Plugin::check(
        "(call $send (local.get $connection) (i32.const 512) (i32.const 11) (i32.const 16)) (call $ok)",
    );
    small.metadata.sends.largest = 10;
    other("undeclared sends", small, "tcp", Fault(&["over-budget"]));
    other("endless loop in the UDP judge", Plugin::probe(LOOP, TWO), "udp", Fault(&["cpu-budget"]));
    other("memory bomb in the UDP judge", Plugin::probe(GROW, TWO), "udp", Fault(&["memory"]));
    let stalling = Plugin { extra: STALLING_ALLOCATOR.to_owned(), ..Plugin::check("(call $ok)") };
    other("endless loop in the allocator", stalling, "tcp", Fault(&["cpu-budget"]));
    let trapping = Plugin { extra: TRAPPING_ALLOCATOR.to_owned(), ..Plugin::check("(call $ok)") };
    other("trap in the allocator", trapping, "tcp", Fault(&["trap"]));
    let start = Plugin {
        extra: "(func $forever (loop $l (br $l))) (start $forever)".to_owned(),
        ..Plugin::check("(call $ok)")
    };
    other("endless loop in start-up code", start, "tcp", Fault(&["cpu-budget"]));
    let bomb = Plugin { extra: stalling_code(), ..Plugin::check("(call $ok)") };
    other("slow and huge to compile", bomb, "tcp", Fault(&["compile-limit"]));
    let lying = Plugin { describe: LOOP.to_owned(), ..Plugin::check("(call $ok)") };
    other("endless loop in metadata", lying, "tcp", Fault(&["cpu-budget"]));
    all.extend(liars(port));
    all
}

/// What is no plugin, or another one than it says.
fn liars(port: u16) -> Vec<Case> {
    let honest = |name| built(name, Plugin::check("(call $ok)"), "tcp", port, Fault(&["lied"]));
    // The section says `hostile`, the code says `ssh`.
    let mut lies = honest("lying about its name");
    let mut plugin = Plugin::check("(call $ok)");
    plugin.metadata.name = "ssh".to_owned();
    let mut said = plugin.metadata.clone();
    said.name = "hostile".to_owned();
    said.ports = vec![DefaultPort { port, transport: Transport::Tcp }];
    lies.component = plugin.build_with_section(&said);
    let raw = |name, component: Vec<u8>, why| Case {
        name,
        component,
        transport: "tcp",
        outcome: Ignored(why),
        plugin: None,
    };
    let whole = honest("").component;
    vec![
        lies,
        Case {
            component: with_padding(whole.clone(), 100_000_000),
            outcome: Fault(&["too-large"]),
            ..honest("a component of 100 MB")
        },
        raw("a truncated one", whole[..whole.len() / 2].to_vec(), "damaged or cut off"),
        raw(
            "a core module",
            wat::parse_str("(module)").expect("a module"),
            "core WebAssembly module",
        ),
        raw(
            "one for another world",
            shell("portscan:plugin/host@0.1.0", "example:greeter/hello@1.0.0"),
            "no plugin",
        ),
        raw(
            "one that imports WASI",
            shell("wasi:sockets/tcp@0.2.3", "portscan:plugin/plugin@0.1.0"),
            "wasi:sockets/tcp@0.2.3",
        ),
    ]
}

/// Waits for what the peer never says, and then does this.
fn waiting(then: &str) -> String {
    format!(
        "(call $receive (local.get $connection) (i32.const 1) (i32.const 200) (i32.const 16)) {then}"
    )
}

/// A body whose result nobody wants.
fn dropped(body: &str) -> String {
    format!("(drop (block (result i32) {body}))")
}

fn built(
    name: &'static str,
    mut plugin: Plugin,
    transport: &'static str,
    port: u16,
    outcome: Outcome,
) -> Case {
    plugin.metadata.name = "hostile".to_owned();
    let over = if transport == "udp" { Transport::Udp } else { Transport::Tcp };
    plugin.metadata.ports = vec![DefaultPort { port, transport: over }];
    plugin.extra.push_str(
        "(func $deeper (param i32) (result i32)
            (i32.add (call $deeper (i32.add (local.get 0) (i32.const 1))) (local.get 0)))",
    );
    let component = plugin.build_with_section(&plugin.metadata);
    Case { name, component, transport, outcome, plugin: Some(plugin) }
}

/// A case's component under another name.
pub fn renamed(case: &Case, number: usize) -> Vec<u8> {
    let plugin = case.plugin.as_ref().expect("it was built here");
    let mut metadata = plugin.metadata.clone();
    metadata.name = format!("hostile-{number}");
    let renamed = Plugin {
        metadata,
        check: plugin.check.clone(),
        probe: plugin.probe.clone(),
        describe: plugin.describe.clone(),
        memory: plugin.memory.clone(),
        extra: plugin.extra.clone(),
    };
    renamed.build_with_section(&renamed.metadata)
}
