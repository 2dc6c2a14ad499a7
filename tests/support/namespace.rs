//! A network namespace that belongs to one test.
//!
//! It has no name in `/run/netns`: an open descriptor is all that keeps it.
//! When the test ends, fails, panics or is killed, the kernel closes the
//! descriptor and takes the namespace with every device, rule and route in it.
//! So nothing can be left behind and there is nothing to sweep.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::packet::Family;
use super::system;

/// A handle to a namespace; clones are the same namespace.
#[derive(Clone)]
pub struct Namespace {
    inner: Arc<Inner>,
}

struct Inner {
    label: String,
    file: File,
}

/// Quiet and exact: no duplicate address detection, no router solicitations,
/// no redirects, no source checks, and ICMP errors without a limit, so that
/// one expectation never spends what another one needs. The limits are lifted
/// by mask: a rate of 0 would starve the bucket that routing errors share.
const CALM: &[(&str, &str)] = &[
    ("ipv6/conf/all/accept_dad", "0"),
    ("ipv6/conf/default/accept_dad", "0"),
    ("ipv6/conf/default/router_solicitations", "0"),
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    ("ipv4/conf/all/send_redirects", "0"),
    ("ipv4/conf/default/send_redirects", "0"),
    ("ipv4/conf/all/accept_redirects", "0"),
    ("ipv6/conf/all/accept_redirects", "0"),
    ("ipv4/icmp_ratemask", "0"),
    ("ipv6/icmp/ratelimit", "0"),
];

/// The global ICMP limits, which belong to a namespace only since Linux 6.13.
const CALM_WHERE_KNOWN: &[(&str, &str)] =
    &[("ipv4/icmp_msgs_per_sec", "100000"), ("ipv4/icmp_msgs_burst", "10000")];

impl Namespace {
    /// A new namespace with its loopback up and nothing else.
    pub fn new(label: &str) -> Namespace {
        let file = std::thread::spawn(|| {
            system::unshare_network()?;
            File::open("/proc/thread-self/ns/net")
        })
        .join()
        .expect("the thread does not panic")
        .unwrap_or_else(|error| panic!("cannot make the namespace {label}: {error}"));
        let namespace = Namespace { inner: Arc::new(Inner { label: label.to_owned(), file }) };
        namespace.ip("link set lo up");
        namespace.sysctls(CALM);
        namespace.try_sysctls(CALM_WHERE_KNOWN);
        namespace
    }

    /// Its name in messages.
    pub fn label(&self) -> &str {
        &self.inner.label
    }

    /// The descriptor that keeps it.
    pub fn fd(&self) -> RawFd {
        self.inner.file.as_raw_fd()
    }

    /// How `ip` can name it.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.fd())
    }

    /// Runs `work` in a thread inside the namespace. A socket made there stays there.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let inside = scope.spawn(|| {
                system::enter_network(self.fd()).expect("the namespace can be entered");
                work()
            });
            match inside.join() {
                Ok(value) => value,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// Runs `ip` commands, one a line.
    pub fn ip(&self, commands: &str) {
        self.run("ip", &["-batch", "-"], commands);
    }

    /// Loads an nftables ruleset.
    pub fn nft(&self, ruleset: &str) {
        self.run("nft", &["-f", "-"], ruleset);
    }

    /// Adds filter rules, one a line, to a hook (`input`, `forward`, `output`).
    pub fn filter(&self, hook: &str, rules: &str) {
        self.nft(&format!(
            "table inet at_{hook} {{\nchain rules {{\n\
             type filter hook {hook} priority 0; policy accept;\n{rules}}}\n}}\n"
        ));
    }

    fn run(&self, program: &str, args: &[&str], input: &str) {
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        system::start_in_network(&mut command, self.fd());
        let output = command
            .spawn()
            .and_then(|mut child| {
                child.stdin.take().expect("stdin is piped").write_all(input.as_bytes())?;
                child.wait_with_output()
            })
            .unwrap_or_else(|error| panic!("{program} does not run: {error}"));
        assert!(
            output.status.success(),
            "{program} failed in {}: {}\n{input}",
            self.label(),
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Sets values under `/proc/sys/net`.
    pub fn sysctls(&self, values: &[(&str, &str)]) {
        let failed = self.try_sysctls(values);
        assert!(failed.is_empty(), "cannot set in {}: {failed:?}", self.label());
    }

    fn try_sysctls<'a>(&self, values: &[(&'a str, &str)]) -> Vec<(&'a str, std::io::Error)> {
        self.enter(|| {
            values
                .iter()
                .filter_map(|&(key, value)| {
                    let written = std::fs::write(format!("/proc/sys/net/{key}"), value);
                    written.err().map(|error| (key, error))
                })
                .collect()
        })
    }

    /// Forwards packets between its links.
    pub fn forward(&self) {
        self.sysctls(&[("ipv4/ip_forward", "1"), ("ipv6/conf/all/forwarding", "1")]);
    }

    /// Gives `device` the addresses of `host` in network `net`, both families.
    pub fn address(&self, device: &str, net: u8, host: u8) {
        self.ip(&format!(
            "addr add {}/24 dev {device}\naddr add {}/64 dev {device} nodad",
            address(Family::V4, net, host),
            address(Family::V6, net, host)
        ));
    }

    /// Routes network `net` through `host` of network `via`, both families.
    pub fn route(&self, net: u8, via: (u8, u8)) {
        let mut commands = String::new();
        for family in Family::BOTH {
            let gateway = address(family, via.0, via.1);
            let _ = writeln!(commands, "route add {} via {gateway}", network(family, net));
        }
        self.ip(&commands);
    }

    /// Routes everything else through `host` of network `via`, both families.
    pub fn default_route(&self, via: (u8, u8)) {
        let mut commands = String::new();
        for (family, all) in [(Family::V4, "0.0.0.0/0"), (Family::V6, "::/0")] {
            let gateway = address(family, via.0, via.1);
            let _ = writeln!(commands, "route add {all} via {gateway}");
        }
        self.ip(&commands);
    }

    /// A route that leads nowhere: `blackhole`, `unreachable` or `prohibit`.
    pub fn dead_route(&self, kind: &str, net: u8) {
        let mut commands = String::new();
        for family in Family::BOTH {
            let _ = writeln!(commands, "route add {kind} {}", network(family, net));
        }
        self.ip(&commands);
    }
}

/// Host `host` of network `net`. All worlds use the same plan: 10.99.NET.0/24
/// and fd99:NET::/64, with the numbers printed in decimal in both.
pub fn address(family: Family, net: u8, host: u8) -> IpAddr {
    let text = match family {
        Family::V4 => format!("10.99.{net}.{host}"),
        Family::V6 => format!("fd99:{net}::{host}"),
    };
    text.parse().expect("the plan makes valid addresses")
}

/// Network `net` as `ip` and `nft` write it.
pub fn network(family: Family, net: u8) -> String {
    match family {
        Family::V4 => format!("10.99.{net}.0/24"),
        Family::V6 => format!("fd99:{net}::/64"),
    }
}
