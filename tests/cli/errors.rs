use crate::run::{portscan, portscan_with};

/// Each is refused with code 2, nothing on standard output, and this text.
#[track_caller]
fn refused(line: &str, text: &str) {
    portscan(line).end().code(2).prints_nothing().says(text);
}

#[test]
fn a_target_without_ports_is_answered_with_an_example() {
    refused(
        "example.com",
        "error: 'example.com': which ports?\n  for example: example.com 22,443 or example.com:22,443",
    );
    refused("2001:db8::1", "[2001:db8::1]:22,443");
}

#[test]
fn a_misspelt_service_is_answered_with_its_name() {
    refused(
        "example.com htps",
        "error: 'htps': no service of this name is known\n  did you mean https?",
    );
    refused("example.com:22,htps", "did you mean https?");
}

#[test]
fn a_url_is_answered_with_a_target() {
    refused("https://example.com/login", "write example.com:https");
}

#[test]
fn impossible_addresses_are_told_by_their_kind() {
    refused("10.0.0.256 22", "'10.0.0.256': this is no IPv4 address");
    refused("10.0.0.* 22", "write a block (10.0.0.0/24)");
    refused("10.0.0.0/33 22", "'33': this is no prefix length of IPv4 (0 to 32)");
    refused("2001:db8::/126:22", "no prefix length of IPv6");
    refused("[::1:22", "brackets hold one address");
    refused("example.com/24 22", "a block starts with an address");
    refused("10.0.0.9-10.0.0.1 22", "the range ends before it starts");
}

#[test]
fn impossible_ports_are_told() {
    refused("example.com 0", "'0': a port is a number from 1 to 65535");
    refused("example.com 65536", "'65536': a port is a number");
    refused("example.com 443-80", "swap the two ends");
    refused("example.com 53/sctp", "'sctp': a transport is tcp or udp");
    refused("22", "this is a port, and no target is before it");
    refused("a:22 23", "join them with a comma after a");
}

#[test]
fn values_of_options_are_named_with_their_option() {
    refused("a 1 --timeout 3", "'--timeout <DURATION>': a unit is wanted: 3s, or 3ms?");
    refused("a 1 --rate fast", "'--rate <NUMBER|max>'");
    refused("a 1 --attempts 0", "'--attempts <NUMBER>'");
    refused("a 1 --format xml", "[possible values: table, json, jsonl]");
    refused(
        "a 1 --source eth0",
        "--source wants an IP address of this machine, and 'eth0' is none",
    );
    refused("a 1 --interface a/b", "--interface wants the name of a network interface");
    refused("a 1 --tmeout 3s", "a similar argument exists: '--timeout'");
    refused("a 1 -4 -6", "cannot be used with");
    refused("a 1 -6 --source 10.0.0.1", "--source 10.0.0.1 is no IPv6 address");
    refused("-4 ::1 1", "'::1': this is no IPv4 address");
    refused("a 1 --no-plugins --plugin dns", "cannot be used with");
    refused("a 1 --every 3s", "--count");
}

#[test]
fn a_command_in_the_wrong_place_is_told_its_place() {
    refused("-q plugin list", "write it before all options: portscan plugin ...");
    refused("help", "for help: portscan --help");
}

#[test]
fn an_unknown_word_for_explain_is_answered_with_the_nearest() {
    refused("explain admin-prohibitted", "did you mean admin-prohibited?");
}

#[test]
fn a_trace_goes_to_one_place() {
    refused("trace 10.0.0.0/29 22", "trace follows one name or address to one port");
    refused("trace a 22,23", "and '22,23' is more");
}

#[test]
fn all_mistakes_of_a_target_file_come_with_file_line_and_column() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("hosts.txt"), "a 22\nb htps\n\n  10.0.0.256 22 # x\n").unwrap();
    let ended = portscan("--targets hosts.txt").dir(dir.path()).end().code(2).prints_nothing();
    let expected = "\
error: hosts.txt:2:3: 'htps': no service of this name is known
  did you mean https?
hosts.txt:4:3: '10.0.0.256': this is no IPv4 address (four numbers from 0 to 255)
";
    assert_eq!(ended.stderr(), expected);
}

#[test]
fn targets_on_standard_input_are_read() {
    portscan("--targets -").input("a\n").end().code(2).says("-:1:1: 'a': which ports?");
}

#[test]
fn a_target_file_that_is_not_there_is_named() {
    refused("--targets /nonexistent/hosts", "cannot read the target file '/nonexistent/hosts'");
}

#[test]
fn a_secret_is_never_shown() {
    portscan("a 1 --secret redis.password=hunter2").end().code(2).never_shows("hunter2");
    portscan("a 1 --secret redis.password=env:NOT_THERE")
        .end()
        .code(2)
        .says("'NOT_THERE' is not set");
    let twice = "a 1 --secret redis.password=env:S --secret redis.password=env:S";
    portscan(twice).env("S", "hunter2").end().code(2).never_shows("hunter2");
}

#[test]
fn what_is_typed_reaches_the_terminal_escaped() {
    for words in [&["a\u{1b}[31mb", "22"][..], &["a", "22\u{7},1"], &["explain", "\u{1b}]0;x\u{7}"]]
    {
        portscan_with(words).end().code(2).never_shows("\u{1b}").never_shows("\u{7}");
    }
}
