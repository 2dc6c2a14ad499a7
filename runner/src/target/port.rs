use crate::model::Transport;
use crate::nearest::nearest;

use super::TargetError;

/// A port of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortSpec {
    /// The number.
    pub port: u16,
    /// Its transport.
    pub transport: Transport,
}

/// Services that people type by name: the IANA registry's, plus the usual
/// names of widespread software that have no other (RFC 6335).
const SERVICES: &[(&str, u16)] = &[
    ("amqp", 5672),
    ("amqps", 5671),
    ("bgp", 179),
    ("coap", 5683),
    ("domain", 53),
    ("dns", 53),
    ("domain-s", 853),
    ("elasticsearch", 9200),
    ("etcd", 2379),
    ("finger", 79),
    ("ftp", 21),
    ("ftps", 990),
    ("git", 9418),
    ("http", 80),
    ("http-alt", 8080),
    ("https", 443),
    ("https-alt", 8443),
    ("imap", 143),
    ("imaps", 993),
    ("ipp", 631),
    ("isakmp", 500),
    ("kafka", 9092),
    ("kerberos", 88),
    ("kubernetes", 6443),
    ("ldap", 389),
    ("ldaps", 636),
    ("mdns", 5353),
    ("memcached", 11211),
    ("microsoft-ds", 445),
    ("mongodb", 27017),
    ("mqtt", 1883),
    ("ms-sql-m", 1434),
    ("ms-sql-s", 1433),
    ("ms-wbt-server", 3389),
    ("mysql", 3306),
    ("netbios-ns", 137),
    ("nfs", 2049),
    ("ntp", 123),
    ("openvpn", 1194),
    ("pop3", 110),
    ("pop3s", 995),
    ("postgres", 5432),
    ("postgresql", 5432),
    ("prometheus", 9090),
    ("radius", 1812),
    ("rdp", 3389),
    ("redis", 6379),
    ("rsync", 873),
    ("rtsp", 554),
    ("secure-mqtt", 8883),
    ("sip", 5060),
    ("sips", 5061),
    ("smb", 445),
    ("smtp", 25),
    ("snmp", 161),
    ("snmptrap", 162),
    ("socks", 1080),
    ("ssdp", 1900),
    ("ssh", 22),
    ("stun", 3478),
    ("submission", 587),
    ("submissions", 465),
    ("sunrpc", 111),
    ("syslog", 514),
    ("syslog-tls", 6514),
    ("telnet", 23),
    ("tftp", 69),
    ("vnc", 5900),
    ("wireguard", 51820),
    ("xmpp-client", 5222),
    ("zookeeper", 2181),
];

/// The port of a service name, from the table above.
pub fn service_port(name: &str) -> Option<u16> {
    let name = name.to_ascii_lowercase();
    SERVICES.iter().find(|(known, _)| *known == name).map(|(_, port)| *port)
}

/// Whether a word, with or without a transport, is a known service.
pub(super) fn is_service(word: &str) -> bool {
    service_port(word.split('/').next().unwrap_or(word)).is_some()
}

/// Reads a list of ports, in order and without repetition.
///
/// # Errors
/// Names the item and what is wrong with it.
pub fn parse_ports(text: &str) -> Result<Vec<PortSpec>, TargetError> {
    let mut ports = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for item in text.split(',') {
        let (range, transport) = parse_item(item)?;
        for port in range {
            let spec = PortSpec { port, transport };
            if seen.insert(spec) {
                ports.push(spec);
            }
        }
    }
    Ok(ports)
}

fn parse_item(item: &str) -> Result<(std::ops::RangeInclusive<u16>, Transport), TargetError> {
    let bad = |why: String| TargetError::Port { text: item.to_string(), why };
    let (what, transport) = match item.rsplit_once('/') {
        None => (item, Transport::Tcp),
        Some((what, "tcp")) => (what, Transport::Tcp),
        Some((what, "udp")) => (what, Transport::Udp),
        Some((_, other)) => {
            return Err(bad(format!("transport is 'tcp' or 'udp', not '{other}'")));
        }
    };
    if what == "all" {
        return Ok((1..=65_535, transport));
    }
    if !what.starts_with(|c: char| c.is_ascii_digit()) {
        return match service_port(what) {
            Some(port) => Ok((port..=port, transport)),
            None if what.is_empty() => Err(bad("there is nothing between the commas".into())),
            None => Err(bad(unknown_service(what))),
        };
    }
    let number = |text: &str| {
        text.parse::<u16>().map_err(|_| bad("a port is a number from 0 to 65535".into()))
    };
    let (first, last) = match what.split_once('-') {
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(what)?, number(what)?),
    };
    match first <= last {
        true => Ok((first..=last, transport)),
        false => Err(bad("the range ends before it begins".into())),
    }
}

/// The known service that a word was probably meant to be, with its port.
pub(super) fn nearest_service(word: &str) -> Option<(&'static str, u16)> {
    let word = word.split('/').next().unwrap_or(word);
    let name = nearest(word, SERVICES.iter().map(|(name, _)| *name))?;
    service_port(name).map(|port| (name, port))
}

fn unknown_service(name: &str) -> String {
    match nearest_service(name) {
        Some((known, port)) => format!("no such service; did you mean '{known}' ({port})?"),
        None => "no such service; give the number".into(),
    }
}
