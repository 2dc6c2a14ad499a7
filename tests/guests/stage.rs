//! The check stage: plugins in a folder, endpoints on loopback, results through
//! the channel.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;

use portscan::check::{Answer, CheckOptions, CheckSetupError, Checks, Job, PluginChoice};
use portscan::model::{
    CheckResult, DefaultPort, Endpoint, SettingKind, SettingSpec, SideEffect, Transport, Verdict,
};

use crate::plugin::{Plugin, metadata};
use crate::world::{AMPLE, kind, options};

/// Concludes with what the peer says first.
const READ: &str = "
    (call $receive (local.get $connection) (i32.const 100) (i32.const 10000) (i32.const 16))
    (if (call $failed) (then (return (call $conversation))))
    (call $concluded (i32.load (i32.const 20)) (i32.load (i32.const 24)) (i32.const 0) (i32.const 0))";

const TWO: &str = "(call $payloads (i32.const 2) (i32.const 4))";

/// A folder of plugins.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a folder"))
    }

    /// Adds a plugin named `name` with default port 7.
    fn with(self, name: &str, mut plugin: Plugin) -> Folder {
        name.clone_into(&mut plugin.metadata.name);
        let component = plugin.build_with_section(&plugin.metadata);
        std::fs::write(self.path(name), component).expect("written");
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(format!("{name}.wasm"))
    }

    fn options(&self, choice: PluginChoice) -> CheckOptions {
        CheckOptions {
            choice,
            dirs: vec![self.0.path().to_owned()],
            deadline: AMPLE,
            concurrency: 64,
            host: options(&self.0),
            ..CheckOptions::default()
        }
    }

    fn named(&self, name: &str) -> Checks {
        Checks::new(self.options(PluginChoice::Named(vec![name.to_owned()])))
            .expect("a known plugin")
    }
}

fn job(order: u64, endpoint: Endpoint) -> Job {
    Job {
        order,
        endpoint,
        target: "localhost".into(),
        seed: 42,
        stream: None,
        answer: None,
        player: None,
    }
}

fn answer(bytes: &[u8]) -> Option<Answer> {
    Some(Answer { index: 0, port: 7, bytes: bytes.to_vec() })
}

fn next(checks: &Checks) -> (u64, CheckResult) {
    checks.finished().recv_timeout(AMPLE).expect("a result")
}

fn tcp(address: SocketAddr) -> Endpoint {
    Endpoint::new(address, Transport::Tcp)
}

fn at(text: &str, transport: Transport) -> Endpoint {
    Endpoint::new(text.parse().expect("an address"), transport)
}

#[test]
fn a_check_continues_on_the_probers_connection_and_the_server_sees_one() {
    let folder = Folder::new().with("reader", Plugin::check(READ));
    let checks = folder.named("reader");
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let endpoint = tcp(listener.local_addr().expect("bound"));
    assert!(checks.wants(&endpoint, "target"));
    let prober = TcpStream::connect(endpoint.socket).expect("connected");
    checks.submit(Job { stream: Some(prober.into()), ..job(9, endpoint) });
    let (mut served, _) = listener.accept().expect("accepted");
    served.write_all(b"hello").expect("written");
    let (order, result) = next(&checks);
    assert_eq!((order, result.conclusion.summary.as_str()), (9, "hello"));
    assert_eq!(served.read(&mut [0; 1]).expect("an orderly end"), 0);
    listener.set_nonblocking(true).expect("set");
    assert!(listener.accept().is_err(), "there was a second connection");
}

#[test]
fn a_plugin_applies_to_its_default_port_and_when_named_to_every_port_of_its_transports() {
    let folder = Folder::new().with("test", Plugin::check(READ));
    let (own, other) = (at("192.0.2.1:7", Transport::Tcp), at("192.0.2.1:4321", Transport::Tcp));
    let default = Checks::new(folder.options(PluginChoice::Default)).expect("fine");
    assert!(default.wants(&own, "target") && !default.wants(&other, "target"));
    assert_eq!(default.service(&own, "target").map(|m| m.name.as_str()), Some("test"));
    assert!(default.service(&other, "target").is_none());
    assert!(folder.named("test").wants(&other, "target"));
    let none = Checks::new(folder.options(PluginChoice::None)).expect("fine");
    assert!(none.is_idle() && !none.wants(&own, "target"));
}

