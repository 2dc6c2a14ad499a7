//! Name servers: dnsmasq and unbound.

use std::net::SocketAddr;

use super::process::{Recipe, Server, installed};
use super::{accepts, answers};

/// `. IN NS`, id 0x5053, recursion desired (RFC 1035 4.1).
const QUERY: [u8; 17] = [0x50, 0x53, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1];

/// Both transports answer, UDP with our id and the response bit.
fn is_ready(place: SocketAddr) -> bool {
    answers(place, &QUERY).is_some_and(|a| a.starts_with(&QUERY[..2]) && a[2] & 0x80 != 0)
        && accepts(place)
}

/// dnsmasq that knows `ok.test` (192.0.2.1) and has nobody to ask: it refuses
/// any other name.
pub fn dnsmasq() -> Option<Server> {
    let program = installed("dnsmasq", "dnsmasq-base")?;
    let recipe = Recipe::new("dnsmasq");
    let place = recipe.place();
    let args = [
        "--keep-in-foreground".to_owned(),
        "--log-facility=-".to_owned(),
        "--conf-file=/dev/null".to_owned(),
        "--pid-file=".to_owned(),
        // Empty: stay who we are.
        "--user=".to_owned(),
        "--group=".to_owned(),
        "--no-resolv".to_owned(),
        "--no-hosts".to_owned(),
        "--bind-interfaces".to_owned(),
        format!("--listen-address={}", place.ip()),
        format!("--port={}", place.port()),
        "--address=/ok.test/192.0.2.1".to_owned(),
    ];
    Some(recipe.start(&program, args, is_ready))
}

/// What an unbound can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unbound {
    /// Knows the root zone (its own copy) and `ok.test`.
    Resolving,
    /// Must ask a forwarder that is not there: it fails.
    WithoutUpstream,
    /// Serves nobody.
    Refusing,
}

/// unbound in one of its moods.
pub fn unbound(mood: Unbound) -> Option<Server> {
    let program = installed("unbound", "unbound")?;
    let recipe = Recipe::new("unbound");
    let (place, folder) = (recipe.place(), recipe.folder().display().to_string());
    let access = if mood == Unbound::Refusing { "refuse" } else { "allow" };
    let names = match mood {
        Unbound::Resolving => {
            let zone = recipe.file("root.zone", ROOT_ZONE);
            format!("auth-zone:\n  name: \".\"\n  zonefile: \"{}\"\n", zone.display())
        }
        // Nobody listens at the discard port of the server's own address. Over
        // TCP it hears of that at once; over UDP it would wait for an answer.
        Unbound::WithoutUpstream | Unbound::Refusing => format!(
            "forward-zone:\n  name: \".\"\n  forward-addr: {}@9\n  forward-tcp-upstream: yes\n",
            place.ip()
        ),
    };
    let config = recipe.file(
        "unbound.conf",
        format!(
            "server:\n  interface: {ip}\n  port: {port}\n  access-control: 127.0.0.0/8 {access}\n  \
             access-control: 10.99.0.0/16 {access}\n  \
             directory: \"{folder}\"\n  chroot: \"\"\n  username: \"\"\n  pidfile: \"\"\n  \
             use-syslog: no\n  logfile: \"\"\n  do-daemonize: no\n  do-not-query-localhost: no\n  \
             module-config: \"iterator\"\n  num-threads: 1\n  local-data: \"ok.test. A 192.0.2.1\"\n\
             remote-control:\n  control-enable: no\n{names}",
            ip = place.ip(),
            port = place.port(),
        ),
    );
    let args = ["-d", "-p", "-c"].map(Into::into).into_iter().chain([config.into_os_string()]);
    Some(recipe.start(&program, args, is_ready))
}

/// A root zone of one server.
const ROOT_ZONE: &str = "\
. 3600 IN SOA a.root. nobody.root. 1 3600 600 86400 60
. 3600 IN NS a.root.
a.root. 3600 IN A 192.0.2.53
";
