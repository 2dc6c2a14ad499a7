//! Lines that a server sends before the key exchange. RFC 4253 section 4.2.

/// Sentences of OpenSSH's sshd in place of its string, when it drops us: its
/// `MaxStartups` is reached, or too many connections come from here.
const BUSY: [&str; 2] = ["Exceeded MaxStartups", "Not allowed at this time"];

/// How the greetings of other protocols begin: SMTP and FTP (codes of RFC 5321
/// and RFC 959), IMAP, POP3, HTTP, Redis. Such a server waits for us to speak,
/// and waiting for its next line would take all the time there is.
const GREETINGS: [&str; 9] =
    ["220 ", "220-", "421 ", "554 ", "* OK", "* BYE", "+OK", "HTTP/", "-ERR"];

/// An identification string, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identification {
    /// `2.0`, `1.99`, or an older one.
    pub protocol: String,
    /// `OpenSSH_9.2p1`.
    pub software: String,
    /// What follows the software's name.
    pub comments: Option<String>,
}

/// What a line is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// The string that we wait for.
    Identification(Identification),
    /// The server says that it takes no more connections.
    Busy(String),
    /// The greeting of another protocol.
    Foreign,
    /// Any other text, which may stand before the string.
    Other,
    /// No text at all.
    NotText,
}

/// Reads a line without its end.
///
/// RFC 4253 wants `SSH-protoversion-softwareversion SP comments`, printable
/// ASCII but for white space and minus in the versions. Servers with a minus in
/// the software's name exist, so only the first two are taken as separators.
pub fn read(line: &[u8]) -> Line {
    if !is_text(line) {
        return Line::NotText;
    }
    let text = String::from_utf8_lossy(line);
    if BUSY.contains(&text.as_ref()) {
        return Line::Busy(text.into_owned());
    }
    if GREETINGS.iter().any(|greeting| text.starts_with(greeting)) {
        return Line::Foreign;
    }
    match read_identification(&text) {
        Some(identification) => Line::Identification(identification),
        None => Line::Other,
    }
}

fn read_identification(text: &str) -> Option<Identification> {
    let (protocol, rest) = text.strip_prefix("SSH-")?.split_once('-')?;
    let (software, comments) = match rest.split_once(' ') {
        Some((software, comments)) => (software, Some(comments.to_owned())),
        None => (rest, None),
    };
    let is_version = protocol.split('.').count() == 2
        && protocol.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let is_name = !software.is_empty() && software.bytes().all(|byte| byte.is_ascii_graphic());
    (is_version && is_name && text.len() <= 255).then(|| Identification {
        protocol: protocol.to_owned(),
        software: software.to_owned(),
        comments,
    })
}

/// Whether a line, or what has come of it, may be text for people: UTF-8 is
/// allowed there, control characters but tabs are not.
pub fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte >= b' ' && *byte != 0x7f || matches!(byte, b'\t' | b'\r'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn software(line: &str) -> Option<String> {
        match read(line.as_bytes()) {
            Line::Identification(identification) => Some(identification.software),
            _ => None,
        }
    }

    #[test]
    fn the_string_is_taken_apart_at_its_first_two_minuses() {
        assert_eq!(software("SSH-2.0-OpenSSH_9.2p1 Debian-2"), Some("OpenSSH_9.2p1".to_owned()));
        assert_eq!(software("SSH-2.0-mod_sftp-1.0"), Some("mod_sftp-1.0".to_owned()));
        assert_eq!(software("SSH-1.99-Cisco-1.25"), Some("Cisco-1.25".to_owned()));
    }

    #[test]
    fn a_string_without_version_or_name_is_other_text() {
        for line in ["SSH-2.0-", "SSH-2.0", "SSH--x", "SSH-two-x", "ssh-2.0-x", " SSH-2.0-x", ""] {
            assert_eq!(read(line.as_bytes()), Line::Other, "{line}");
        }
        assert_eq!(read(format!("SSH-2.0-{}", "x".repeat(250)).as_bytes()), Line::Other);
        assert_eq!(read(b"SSH-2.0-\x00"), Line::NotText);
        assert_eq!(read(b"220 mail.example ESMTP"), Line::Foreign);
    }
}
