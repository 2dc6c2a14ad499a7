//! Parsers of bytes from outside that no room shows, for tests/fuzz alone.

use crate::model::Transport;

/// Facts of a certificate, from its DER form.
pub fn certificate(der: &[u8]) -> crate::net::conversation::Certificate {
    crate::net::conversation::read_certificate(der)
}

/// Who sent an ICMP error, from what the kernel puts beside it.
pub fn offender(bytes: &[u8]) -> Option<std::net::IpAddr> {
    crate::net::read_offender(bytes)
}

/// Whether a line of `/proc/net` is that of a listener.
pub fn is_listener(line: &str) -> bool {
    crate::vantage::parse_line(line, Transport::Tcp, "0A").is_some()
}

/// Whether texts of the command line mean anything.
pub fn settings(text: &str) -> [bool; 6] {
    crate::settings::parse_all(text)
}

/// A text as a terminal gets it.
pub fn escaped(text: &str) -> String {
    crate::render::escape(text).into_owned()
}
