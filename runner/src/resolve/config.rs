use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use hickory_resolver::Hosts;
use hickory_resolver::config::{ResolverConfig, ResolverOpts};
use hickory_resolver::proto::rr::Name;
use hickory_resolver::system_conf::parse_resolv_conf;

/// Most name servers that are asked: `MAXNS` of the C library's `resolv.h`.
const MAX_SERVERS: usize = 3;

/// How names are looked up.
#[derive(Debug)]
pub struct Config {
    /// The name servers, asked in this order.
    pub(super) servers: Vec<SocketAddr>,
    /// Domains that are tried behind a name.
    pub(super) search: Vec<Name>,
    /// A name with so many dots is tried as it is first.
    pub(super) ndots: usize,
    /// How long to wait for one server.
    pub(super) timeout: Duration,
    /// How often to ask all servers in turn, at least once.
    pub(super) attempts: usize,
    /// Whether to ask with EDNS (RFC 6891).
    pub(super) edns: bool,
    /// The hosts file.
    pub(super) hosts: Hosts,
}

/// The name servers of `/etc/resolv.conf`, in the order in which they are asked.
pub fn name_servers() -> Vec<SocketAddr> {
    let resolv_conf = fs::read("/etc/resolv.conf").unwrap_or_default();
    Config::from_resolv_conf(&resolv_conf, Hosts::default()).servers
}

impl Config {
    /// The system's: `/etc/resolv.conf` and `/etc/hosts`.
    ///
    /// Without a `resolv.conf`, or without a name server in it, the server on
    /// this machine is asked, as the C library does it.
    pub fn system() -> Config {
        let resolv_conf = fs::read("/etc/resolv.conf").unwrap_or_default();
        Config::from_resolv_conf(&resolv_conf, Hosts::from_system().unwrap_or_default())
    }

    /// From the text of a `resolv.conf(5)`.
    pub(super) fn from_resolv_conf(text: &[u8], hosts: Hosts) -> Config {
        let (config, options) = parse_resolv_conf(text).unwrap_or_else(|_| without_servers(text));
        let mut servers: Vec<SocketAddr> =
            config.name_servers().iter().map(|server| SocketAddr::new(server.ip, 53)).collect();
        servers.truncate(MAX_SERVERS);
        if servers.is_empty() {
            servers.push(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 53));
        }
        // The library would try `domain` before and beside `search`; resolv.conf(5)
        // says that the last of the two lines counts, and that the host's own
        // domain stands in when there is neither.
        let search = match (config.search(), config.domain()) {
            ([], Some(domain)) if !domain.is_root() => vec![domain.clone()],
            (search, _) => search.to_vec(),
        };
        Config {
            servers,
            search,
            ndots: options.ndots,
            timeout: options.timeout.max(Duration::from_millis(1)),
            attempts: options.attempts.max(1),
            edns: options.edns0,
            hosts,
        }
    }
}

/// The library refuses a file without name servers whole; its other lines count.
fn without_servers(text: &[u8]) -> (ResolverConfig, ResolverOpts) {
    let mut text = text.to_vec();
    text.extend_from_slice(b"\nnameserver 127.0.0.1\n");
    let nothing = || (ResolverConfig::from_name_servers(Vec::new()), ResolverOpts::default());
    parse_resolv_conf(text).unwrap_or_else(|_| nothing())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Config {
        Config::from_resolv_conf(text.as_bytes(), Hosts::default())
    }

    #[test]
    fn options_servers_and_search_are_read() {
        let config = parse(
            "nameserver 10.0.0.1\nnameserver 2001:db8::1\nsearch a.test b.test\noptions ndots:2 timeout:1 attempts:3\n",
        );
        assert_eq!(
            config.servers,
            ["10.0.0.1:53".parse().unwrap(), "[2001:db8::1]:53".parse().unwrap()]
        );
        let search: Vec<_> = config.search.iter().map(|name| name.to_string()).collect();
        assert_eq!(
            search.iter().map(|s| s.trim_end_matches('.')).collect::<Vec<_>>(),
            ["a.test", "b.test"]
        );
        assert_eq!((config.ndots, config.timeout, config.attempts), (2, Duration::from_secs(1), 3));
    }

    #[test]
    fn without_name_servers_this_machine_is_asked() {
        for text in ["", "# nothing\n", "options timeout:1\nsearch a.test\n", "\u{0}\u{1}garbage\n"]
        {
            assert_eq!(parse(text).servers, ["127.0.0.1:53".parse().unwrap()], "{text:?}");
        }
        assert_eq!(parse("options timeout:1 attempts:2\n").timeout, Duration::from_secs(1));
    }

    #[test]
    fn no_more_servers_are_asked_than_the_c_library_asks() {
        let text: String = (1..=5).map(|i| format!("nameserver 10.0.0.{i}\n")).collect();
        assert_eq!(parse(&text).servers.len(), 3);
    }

    #[test]
    fn zero_attempts_are_one() {
        assert_eq!(parse("options attempts:0 timeout:0\n").attempts, 1);
    }
}