#[test]
fn of_several_named_plugins_the_one_with_the_port_comes_first() {
    let mut elsewhere = Plugin::check(READ);
    elsewhere.metadata.ports = vec![DefaultPort { port: 8, transport: Transport::Tcp }];
    let folder = Folder::new().with("seven", Plugin::check(READ)).with("eight", elsewhere);
    let names = vec!["seven".to_owned(), "eight".to_owned()];
    let checks = Checks::new(folder.options(PluginChoice::Named(names))).expect("both are known");
    let name =
        |port: &str| checks.service(&at(port, Transport::Tcp), "target").map(|m| m.name.clone());
    assert_eq!(name("192.0.2.1:8").as_deref(), Some("eight"));
    assert_eq!(name("192.0.2.1:9").as_deref(), Some("seven"));
}

#[test]
fn a_plugin_can_be_named_by_its_path() {
    let folder = Folder::new().with("test", Plugin::check(READ));
    let path = folder.path("test").display().to_string();
    let checks =
        CheckOptions { dirs: Vec::new(), ..folder.options(PluginChoice::Named(vec![path])) };
    assert!(
        Checks::new(checks)
            .expect("a component")
            .wants(&at("192.0.2.1:99", Transport::Tcp), "target")
    );

    let missing = folder.options(PluginChoice::Named(vec!["./missing.wasm".to_owned()]));
    assert!(matches!(Checks::new(missing), Err(CheckSetupError::BadPlugin { .. })));
}

#[test]
fn side_effects_beyond_a_log_line_are_allowed_or_asked_for() {
    let endpoint = at("192.0.2.1:7", Transport::Tcp);
    for (effect, runs) in
        [(SideEffect::LogLine, true), (SideEffect::State, false), (SideEffect::Hardware, false)]
    {
        let mut plugin = Plugin::check(READ);
        plugin.metadata.side_effect = effect;
        let folder = Folder::new().with("test", plugin);
        let wants = |options| Checks::new(options).expect("fine").wants(&endpoint, "target");
        assert_eq!(wants(folder.options(PluginChoice::Default)), runs, "{effect:?}");
        let allowed = CheckOptions { allow: vec![effect], ..folder.options(PluginChoice::Default) };
        assert!(wants(allowed), "{effect:?} allowed");
        assert!(folder.named("test").wants(&endpoint, "target"), "{effect:?} named");
    }
}

/// A plugin with settings, whose check concludes with the first one's text.
fn configurable(secret: bool, required: bool) -> Plugin {
    let mut plugin = Plugin::check(
        "(call $log (i32.load offset=16 (local.get $settings)) (i32.load offset=20 (local.get $settings)))
         (call $concluded (i32.load offset=16 (local.get $settings))
            (i32.load offset=20 (local.get $settings)) (i32.const 0) (i32.const 0))",
    );
    let spec = |name: &str, kind, default: Option<&str>| SettingSpec {
        name: name.to_owned(),
        kind,
        required: required && default.is_none(),
        default: default.map(str::to_owned),
        secret: secret && default.is_none(),
        help: "what it is".to_owned(),
    };
    plugin.metadata.settings = vec![
        spec("user", SettingKind::Text, None),
        spec("wait", SettingKind::Duration, Some("3s")),
    ];
    plugin
}

fn triple(plugin: &str, name: &str, value: &str) -> Vec<(String, String, String)> {
    vec![(plugin.to_owned(), name.to_owned(), value.to_owned())]
}

/// Runs the named plugin against a listener that says nothing.
fn run_once(options: CheckOptions) -> CheckResult {
    let checks = Checks::new(options).expect("settings that make sense");
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    checks.submit(job(0, tcp(listener.local_addr().expect("bound"))));
    next(&checks).1
}

