//! The harness itself: what it claims about worlds and confinement is so.

use std::path::Path;

use crate::support::portscan::Portscan;
use crate::support::world::World;

#[test]
fn the_program_on_trial_runs_as_nobody_without_capabilities() {
    let Some(world) = World::new() else { return };
    let ran = Portscan::new(&world)
        .args(["-c", "id -u; id -G; grep -E '^(Cap|NoNewPrivs)' /proc/self/status"])
        .run_program(Path::new("/bin/sh"));
    let mut lines = ran.stdout.lines();
    assert_eq!((lines.next(), lines.next()), (Some("65534"), Some("65534")), "{ran:?}");
    for line in lines {
        let value = line.split_whitespace().last().unwrap_or_default();
        let wanted = if line.starts_with("NoNewPrivs") { "1" } else { "0000000000000000" };
        assert_eq!(value, wanted, "{line}\n{ran:?}");
    }
}

#[test]
fn a_world_is_empty_and_its_own() {
    let Some(world) = World::new() else { return };
    let links = world.prober.enter(|| std::fs::read_to_string("/proc/thread-self/net/dev"));
    let links = links.expect("procfs is there");
    let devices: Vec<&str> =
        links.lines().skip(2).filter_map(|line| line.split(':').next()).map(str::trim).collect();
    assert_eq!(devices, ["lo"]);
}

#[test]
fn a_run_sees_its_own_resolver_and_hosts_file() {
    let Some(world) = World::new() else { return };
    let ran = Portscan::new(&world)
        .resolver("10.99.2.53".parse().expect("an address"))
        .hosts("10.99.2.1 here.test\n")
        .args(["-c", "cat /etc/resolv.conf /etc/hosts"])
        .run_program(Path::new("/bin/sh"));
    let wanted = "nameserver 10.99.2.53\noptions timeout:1 attempts:2\n10.99.2.1 here.test\n";
    assert_eq!(ran.stdout, wanted, "{ran:?}");
}
