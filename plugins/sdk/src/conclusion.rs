//! Building a [`Conclusion`] in one expression.

use std::time::Duration;

use crate::{Conclusion, Finding, FindingValue, Health, Verdict};

impl Conclusion {
    /// It speaks the protocol. Say next how it is: [`Conclusion::healthy`] and its kin.
    pub fn confirmed(summary: impl Into<String>) -> Conclusion {
        Conclusion::new(Verdict::Confirmed, summary)
    }

    /// It answered, and it speaks something else.
    pub fn mismatch(summary: impl Into<String>) -> Conclusion {
        Conclusion::new(Verdict::Mismatch, summary)
    }

    /// Not enough came back to tell.
    pub fn inconclusive(summary: impl Into<String>) -> Conclusion {
        Conclusion::new(Verdict::Inconclusive, summary)
    }

    /// It answers as it should.
    pub fn healthy(self) -> Conclusion {
        self.with_health(Health::Healthy)
    }

    /// It works, with a flaw worth knowing.
    pub fn degraded(self) -> Conclusion {
        self.with_health(Health::Degraded)
    }

    /// It answers that it cannot serve.
    pub fn unhealthy(self) -> Conclusion {
        self.with_health(Health::Unhealthy)
    }

    /// Its health is `health`.
    pub fn with_health(mut self, health: Health) -> Conclusion {
        self.health = health;
        self
    }

    /// Adds one named fact. `name` is lower case and dotted: `dns.rcode`.
    pub fn finding(mut self, name: &str, value: impl Into<FindingValue>) -> Conclusion {
        self.findings.push(Finding { name: name.to_owned(), value: value.into() });
        self
    }

    /// Adds one named fact when there is one.
    pub fn maybe_finding(self, name: &str, value: Option<impl Into<FindingValue>>) -> Conclusion {
        match value {
            Some(value) => self.finding(name, value),
            None => self,
        }
    }

    fn new(verdict: Verdict, summary: impl Into<String>) -> Conclusion {
        Conclusion {
            verdict,
            health: Health::Unknown,
            summary: summary.into(),
            findings: Vec::new(),
        }
    }
}

impl From<&str> for FindingValue {
    fn from(text: &str) -> FindingValue {
        FindingValue::Text(text.to_owned())
    }
}

impl From<String> for FindingValue {
    fn from(text: String) -> FindingValue {
        FindingValue::Text(text)
    }
}

impl From<i64> for FindingValue {
    fn from(number: i64) -> FindingValue {
        FindingValue::Integer(number)
    }
}

impl From<u8> for FindingValue {
    fn from(number: u8) -> FindingValue {
        FindingValue::Integer(i64::from(number))
    }
}

impl From<u16> for FindingValue {
    fn from(number: u16) -> FindingValue {
        FindingValue::Integer(i64::from(number))
    }
}

impl From<u32> for FindingValue {
    fn from(number: u32) -> FindingValue {
        FindingValue::Integer(i64::from(number))
    }
}

impl From<bool> for FindingValue {
    fn from(value: bool) -> FindingValue {
        FindingValue::Boolean(value)
    }
}

impl From<Duration> for FindingValue {
    fn from(length: Duration) -> FindingValue {
        FindingValue::Duration(u32::try_from(length.as_millis()).unwrap_or(u32::MAX))
    }
}

/// Bytes from a peer: text when they are UTF-8, else bytes, shown in hexadecimal.
impl From<Vec<u8>> for FindingValue {
    fn from(bytes: Vec<u8>) -> FindingValue {
        match String::from_utf8(bytes) {
            Ok(text) => FindingValue::Text(text),
            Err(error) => FindingValue::Bytes(error.into_bytes()),
        }
    }
}