#[test]
fn settings_reach_the_plugin_and_no_other() {
    let folder = Folder::new()
        .with("test", configurable(false, false))
        .with("other", configurable(false, false));
    let named = PluginChoice::Named(vec!["test".to_owned()]);
    let mut settings = triple("test", "user", "alice");
    settings.extend(triple("other", "user", "bob"));
    let options = CheckOptions { settings, ..folder.options(named) };
    assert_eq!(run_once(options).conclusion.summary, "alice");
}

#[test]
fn secrets_reach_the_plugin_and_nothing_that_is_shown() {
    let folder = Folder::new().with("test", configurable(true, true));
    let named = PluginChoice::Named(vec!["test".to_owned()]);
    let options = CheckOptions {
        secrets: triple("test", "user", "hunter2"),
        ..folder.options(named.clone())
    };
    let result = run_once(options);
    assert_eq!(result.conclusion.verdict, Verdict::Confirmed);
    assert_eq!(result.conclusion.summary, "[secret]");
    assert_eq!(result.log, ["[secret]"]);

    let open =
        CheckOptions { settings: triple("test", "user", "hunter2"), ..folder.options(named) };
    let error = Checks::new(open).err().expect("refused");
    assert!(matches!(error, CheckSetupError::SecretInTheOpen { .. }));
    assert!(!error.to_string().contains("hunter2") && !error.hint().contains("hunter2"));
}

#[test]
fn settings_that_make_no_sense_are_refused_with_what_was_meant() {
    let folder = Folder::new().with("test", configurable(false, true));
    let refuse = |choice: &[&str], settings: Vec<(String, String, String)>| {
        let choice = PluginChoice::Named(choice.iter().map(|&name| name.to_owned()).collect());
        let error = Checks::new(CheckOptions { settings, ..folder.options(choice) })
            .err()
            .expect("refused");
        format!("{error}\n{}", error.hint())
    };
    let mut both = triple("test", "user", "x");
    both.extend(triple("test", "wait", "soon"));
    let cases = [
        (refuse(&["tesst"], Vec::new()), "Did you mean `test`?"),
        (refuse(&["test"], triple("tests", "user", "x")), "Did you mean `test`?"),
        (refuse(&["test"], triple("test", "usr", "x")), "Did you mean `test.user`?"),
        (refuse(&["test"], both), "`test.wait` must be a length of time"),
        (refuse(&["test"], Vec::new()), "needs the setting `user`: what it is"),
    ];
    for (told, expected) in cases {
        assert!(told.contains(expected), "{told}");
    }
    // By default a plugin that lacks a setting does not run, and the run goes on.
    let mut checks = Checks::new(folder.options(PluginChoice::Default)).expect("fine");
    assert!(!checks.wants(&at("192.0.2.1:7", Transport::Tcp), "target"));
    assert!(checks.take_notes().iter().any(|note| note.contains("needs the setting `user`")));
}

#[test]
fn a_udp_answer_is_judged_without_a_socket() {
    let body = "(call $conclude_at (i32.const 260) (local.get $answer) (local.get $length)
            (i32.const 0) (i32.const 0)) (i32.const 260)";
    let folder = Folder::new().with("test", Plugin::probe(body, TWO));
    let checks = folder.named("test");
    let endpoint = at("192.0.2.1:5000", Transport::Udp);
    let set = checks.payloads(&endpoint, "target", 42).expect("a probe applies");
    assert_eq!(set.payloads.len(), 2);
    checks.submit(Job { answer: answer(b"judge me"), ..job(3, endpoint) });
    let (order, result) = next(&checks);
    assert_eq!((order, result.conclusion.summary.as_str()), (3, "judge me"));
    assert!(checks.payloads(&at("192.0.2.1:5000", Transport::Tcp), "target", 42).is_none());
}

