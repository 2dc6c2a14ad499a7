//! Options that need not be typed: files, profiles, environment, command line.

use std::net::TcpListener;

use crate::run::portscan;

#[test]
fn later_layers_count_over_earlier_ones_and_show_says_which() {
    let home = tempfile::tempdir().unwrap();
    let here = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("portscan")).unwrap();
    let user = home.path().join("portscan/portscan.toml");
    std::fs::write(&user, "format = \"tap\"\ntimeout = \"3s\"\nno-plugins = true\nattempts = 2\n")
        .unwrap();
    let file = "format = \"csv\"\n[profile.mine]\nformat = \"json\"\nno-advice = true\n";
    std::fs::write(here.path().join("portscan.toml"), file).unwrap();
    let home = home.path().to_str().unwrap().to_owned();
    let run = |line: &str| portscan(line).dir(here.path()).env("XDG_CONFIG_HOME", &home);

    let shown = run("config show").env("PORTSCAN_ATTEMPTS", "9").end().code(0).stdout();
    assert!(shown.contains("format = \"csv\"  # portscan.toml:1"), "{shown}");
    assert!(
        shown.contains(&format!("timeout = \"3s\"  # {home}/portscan/portscan.toml:2")),
        "{shown}"
    );
    assert!(shown.contains("attempts = \"9\"  # PORTSCAN_ATTEMPTS"), "{shown}");
    assert!(shown.contains("# rate is not set"), "{shown}");
    assert!(shown.contains("color = \"auto\"  # default"), "{shown}");
    assert!(shown.contains("# quiet is not set"), "{shown}");
    let shown = run("config show --profile mine").end().code(0).stdout();
    assert!(shown.contains("format = \"json\"  # portscan.toml:3"), "{shown}");
    assert!(!shown.contains("i-am-authorised"), "{shown}");

    let open = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("127.0.0.1:{}", open.local_addr().unwrap().port());
    run(&target).end().code(0).prints("target,address");
    run(&format!("{target} --profile mine")).end().code(0).prints("\"schema\"");
    run(&format!("probe {target} --profile=mine --format tap")).end().code(0).prints("TAP version");
    run(&target).env("PORTSCAN_FORMAT", "nagios").end().code(0).prints("PORTSCAN OK");
    run(&target).env("PORTSCAN_PROFILE", "mine").end().code(0).prints("\"schema\"");
    // A command that takes none of them is left alone.
    run("explain open").end().code(0).prints("open");
    // One of two that exclude each other was typed.
    run(&format!("{target} --plugin ssh --timeout 100ms")).end().prints("ssh");
}

#[test]
fn mistakes_name_the_place_and_what_was_meant() {
    let here = tempfile::tempdir().unwrap();
    for (text, said) in [
        ("timout = \"2s\"", "portscan.toml:1:1: unknown option 'timout': did you mean 'timeout'?"),
        ("rate = {}", "portscan.toml:1:8: it must be a text"),
        ("[profile.a]\nratee = 3", "portscan.toml:2:1: unknown option 'ratee'"),
        ("i-am-authorised = true", "unknown option 'i-am-authorised'"),
        ("rate = [", "portscan.toml:1"),
        ("\ntimeout = \"soon\"", "portscan.toml:2: --timeout: 'soon' is not a time"),
        ("format = \"jsn\"", "portscan.toml:1: invalid value 'jsn' for '--format"),
        ("profile = \"wam\"", "there is no profile 'wam': known are lan, wan, polite"),
    ] {
        std::fs::write(here.path().join("portscan.toml"), text).unwrap();
        portscan("127.0.0.1:1").dir(here.path()).end().code(2).prints_nothing().says(said);
        // Help is there all the same.
        portscan("--help").dir(here.path()).end().code(0);
    }
    portscan("127.0.0.1:1")
        .env("PORTSCAN_TIMEOUT", "soon")
        .end()
        .code(2)
        .says("PORTSCAN_TIMEOUT: --timeout: 'soon' is not a time");
    // From top to bottom.
    std::fs::write(here.path().join("portscan.toml"), "zzz = 1\naaa = 2\n").unwrap();
    let ended = portscan("127.0.0.1:1").dir(here.path()).end().code(2);
    let said = ended.stderr();
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].contains(":1:1: ") && lines[1].contains(":2:1: "), "{lines:?}");
    portscan("127.0.0.1:1 --profile nobody").end().code(2).says("no profile 'nobody'");
}

#[test]
fn profiles_that_need_no_file() {
    for (name, option) in
        [("lan", "timeout = \"1s\""), ("wan", "attempts = \"5\""), ("polite", "rate = \"50\"")]
    {
        let said = portscan(&format!("config show --profile {name}")).end().code(0);
        said.prints(&format!("{option}  # profile {name}"));
    }
}
