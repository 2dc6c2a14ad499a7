//! `--via`: the same request at other places, through a real ssh client to real
//! servers; and everything that can go wrong there.

use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::bastion::Bastions;
use crate::site::{HOSTS, Site};
use crate::support::portscan::{Portscan, Ran, program};

const VPC: [u8; 4] = [10, 99, 3, 2];
const CI: [u8; 4] = [10, 99, 4, 2];

/// What was asked of all places at once is what three reports put side by side.
pub fn is_the_matrix(site: &Site, written: &str) {
    let places = [("vpc", site.place("vpc"), VPC), ("ci", site.place("ci"), CI)];
    let Some(bastions) = Bastions::new(&site.world, &places) else { return };
    let via = [
        "local".to_owned(),
        place(&bastions, "vpc", "portscan"),
        place(&bastions, "ci", "portscan"),
    ];
    let ran = from_office(site, &bastions)
        .args(HOSTS)
        .args(["--vantage", "office", "--no-advice"])
        .args(via.iter().flat_map(|via| ["--via", via]))
        .run();
    // One state is 'unknown': the build machine has no IPv6.
    assert_eq!(ran.code(), 2, "{ran:?}");
    let shown: Vec<&str> = ran.stdout.lines().map(str::trim_end).collect();
    // Only the reports ask for this one in the office alone.
    let written: Vec<&str> = written.lines().filter(|line| !line.contains("10.99.2.14")).collect();
    assert_eq!(shown, written, "{ran:?}");
    assert_eq!(ran.stderr, "", "{ran:?}");
}

#[test]
fn rows_come_with_their_place_and_the_document_has_every_report() {
    let Some((site, bastions)) = site() else { return };
    let via = place(&bastions, "vpc", "portscan");
    let ask = |format: &str| {
        // Names are quoted for the shell there: nothing of them is run.
        let set = format!("dns.name=$(touch {})'; x", bastions.path("run").display());
        from_office(&site, &bastions)
            .args(["10.99.3.2:2222,9", "--via", "local", "--via", &via, "--set", &set])
            .args(["--format", format])
            .run()
    };
    let ran = ask("jsonl");
    assert_eq!(ran.code(), 1, "{ran:?}");
    let lines = lines(&ran);
    for name in ["local", "vpc"] {
        let is_its = |line: &&Value| line["vantage"] == name || line["vantage"]["name"] == name;
        let of: Vec<&Value> = lines.iter().filter(is_its).collect();
        let kinds: Vec<&Value> = of.iter().map(|line| &line["type"]).collect();
        assert_eq!(kinds, ["start", "endpoint", "endpoint", "end"], "{ran:?}");
        assert!(of[0]["via"].as_str().is_some_and(|via| via.ends_with(name)), "{ran:?}");
        assert_eq!(of[3]["trouble"], Value::Null);
        let mut states: Vec<(u64, &str)> = of[1..3]
            .iter()
            .map(|row| (row["port"].as_u64().unwrap(), row["state"].as_str().unwrap()))
            .collect();
        states.sort_unstable();
        assert_eq!(states, [(9, "closed"), (2222, "open")]);
    }
    let ran = ask("json");
    let document: Value = serde_json::from_str(&ran.stdout).expect("a document");
    let complaints = complaints(&document);
    assert!(complaints.is_empty(), "{complaints:#?}");
    assert_eq!(document["vantages"][1]["via"], "ssh://vpc", "{ran:?}");
    let addresses = &document["vantages"][1]["report"]["vantage"]["source_addresses"];
    assert_eq!(addresses[0], "10.99.3.2", "it looked from there");
    assert_eq!(document["lines"].as_array().map(Vec::len), Some(2));
    assert!(!bastions.path("run").exists(), "the shell there ran what was data");
}

/// A script on the machine there, and what is said about it.
const WRONG: [(&str, &str, &str); 8] = [
    (
        "old",
        r#"echo '{"type":"start","schema":"portscan/report/1","portscan":"9.9.9"}'"#,
        "portscan 9.9.9 is there, and",
    ),
    ("noise", "yes | tr -d '\\n'", "a line without an end"),
    ("chant", "yes", "a greeting without an end"),
    (
        "loud",
        "printf 'no\\033[2Jway\\n' >&2; exit 3",
        r"portscan did not run there: no\u{1b}[2Jway",
    ),
    (
        "liar",
        "PORTSCAN --no-plugins 10.99.3.2:2222 --format jsonl | sed 's/\"port\":2222/\"port\":22/'",
        "a row about an endpoint that nobody asked for",
    ),
    ("chatty", "PORTSCAN \"$@\" | sed 's/^{\"type\":\"end\"/motd\\n&/'", "no JSON of a known kind"),
    (
        "cut",
        "PORTSCAN \"$@\" | head -n 2; p=$PPID\n\
         while ! grep -q sshd /proc/$p/comm; do p=$(awk '/^PPid/ {print $2}' /proc/$p/status); done\n\
         kill -9 $p; sleep 9",
        "the connection was lost after 1 endpoints",
    ),
    (
        "killed",
        "PORTSCAN \"$@\" | sed 's/\"interrupted\":false/\"interrupted\":true/'",
        "portscan was interrupted there after 2 endpoints",
    ),
];