#[test]
fn a_dialogue_that_confirms_wins_over_the_judged_datagram() {
    // The judge says "all is well"; the dialogue says what the peer says.
    let mut plugin = Plugin::probe("(call $judged)", TWO);
    plugin.check = Some(format!(
        "(call $send (local.get $connection) (i32.const 512) (i32.const 1) (i32.const 16)) {READ}"
    ));
    let folder = Folder::new().with("test", plugin);
    let options = CheckOptions {
        deadline: Duration::from_secs(2),
        ..folder.options(PluginChoice::Named(vec!["test".to_owned()]))
    };
    let checks = Checks::new(options).expect("fine");
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    let endpoint = Endpoint::new(socket.local_addr().expect("bound"), Transport::Udp);

    checks.submit(Job { answer: answer(b"x"), ..job(0, endpoint) });
    let (_, from) = socket.recv_from(&mut [0; 9]).expect("asked");
    socket.send_to(b"dialogue", from).expect("answered");
    assert_eq!(next(&checks).1.conclusion.summary, "dialogue");

    // Nobody answers the dialogue: what the datagram showed stands.
    drop(socket);
    checks.submit(Job { answer: answer(b"x"), ..job(1, endpoint) });
    let (_, result) = next(&checks);
    assert_eq!(result.conclusion.verdict, Verdict::Confirmed);
    assert!(result.conclusion.summary.starts_with("all is well"));
}

#[test]
fn payloads_that_fail_are_empty_and_explained_once() {
    let folder = Folder::new().with("test", Plugin::probe("(call $judged)", "(unreachable)"));
    let checks = folder.named("test");
    let endpoint = at("192.0.2.1:5000", Transport::Udp);
    assert!(checks.payloads(&endpoint, "target", 42).expect("it applies").payloads.is_empty());
    let told = checks.take_fault(&endpoint, "target").expect("a fault");
    assert_eq!((kind(&told), told.conclusion.verdict), ("trap", Verdict::NotChecked));
    assert!(checks.take_fault(&endpoint, "target").is_none());
}

#[test]
fn a_plugin_that_cannot_be_loaded_makes_its_own_rows_not_checked() {
    let folder = Folder::new();
    let mut lie = metadata();
    lie.sends.packets = 1;
    std::fs::write(folder.path("test"), Plugin::check(READ).build_with_section(&lie))
        .expect("written");
    let checks = folder.named("test");
    let endpoint = at("127.0.0.1:7", Transport::Tcp);
    checks.submit(job(0, endpoint));
    let (_, result) = next(&checks);
    assert_eq!((kind(&result), result.plugin.as_str()), ("lied", "test"));
}

#[test]
fn a_broken_file_in_the_folder_is_noted_and_the_others_work() {
    let folder = Folder::new().with("test", Plugin::check(READ));
    std::fs::write(folder.path("broken"), b"not wasm").expect("written");
    std::fs::write(folder.0.path().join("README.txt"), b"no plugin").expect("written");
    let mut checks = Checks::new(folder.options(PluginChoice::Default)).expect("fine");
    let notes = checks.take_notes();
    assert!(notes.len() == 1 && notes[0].contains("broken.wasm"), "{notes:?}");
    assert!(checks.catalog().get("test").is_some());
}

#[test]
fn a_component_without_the_section_is_asked_who_it_is() {
    let folder = Folder::new();
    std::fs::write(folder.path("bare"), Plugin::check(READ).build()).expect("written");
    let checks = folder.named("test");
    assert_eq!(checks.catalog().get("test").map(|plugin| &plugin.metadata), Some(&metadata()));
}

#[test]
fn five_hundred_hostile_checks_leave_the_honest_ones_complete_and_right() {
    let folder = Folder::new()
        .with("honest", Plugin::check(READ))
        .with("crasher", Plugin::check("(unreachable)"))
        .with(
            "hoarder",
            Plugin::check("(loop $l (drop (memory.grow (i32.const 1))) (br $l)) (unreachable)"),
        );
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let endpoint = tcp(listener.local_addr().expect("bound"));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            // Hostile checks are gone by the time.
            let _ = stream.write_all(b"hello");
        }
    });
    let hostile = ["crasher", "hoarder"].map(|name| folder.named(name));
    let honest = folder.named("honest");
    for order in 0..250 {
        hostile.iter().for_each(|checks| checks.submit(job(order, endpoint)));
        honest.submit(job(order, endpoint));
    }
    for _ in 0..250 {
        assert_eq!(kind(&next(&hostile[0]).1), "trap");
        assert_eq!(kind(&next(&hostile[1]).1), "memory");
        let (_, result) = next(&honest);
        assert_eq!(result.conclusion.summary, "hello", "{result:?}");
    }
}

