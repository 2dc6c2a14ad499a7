//! What is asked, from the endpoint and the settings.

use portscan_plugin::{CheckError, Endpoint, Settings};

use crate::TLS_PORTS;

/// Most bytes of a path.
const MAX_PATH: usize = 1024;

/// Most bytes of a Host: a name has 253, and a port may follow.
const MAX_HOST: usize = 261;

/// Most bytes of a request: path, host, and the fixed lines.
pub const MAX_REQUEST: usize = MAX_PATH + MAX_HOST + 128;

/// A request, but for its method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    path: String,
    host: String,
    /// Whether TLS comes first.
    pub tls: bool,
    /// The name for TLS, when it is not the target's own.
    pub server_name: Option<String>,
}

impl Request {
    /// Puts it together, and refuses what would not fit into its line.
    pub fn read(endpoint: &Endpoint, settings: &Settings) -> Result<Request, CheckError> {
        let tls = settings.boolean("tls").unwrap_or(TLS_PORTS.contains(&endpoint.port));
        let path = settings.text("path").unwrap_or("/");
        if !path.starts_with('/') || path.len() > MAX_PATH || !is_graphic(path) {
            return Err(CheckError::InvalidSetting(format!(
                "path: begins with /, has at most {MAX_PATH} bytes, and no spaces (write %20)"
            )));
        }
        let given = settings.text("host").filter(|host| !host.is_empty());
        let host = match given {
            Some(host) => host.to_owned(),
            None => host(endpoint, tls),
        };
        if host.len() > MAX_HOST || !is_graphic(&host) {
            return Err(CheckError::InvalidSetting(format!(
                "host: a name or address of at most {MAX_HOST} bytes, in ASCII"
            )));
        }
        Ok(Request {
            path: path.to_owned(),
            host,
            tls,
            server_name: given.map(|host| without_port(host).to_owned()),
        })
    }

    /// The bytes on the wire.
    pub fn bytes(&self, method: &str) -> Vec<u8> {
        let Request { path, host, .. } = self;
        let fixed = "User-Agent: portscan\r\nAccept: */*\r\nConnection: close\r\n\r\n";
        format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{fixed}").into_bytes()
    }
}

/// The Host of the target: an IPv6 address in brackets and without its zone
/// (RFC 6874 keeps zones out of what is sent), the port when it is not the usual one.
fn host(endpoint: &Endpoint, tls: bool) -> String {
    let name = endpoint.target.split('%').next().unwrap_or_default();
    let name = if name.contains(':') { format!("[{name}]") } else { name.to_owned() };
    let usual = if tls { 443 } else { 80 };
    if endpoint.port == usual { name } else { format!("{name}:{}", endpoint.port) }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') && port.parse::<u16>().is_ok() => name,
        _ => host,
    }
}

/// No space, no control character, nothing beyond ASCII.
fn is_graphic(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use portscan_plugin::{Setting, SettingValue, Transport};

    use super::*;

    fn endpoint(target: &str, port: u16) -> Endpoint {
        let (target, address) = (target.to_owned(), "192.0.2.1".to_owned());
        Endpoint { target, address, port, transport: Transport::Tcp }
    }

    fn with(name: &str, value: &str) -> Settings {
        let value = SettingValue::Text(value.to_owned());
        Settings::new(vec![Setting { name: name.to_owned(), value }])
    }

    #[test]
    fn an_ipv6_target_is_bracketed_and_loses_its_zone() {
        let request = Request::read(&endpoint("fe80::1%eth0", 8080), &Settings::default()).unwrap();
        assert_eq!(request.host, "[fe80::1]:8080");
        assert!(!request.tls);
    }

    #[test]
    fn a_host_setting_names_the_certificate_too() {
        let request = Request::read(&endpoint("a", 443), &with("host", "b.example:443")).unwrap();
        assert_eq!(request.host, "b.example:443");
        assert_eq!(request.server_name.as_deref(), Some("b.example"));
        assert!(request.tls);
    }

    #[test]
    fn nothing_can_be_smuggled_into_the_request() {
        for (name, value) in [("path", "/ HTTP/1.1\r\nX: y"), ("path", "x"), ("host", "a\r\nX: y")]
        {
            let read = Request::read(&endpoint("a", 80), &with(name, value));
            assert!(matches!(read, Err(CheckError::InvalidSetting(_))), "{value:?}");
        }
        let target = Request::read(&endpoint("a\r\nX: y", 80), &Settings::default());
        assert!(target.is_err());
    }

    #[test]
    fn the_longest_request_is_within_what_is_declared() {
        let mut request = Request::read(&endpoint("a", 80), &Settings::default()).unwrap();
        request.path = "/".repeat(MAX_PATH);
        request.host = "h".repeat(MAX_HOST);
        assert!(request.bytes("HEAD").len() <= MAX_REQUEST);
    }
}