#[test]
fn whatever_fails_there_is_said_and_what_came_is_kept() {
    let Some((site, bastions)) = site() else { return };
    let portscan = bastions.path("portscan").display().to_string();
    let run = |via: &str| {
        from_office(&site, &bastions)
            .args(["10.99.3.2:2222,9", "--via", "local", "--via", via])
            .run()
    };
    for (name, script, says) in WRONG {
        bastions.script(name, &script.replace("PORTSCAN", &portscan));
        let ran = run(&place(&bastions, "vpc", name));
        assert_eq!(ran.code(), 2, "{name}: {ran:?}");
        assert!(ran.stderr.starts_with("portscan: vpc: "), "{name}: {ran:?}");
        assert!(ran.stderr.contains(says), "{name}: {ran:?}");
        // The other place's rows are there, whatever this one did.
        assert!(ran.stdout.contains("10.99.3.2 2222/tcp  open (syn-ack)"), "{name}: {ran:?}");
        let partial = ["liar", "chatty", "cut", "killed"].contains(&name);
        assert_eq!(ran.stdout.contains("vpc (partial)"), partial, "{name}: {ran:?}");
    }
    for (via, says) in [
        (place(&bastions, "vpc", "nowhere/portscan"), "there is no portscan there ("),
        ("ssh://visitor@10.99.3.2:9".into(), "ssh did not get there: ssh: connect to host"),
        // The same machine, and its key is known by another name.
        ("ssh://stranger".into(), "Host key verification failed.; try: ssh ssh://stranger true"),
        ("ssh://somebody@vpc".into(), "Permission denied"),
    ] {
        let ran = run(&via);
        assert_eq!(ran.code(), 2, "{via}: {ran:?}");
        assert!(ran.stderr.contains(says), "{via}: {ran:?}");
        assert!(ran.stdout.contains("10.99.3.2 2222/tcp  open (syn-ack)"), "{via}: {ran:?}");
    }
    let ran = run_without_client(&site, &bastions);
    assert_eq!(ran.code(), 2, "{ran:?}");
    assert!(ran.stderr.contains("install an ssh client"), "{ran:?}");
    let refused = from_office(&site, &bastions)
        .args(["10.99.3.2:2222", "--plugin", "nosuch", "--via"])
        .args([place(&bastions, "vpc", "portscan")])
        .run();
    assert!(refused.stderr.contains("portscan did not run there: "), "{refused:?}");
    assert!(refused.stderr.contains("nosuch"), "{refused:?}");
}

#[test]
fn an_interruption_keeps_what_came_and_ends_both_sides() {
    let Some((site, bastions)) = site() else { return };
    let (came, gone) = (bastions.path("came"), bastions.path("gone"));
    let script = format!(
        "trap '' PIPE\n{portscan} \"$@\" | head -n 2; touch {came}\n\
         while echo >&2; do sleep 0.1; done\ntouch {gone}\n",
        portscan = bastions.path("portscan").display(),
        came = came.display(),
        gone = gone.display(),
    );
    for path in [&came, &gone] {
        // The machines' folder is not theirs to write to.
        std::fs::write(path, "").expect("the stage is ours");
        std::os::unix::fs::chown(path, Some(65534), Some(65534)).expect("root may");
    }
    let before = modified(&came);
    bastions.script("slow", &script);
    let running = from_office(&site, &bastions)
        .args(["10.99.3.2:2222,9", "--via", &place(&bastions, "vpc", "slow"), "--format", "jsonl"])
        .start(&program());
    wait_until("rows", || modified(&came) > before);
    // They are on their way: the connection is a virtual one on this machine.
    std::thread::sleep(Duration::from_millis(500));
    kill(Pid::from_raw(running.id() as i32), Signal::SIGINT).expect("it runs");
    let ran = running.end();
    assert_eq!(ran.code(), 130, "{ran:?}");
    let lines = lines(&ran);
    let end = lines.last().expect("an end");
    assert_eq!(end["trouble"]["kind"], "interrupted", "{ran:?}");
    assert_eq!(lines.iter().filter(|line| line["type"] == "endpoint").count(), 1, "{ran:?}");
    wait_until("its end there", || modified(&gone) > before);
}