#[test]
fn the_built_in_plugins_are_all_well() {
    let folder = Folder::new();
    let mut checks =
        Checks::new(CheckOptions { dirs: Vec::new(), ..folder.options(PluginChoice::Default) })
            .expect("fine");
    assert_eq!(checks.take_notes(), Vec::<String>::new());
    let host = portscan::host::Host::new(options(&folder.0));
    for plugin in &checks.catalog().plugins {
        let name = &plugin.metadata.name;
        let guest = plugin.guest(&host).unwrap_or_else(|fault| panic!("{name}: {fault:?}"));
        assert_eq!(guest.metadata(), &plugin.metadata);
    }
}

#[test]
fn dropping_the_stage_with_checks_under_way_ends_them() {
    let folder = Folder::new().with("test", Plugin::check(READ));
    let checks = folder.named("test");
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    checks.submit(job(0, tcp(listener.local_addr().expect("bound"))));
    let (mut served, _) = listener.accept().expect("accepted");
    drop(checks);
    assert_eq!(served.read(&mut [0; 1]).expect("the end"), 0);
}

#[test]
fn a_confirming_dialogue_stands_alone() {
    // One finding `aaaa` in the judgement, none in the dialogue.
    let judge = "(i32.store (i32.const 65536) (i32.const 520)) (i32.store (i32.const 65540) (i32.const 4))
        (i32.store (i32.const 65544) (i32.const 1)) (i64.store (i32.const 65552) (i64.const 7))
        (call $conclude_at (i32.const 260) (i32.const 512) (i32.const 3) (i32.const 65536) (i32.const 1))
        (i32.const 260)";
    let mut plugin = Plugin::probe(judge, TWO);
    plugin.check = Some("(call $ok)".to_owned());
    let folder = Folder::new().with("test", plugin);
    let checks = folder.named("test");
    checks.submit(Job { answer: answer(b"x"), ..job(0, at("127.0.0.1:9", Transport::Udp)) });
    let (_, result) = next(&checks);
    // The judgement's finding is about another question than the dialogue's.
    assert!(result.conclusion.findings.is_empty());
    assert!(result.conclusion.summary.starts_with("all is well"));
}

/// A stage whose plugin waits for what its peer says, with so many checks at once, and a
/// peer.
fn waiting(concurrency: usize) -> (Folder, Checks, TcpListener, Endpoint) {
    let folder = Folder::new().with("reader", Plugin::check(READ));
    let choice = PluginChoice::Named(vec!["reader".to_owned()]);
    let options = CheckOptions { concurrency, ..folder.options(choice) };
    let checks = Checks::new(options).expect("a known plugin");
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let endpoint = tcp(listener.local_addr().expect("bound"));
    (folder, checks, listener, endpoint)
}

#[test]
fn no_more_is_asked_for_while_many_checks_wait() {
    const JOBS: u64 = 2_200;
    let (_folder, checks, listener, endpoint) = waiting(1);
    assert!(checks.has_room());
    (0..JOBS).for_each(|order| checks.submit(job(order, endpoint)));
    assert!(!checks.has_room(), "one is under way and waits, the others wait for it");
    // Whoever comes is hung up on.
    std::thread::spawn(move || listener.incoming().for_each(drop));
    (0..JOBS).for_each(|_| drop(next(&checks)));
    assert!(checks.has_room());
}

#[test]
fn checks_that_wait_for_their_peers_leave_their_places_to_others() {
    const JOBS: u64 = 200;
    let (_folder, checks, listener, endpoint) = waiting(256);
    (0..JOBS).for_each(|order| checks.submit(job(order, endpoint)));
    // Nobody is answered before all are there.
    let all: Vec<TcpStream> = (0..JOBS).map(|_| listener.accept().expect("accepted").0).collect();
    all.into_iter().for_each(|mut served| served.write_all(b"hello").expect("written"));
    for _ in 0..JOBS {
        assert_eq!(next(&checks).1.conclusion.summary, "hello");
    }
}
