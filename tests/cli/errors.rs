use crate::run::{portscan, portscan_with};

/// Each is refused with code 2, nothing on standard output, and this text.
#[track_caller]
fn refused(line: &str, text: &str) {
    portscan(line).end().code(2).prints_nothing().says(text);
}

#[test]
fn a_target_without_ports_is_answered_with_an_example() {
    refused("example.com", "no ports for 'example.com': say which, for example example.com:443");
    refused("2001:db8::1", "for example [2001:db8::1]:443 or 2001:db8::1 22");
}

#[test]
fn a_misspelt_command_is_answered_with_its_name() {
    refused("chek expected.toml", "no command 'chek'");
    refused("wacth db:22", "did you mean 'watch'?");
    // What can only be a host is one.
    refused("watcher.example", "no ports for 'watcher.example'");
}

#[test]
fn a_misspelt_service_is_answered_with_its_name() {
    refused("example.com htps", "did you mean 'https' (443) by 'htps'?");
    refused("example.com:22,htps", "'htps' is no port: no such service; did you mean 'https'");
}

#[test]
fn a_url_is_answered_with_a_target() {
    refused("https://example.com/login", "is a URL: write example.com:https");
    refused("http://me@example.com:8080?x=1", "is a URL: write example.com:8080");
}

#[test]
fn impossible_addresses_are_told_by_their_kind() {
    refused("10.0.0.256 22", "it looks like an IPv4 address but is none");
    refused("10.0.0.* 22", "write a block (10.0.0.0/24)");
    refused("10.0.0.0/33 22", "the bits of an IPv4 block are 0 to 32");
    refused("2001:db8::/129 22", "the bits of an IPv6 block are 0 to 128");
    refused("[::1:22", "the bracket is not closed");
    refused("example.com/24 22", "a block is ADDRESS/BITS");
    refused("10.0.0.9-10.0.0.1 22", "the range ends before it begins");
}

#[test]
fn impossible_ports_are_told() {
    refused("example.com 65536", "'65536' is no port: a port is a number");
    refused("example.com 443-80", "the range ends before it begins");
    refused("example.com 53/sctp", "transport is 'tcp' or 'udp', not 'sctp'");
    refused("22", "'22' is a port, and no target is before it");
}

#[test]
fn values_of_options_are_named_with_their_option() {
    refused("a 1 --timeout 3", "--timeout: '3' is not a time with its unit");
    refused("a 1 --rate fast", "--rate: 'fast' is not");
    refused("a 1 --attempts 0", "'--attempts <N>'");
    refused("a 1 --format html5", "'--format <FORMAT>'");
    refused("a 1 --source eth0", "'--source <ADDRESS>'");
    refused("a 1 --tmeout 3s", "a similar argument exists: '--timeout'");
    refused("a 1 -4 -6", "cannot be used with");
    refused("a 1 -6 --source 10.0.0.1", "--source 10.0.0.1 cannot be probed with -6");
    refused("-4 ::1 1", "::1 cannot be probed with -4");
    refused("-6 10.0.0.0/8 1", "10.0.0.0/8 cannot be probed with -6");
    refused("a 1 --no-plugins --plugin dns", "cannot be used with");
    refused("a 1 --every 3s", "--every means something only with --count");
    refused("watch a 1 --within 3s", "--within means something only with --until");
    refused("watch a 1 --until met", "--until met means something only with --check FILE");
    refused("watch a 1 --check f.toml", "watch --check takes its targets from the file");
}

#[test]
fn an_unknown_word_for_explain_is_answered_with_the_nearest() {
    refused("explain admin-prohibitted", "did you mean 'admin-prohibited'?");
    refused("explain xyzzy", "known are open, closed");
}

#[test]
fn a_trace_goes_to_one_place() {
    refused("trace 10.0.0.0/29 22", "trace takes one host and one port");
    refused("trace a 22,23", "trace takes one host and one port");
}

#[test]
fn places_to_run_at_are_held_to_what_can_go_there() {
    refused(
        "10.0.0.1:22 --via bastion",
        "'bastion' is no place: it begins with neither; write 'local' or ssh://",
    );
    refused("10.0.0.1:22 --via ssh://-oProxyCommand=id", "its host is no name or address");
    let only_here = "means this machine: leave it out with --via";
    refused("10.0.0.1:22 --via local --source 10.0.0.2", &format!("--source {only_here}"));
    refused("10.0.0.1:22 --via local --resume rows", &format!("--resume {only_here}"));
    refused("10.0.0.1:22 --via local -o json=x", &format!("--output {only_here}"));
    refused("10.0.0.1:22 --via local --plugin ./x.wasm", &format!("--plugin FILE {only_here}"));
    refused("10.0.0.1:22 --via local --format xml", only_here);
    refused(
        "watch 10.0.0.1:22 --via local",
        "--via means something only with one probe, not watch",
    );
    refused("check x.toml --via local", "--via means something only with one probe, not check");
}

#[test]
fn all_mistakes_of_a_target_file_come_with_file_line_and_column() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("hosts.txt"), "a 22\nb htps\n\n  10.0.0.256 22 # x\n").unwrap();
    let ended = portscan("--targets hosts.txt").dir(dir.path()).end().code(2).prints_nothing();
    let said = ended.stderr();
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[0].contains(": hosts.txt:2:1: no ports for 'b': did you mean 'https'"), "{said}");
    assert!(lines[1].contains(": hosts.txt:4:3: '10.0.0.256'"), "{said}");
}

#[test]
fn targets_on_standard_input_are_read() {
    portscan("--targets -").input("a\n").end().code(2).says("standard input:1:1: no ports for 'a'");
}

#[test]
fn a_target_file_that_is_not_there_is_named() {
    refused("--targets /nonexistent/hosts", "/nonexistent/hosts: No such file");
}

#[test]
fn a_plugin_folder_that_is_not_there_is_named() {
    refused("127.0.0.1 1 --plugin-dir /nonexistent", "--plugin-dir /nonexistent: No such file");
    refused("plugin list --plugin-dir /nonexistent", "--plugin-dir /nonexistent: No such file");
}

#[test]
fn a_secret_is_never_shown() {
    portscan("a 1 --secret redis.password=hunter2").end().code(2).never_shows("hunter2");
    portscan("a 1 --secret redis.password=env:NOT_THERE")
        .end()
        .code(2)
        .says("the environment has no variable NOT_THERE");
}

#[test]
fn what_is_typed_reaches_the_terminal_escaped() {
    for words in [&["a\u{1b}[31mb", "22"][..], &["a", "22\u{7},1"], &["explain", "\u{1b}]0;x\u{7}"]]
    {
        portscan_with(words).end().code(2).never_shows("\u{1b}").never_shows("\u{7}");
    }
}
