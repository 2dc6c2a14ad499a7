use std::str::FromStr;

use thiserror::Error;

/// Where a request runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// On this machine.
    Local,
    /// On another one.
    Ssh {
        /// The user, when it is not the one that the ssh client chooses.
        user: Option<String>,
        /// A name or address, or a `Host` of ssh_config(5); without brackets.
        host: String,
        /// The port, when it is not the one that the ssh client chooses.
        port: Option<u16>,
        /// The program there: a path, or a name to be found there.
        program: String,
    },
}

/// Why a text is no place.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("'{text}' is no place: {why}; write 'local' or ssh://USER@HOST[:PORT][/PATH/OF/portscan]")]
pub struct PlaceError {
    text: String,
    why: &'static str,
}

impl Place {
    /// What to call the vantage point.
    pub fn label(&self) -> &str {
        match self {
            Place::Local => "local",
            Place::Ssh { host, .. } => host,
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Place::Ssh { user, host, port, .. } = self else { return f.write_str("local") };
        f.write_str("ssh://")?;
        if let Some(user) = user {
            write!(f, "{user}@")?;
        }
        match host.contains(':') {
            true => write!(f, "[{host}]")?,
            false => f.write_str(host)?,
        }
        port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl FromStr for Place {
    type Err = PlaceError;

    /// Reads `local` or `ssh://[USER@]HOST[:PORT][/PATH]`. What reaches the ssh client
    /// must not be taken for an option or for more than one word.
    fn from_str(text: &str) -> Result<Place, PlaceError> {
        let wrong = |why| PlaceError { text: text.to_owned(), why };
        if text == "local" {
            return Ok(Place::Local);
        }
        let rest = text.strip_prefix("ssh://").ok_or(wrong("it begins with neither"))?;
        let (authority, program) = match rest.split_once('/') {
            Some((authority, path)) if !path.is_empty() => (authority, format!("/{path}")),
            Some((authority, _)) => (authority, "portscan".to_owned()),
            None => (rest, "portscan".to_owned()),
        };
        let (user, rest) = match authority.rsplit_once('@') {
            Some((user, rest)) => (Some(user), rest),
            None => (None, authority),
        };
        let (host, port) = match rest.strip_prefix('[') {
            Some(inner) => {
                let (host, after) = inner.split_once(']').ok_or(wrong("a bracket is missing"))?;
                (host, after.strip_prefix(':').or((!after.is_empty()).then_some("")))
            }
            None => match rest.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            },
        };
        let port = port.map(|port| port.parse().ok().filter(|port| *port > 0));
        if port == Some(None) {
            return Err(wrong("its port is no number from 1 to 65535"));
        }
        if !is_word(host, "._-:%") {
            return Err(wrong("its host is no name or address"));
        }
        if user.is_some_and(|user| !is_word(user, "._-+\\@")) {
            return Err(wrong("its user is no name"));
        }
        if program.chars().any(char::is_control) {
            return Err(wrong("its path has control characters"));
        }
        Ok(Place::Ssh {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port: port.flatten(),
            program,
        })
    }
}

/// Letters, digits and some more, and nothing that could be an option.
fn is_word(text: &str, more: &str) -> bool {
    let fits = |c: char| c.is_alphanumeric() || more.contains(c);
    !text.is_empty() && text.len() <= 255 && !text.starts_with('-') && text.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_and_shown() {
        for text in ["local", "ssh://bastion", "ssh://me@bastion:2222", "ssh://[2001:db8::1]:22"] {
            assert_eq!(text.parse::<Place>().unwrap().to_string(), text);
        }
        let Place::Ssh { program, .. } = "ssh://b/opt/bin/portscan".parse().unwrap() else {
            panic!("not ssh")
        };
        assert_eq!(program, "/opt/bin/portscan");
        assert_eq!("ssh://u@b".parse::<Place>().unwrap().label(), "b");
    }

    #[test]
    fn nothing_is_taken_for_an_option_or_for_shell_text() {
        for text in [
            "",
            "bastion",
            "ssh://",
            "ssh://-oProxyCommand=id",
            "ssh://-l@bastion",
            "ssh://me@-bastion",
            "ssh://a b",
            "ssh://a;id",
            "ssh://$(id)@a",
            "ssh://a:0",
            "ssh://a:99999",
            "ssh://a:22x",
            "ssh://[::1]22",
            "ssh://[::1",
            "ssh://a/x\ny",
            "http://a",
        ] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }
}