#[test]
fn a_scope_holds_for_other_places_and_the_log_says_who_was_sent() {
    let Some((site, bastions)) = site() else { return };
    let asked = bastions.path("asked");
    bastions.script("spy", &format!("touch {}\n", asked.display()));
    let scope = site.world.stage().join("scope.toml");
    std::fs::write(&scope, "allow = [\"10.99.3.0/24\"]\n").expect("the stage is ours");
    let run = |target: &str| {
        Portscan::new(&site.world)
            .in_ns(site.place("office"))
            .env("PORTSCAN_SSH", bastions.path("spy"))
            .args([target, "--via", "ssh://vpc", "--scope"])
            .args([&scope])
            .run()
    };
    for (target, says) in [
        ("10.99.2.10:80", "10.99.2.10 may not be probed: 10.99.2.10 is in no network that"),
        ("web.example:80", "web.example may not be probed with --via"),
    ] {
        let ran = run(target);
        assert_eq!(ran.code(), 2, "{ran:?}");
        assert!(ran.stderr.contains(says), "{ran:?}");
        assert!(!asked.exists(), "ssh was started: {ran:?}");
    }
    let folder = site.folder();
    let log = folder.join("audit.jsonl");
    let ran = from_office(&site, &bastions)
        .args(["10.99.3.2:2222,9", "--via", &place(&bastions, "vpc", "portscan"), "--audit"])
        .args([&log])
        .run();
    assert_eq!(ran.code(), 1, "{ran:?}");
    let text = std::fs::read_to_string(&log).expect("the log is there");
    let entries: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("an entry")).collect();
    assert_eq!(entries[0]["via"], serde_json::json!(["ssh://vpc"]), "{text}");
    assert_eq!(entries[1]["endpoints"].as_array().map(Vec::len), Some(2), "{text}");
    assert_eq!(entries[1]["endpoints"][0]["vantage"], "vpc", "{text}");
    assert_eq!(entries[2]["event"], "end", "{text}");
    let verified = Portscan::new(&site.world).args(["audit", "verify"]).args([&log]).run();
    assert_eq!(verified.code(), 0, "{verified:?}");
}

/// A site, and a machine in its cloud that can be logged in to.
fn site() -> Option<(Site, Bastions)> {
    let site = Site::new()?;
    let bastions = Bastions::new(&site.world, &[("vpc", site.place("vpc"), VPC)])?;
    Some((site, bastions))
}

fn from_office<'s>(site: &'s Site, bastions: &Bastions) -> Portscan<'s> {
    Portscan::new(&site.world).in_ns(site.place("office")).env("PORTSCAN_SSH", bastions.path("ssh"))
}

fn run_without_client(site: &Site, bastions: &Bastions) -> Ran {
    from_office(site, bastions)
        .env("PORTSCAN_SSH", "/nonexistent/ssh")
        .args(["10.99.3.2:2222", "--via", "ssh://vpc"])
        .run()
}

/// A program on a machine, as an option.
fn place(bastions: &Bastions, host: &str, program: &str) -> String {
    format!("ssh://{host}{}", bastions.path(program).display())
}

fn lines(ran: &Ran) -> Vec<Value> {
    let line = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {ran:?}"));
    ran.stdout.lines().map(line).collect()
}

fn modified(path: &Path) -> std::time::SystemTime {
    path.metadata().and_then(|data| data.modified()).expect("it is there")
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < until, "no {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Where a document of several places breaks its schema.
fn complaints(document: &Value) -> Vec<String> {
    let schema = |text: &str| -> Value { serde_json::from_str(text).expect("a schema") };
    let report = schema(include_str!("../../docs/schema/report-1.schema.json"));
    let own = schema(include_str!("../../docs/schema/vantages-1.schema.json"));
    let registry = jsonschema::Registry::new()
        .add("file:///schema/report-1.schema.json", jsonschema::Resource::from_contents(report))
        .and_then(|registry| registry.prepare())
        .expect("the schemas fit");
    let validator = jsonschema::options()
        .with_registry(&registry)
        .with_base_uri("file:///schema/vantages-1.schema.json")
        .build(&own)
        .expect("a schema");
    validator.iter_errors(document).map(|error| error.to_string()).collect()
}
