//! What may be probed at all: refused before a packet leaves, with the rule.

use std::net::TcpListener;
use std::process::Command;

use crate::run::portscan;

#[test]
fn a_scope_refuses_what_it_forbids_and_what_it_does_not_allow() {
    let folder = tempfile::tempdir().unwrap();
    let open = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = open.local_addr().unwrap().port();
    let run = |line: &str| portscan(line).dir(folder.path()).end();
    let scope = |text: &str| std::fs::write(folder.path().join("scope.toml"), text).unwrap();

    scope("allow = [\"127.0.0.0/8\"]\nnever = [\"127.9.0.0/16\"]\n");
    run(&format!("127.0.0.1:{port} --no-plugins")).code(0);
    let never = "may not be probed: never 127.9.0.0/16 (scope.toml:2)";
    run("127.9.1.1:1 --no-plugins").code(2).prints_nothing().says(never);
    run("127.8.255.0-127.9.0.3:1").code(2).prints_nothing().says(never);
    run("trace 127.9.1.1:1").code(2).prints_nothing().says(never);
    run("watch 127.9.1.1:1").code(2).prints_nothing().says(never);
    run("10.1.2.3:1")
        .code(2)
        .prints_nothing()
        .says("10.1.2.3 is in no network that scope.toml allows");
    // One bad target among good ones, and a name that leads there.
    run(&format!("127.0.0.1:{port} 127.9.1.1:1")).code(2).prints_nothing().says(never);
    scope("never = [\"127.0.0.1\", \"::1\"]");
    run(&format!("localhost:{port}")).code(2).prints_nothing().says("localhost may not be probed");

    // Another file takes its place, and several hold at once.
    std::fs::write(folder.path().join("other.toml"), "highest-rate = 1000").unwrap();
    run(&format!("127.0.0.1:{port} --no-plugins --scope other.toml")).code(0);
    run(&format!("127.0.0.1:{port} --scope other.toml --scope scope.toml"))
        .code(2)
        .prints_nothing();
    scope("alow = []");
    run("127.0.0.1:1").code(2).says("scope.toml:1:1: unknown key 'alow': did you mean 'allow'?");
    run("127.0.0.1:1 --scope nothere.toml").code(2).says("nothere.toml");
}

#[test]
fn the_users_own_scope_holds_everywhere() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("portscan");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("scope.toml"), "never = [\"127.0.0.0/8\"]").unwrap();
    let config = home.path().to_str().unwrap();
    let ended = portscan("127.0.0.1:1").env("XDG_CONFIG_HOME", config).end();
    ended.code(2).prints_nothing().says("never 127.0.0.0/8");
}

/// In a network namespace without any interface: what is not refused goes nowhere.
#[test]
#[allow(clippy::print_stderr)]
fn more_than_a_handful_of_other_peoples_addresses_need_a_word() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("SKIPPED: scope::other_peoples_addresses: a network namespace needs root");
        let forbidden = ["CI", "PORTSCAN_NO_SKIP"].iter().any(|n| std::env::var_os(n).is_some());
        assert!(!forbidden, "it must not be skipped here");
        return;
    }
    let run = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["-n", env!("CARGO_BIN_EXE_portscan"), "--no-plugins"]).args(arguments);
        let ended = command.output().unwrap();
        (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
    };
    let (code, said) = run(&["198.51.100.0/24:1", "203.0.113.5:1"]);
    assert!(!said.contains("--i-am-authorised"), "documentation's own: {code:?} {said}");
    let (code, said) = run(&["8.8.8.0/24:1"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("256 addresses outside private networks: --i-am-authorised"), "{said}");
    // With the word they are probed, and there is no way out of here.
    let (_, said) = run(&["8.8.8.0/24:1", "--i-am-authorised", "--timeout", "200ms"]);
    assert!(!said.contains("authorised"), "{said}");
    let (_, said) = run(&["8.8.8.0/29:1", "--timeout", "200ms"]);
    assert!(!said.contains("authorised"), "a handful: {said}");
}
