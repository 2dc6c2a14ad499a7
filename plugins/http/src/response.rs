//! The head of a response, RFC 9112, and the beginning of its body.

use portscan_plugin::{Connection, IoError, REST};

/// Longest line that is read. Servers limit theirs to 8 KiB.
const MAX_LINE: usize = 8 * 1024;

/// Most header fields that are read.
const MAX_FIELDS: usize = 100;

/// Most bytes of a body that are looked at, for the reason of an error.
const MAX_BODY: usize = 4 * 1024;

/// Most interim responses (1xx) before the final one.
const MAX_INTERIM: usize = 3;

/// What a server answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// `1.0` or `1.1`.
    pub version: String,
    /// Three digits.
    pub status: u16,
    /// The field `Server`.
    pub server: Option<String>,
    /// The field `Location`.
    pub location: Option<String>,
    /// The beginning of the body of an error.
    pub body: Vec<u8>,
}

/// Receives a response. The inner error holds the bytes that something else
/// began with.
///
/// The status line is what proves the protocol. A head that stops after it is
/// an answer with fewer fields.
pub fn receive(connection: &mut Connection) -> Result<Result<Answer, Vec<u8>>, IoError> {
    for _ in 0..=MAX_INTERIM {
        let line = match connection.receive_line(MAX_LINE, REST) {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(Err(connection.unread().to_vec())),
            Err(error) => {
                let came = connection.unread();
                let foreign = !may_begin_a_status_line(came);
                return if foreign { Ok(Err(came.to_vec())) } else { Err(error) };
            }
        };
        let Some(mut answer) = read_status_line(&line) else { return Ok(Err(line)) };
        let whole = read_fields(connection, &mut answer);
        if answer.status >= 200 {
            if answer.status == 400 {
                answer.body = read_body(connection);
            }
            return Ok(Ok(answer));
        }
        whole?;
    }
    Ok(Err(b"one interim response after the other".to_vec()))
}

/// `HTTP/1.x`, a space, three digits, and after another space any text.
fn read_status_line(line: &[u8]) -> Option<Answer> {
    let line = std::str::from_utf8(line).ok()?;
    let (version, rest) = line.strip_prefix("HTTP/")?.split_once(' ')?;
    let status = rest.split(' ').next()?;
    let is_status = status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit());
    let status = status.parse().ok().filter(|status| is_status && (100..600).contains(status))?;
    matches!(version, "1.0" | "1.1").then(|| Answer {
        version: version.to_owned(),
        status,
        ..Answer::default()
    })
}

/// Whether bytes without a line's end may become a status line.
fn may_begin_a_status_line(came: &[u8]) -> bool {
    let begin = b"HTTP/1.";
    let compared = came.len().min(begin.len());
    came[..compared] == begin[..compared]
}

/// Reads fields until the empty line, as far as they come.
fn read_fields(connection: &mut Connection, answer: &mut Answer) -> Result<(), IoError> {
    for _ in 0..MAX_FIELDS {
        let line = match connection.receive_line(MAX_LINE, REST)? {
            Some(line) if !line.is_empty() => line,
            _ => break,
        };
        let line = String::from_utf8_lossy(&line);
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim().to_owned();
        match name.to_ascii_lowercase().as_str() {
            "server" => answer.server = Some(value),
            "location" => answer.location = Some(value),
            _ => {}
        }
    }
    Ok(())
}

/// The beginning of the body, until the server closes, pauses or has sent enough.
fn read_body(connection: &mut Connection) -> Vec<u8> {
    // No byte ends a body here: the length is reached, or the time is.
    let pause = std::time::Duration::from_millis(500);
    connection
        .receive_exact(MAX_BODY, pause)
        .unwrap_or_else(|_| connection.unread()[..connection.unread().len().min(MAX_BODY)].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(line: &str) -> Option<u16> {
        read_status_line(line.as_bytes()).map(|answer| answer.status)
    }

    #[test]
    fn a_status_line_has_a_version_and_three_digits() {
        assert_eq!(status("HTTP/1.1 200 OK"), Some(200));
        assert_eq!(status("HTTP/1.0 404 "), Some(404));
        assert_eq!(status("HTTP/1.1 204"), Some(204));
        for line in ["HTTP/1.1 +20 x", "HTTP/1.1 2000 x", "HTTP/1.1 099 x", "HTTP/1.1 999 x"] {
            assert_eq!(status(line), None, "{line}");
        }
        for line in ["HTTP/2 200 OK", "http/1.1 200 OK", "HTTP/1.1  200", "ICY 200 OK", ""] {
            assert_eq!(status(line), None, "{line}");
        }
    }
}
