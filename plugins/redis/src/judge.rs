//! What the reply to PING says about the server.

use portscan_plugin::{Conclusion, Health, TlsSession};

/// Error replies by their first word: how the server is, and in words.
///
/// Only words that Redis has: an error of another protocol with the same minus
/// in front (POP3's `-ERR`) must not pass.
const ERRORS: [(&str, Health, &str); 10] = [
    ("NOAUTH", Health::Healthy, "it is up and asks for a password"),
    ("NOPERM", Health::Healthy, "it is up and refuses this user the command"),
    ("DENIED", Health::Degraded, "it serves its own machine only (protected mode)"),
    ("LOADING", Health::Unhealthy, "it is loading its data"),
    ("MASTERDOWN", Health::Unhealthy, "it is a replica that has lost its master"),
    ("BUSY", Health::Unhealthy, "a script holds it up"),
    ("MISCONF", Health::Unhealthy, "it cannot save its data"),
    ("NOREPLICAS", Health::Unhealthy, "it has too few replicas"),
    ("OOM", Health::Unhealthy, "it is out of memory"),
    ("READONLY", Health::Degraded, "it is read-only"),
];

/// Sentences of the general `ERR`, which other protocols have too.
const SENTENCES: [(&str, Health, &str); 3] = [
    ("ERR max number of clients reached", Health::Unhealthy, "it has no connection left"),
    ("ERR unknown command", Health::Degraded, "it is up and has PING switched off"),
    ("ERR operation not permitted", Health::Healthy, "it is up and asks for a password"),
];

/// The conclusion from a whole line without its end.
pub fn reply(line: &[u8]) -> Conclusion {
    let Ok(text) = std::str::from_utf8(line) else { return mismatch() };
    let (health, what) = match text {
        "+PONG" => (Health::Healthy, "it answers"),
        _ => match text.strip_prefix('-').and_then(error) {
            Some(known) => known,
            None => return mismatch(),
        },
    };
    Conclusion::confirmed(what).with_health(health).finding("redis.reply", text)
}

fn error(text: &str) -> Option<(Health, &'static str)> {
    let word = text.split(' ').next().unwrap_or_default();
    let by_word = ERRORS.iter().find(|(name, ..)| *name == word);
    let by_sentence = || SENTENCES.iter().find(|(sentence, ..)| text.starts_with(sentence));
    by_word.or_else(by_sentence).map(|(_, health, what)| (*health, *what))
}

/// Whether bytes without a line's end may still become a reply: what came so
/// far begins with one, or is the beginning of one.
pub fn may_begin_a_reply(came: &[u8]) -> bool {
    let Some((sign, rest)) = came.split_first() else { return true };
    let agrees = |known: &str| {
        let known = known.as_bytes();
        rest.starts_with(known) || known.starts_with(rest)
    };
    match sign {
        b'+' => agrees("PONG\r"),
        b'-' => {
            ERRORS.iter().any(|(word, ..)| agrees(word))
                || SENTENCES.iter().any(|(sentence, ..)| agrees(sentence))
        }
        _ => false,
    }
}

/// Bytes came back that Redis would not send.
pub fn mismatch() -> Conclusion {
    Conclusion::mismatch("it answered PING, but not as Redis")
}

/// Adds what TLS has shown; clients of Redis verify the certificate.
pub fn with_tls(conclusion: Conclusion, session: &TlsSession, now: i64) -> Conclusion {
    let mut conclusion = conclusion.tls_findings(session, now);
    if let (Some((health, flaw)), Health::Healthy) = (session.flaw(now), conclusion.health) {
        conclusion.health = health;
        conclusion.summary = format!("{}; {flaw}", conclusion.summary);
    }
    conclusion
}

#[cfg(test)]
mod tests {
    use portscan_plugin::Verdict;

    use super::*;

    #[test]
    fn a_mail_server_with_the_same_minus_is_not_redis() {
        assert_eq!(reply(b"-ERR invalid command").verdict, Verdict::Mismatch);
        assert_eq!(reply(b"-NOAUTHORITY").verdict, Verdict::Mismatch);
        assert_eq!(reply(b"+OK").verdict, Verdict::Mismatch);
    }

    #[test]
    fn every_known_error_names_the_health_of_the_server() {
        for (word, health, _) in ERRORS {
            let conclusion = reply(format!("-{word} some words").as_bytes());
            assert_eq!((conclusion.verdict, conclusion.health), (Verdict::Confirmed, health));
        }
        for (sentence, health, _) in SENTENCES {
            assert_eq!(reply(format!("-{sentence} 'x'").as_bytes()).health, health);
        }
    }
}
