//! Secrets in what a plugin says.

use crate::model::{CheckResult, FindingValue};

/// What stands in a secret's place.
const MASK: &str = "[secret]";

/// Removes every occurrence of `secrets` from the result's texts.
pub(super) fn redact(result: &mut CheckResult, secrets: &[String]) {
    if secrets.is_empty() {
        return;
    }
    let conclusion = &mut result.conclusion;
    let fault = result.fault.iter_mut().map(|fault| &mut fault.text);
    for text in [&mut conclusion.summary].into_iter().chain(&mut result.log).chain(fault) {
        mask(text, secrets);
    }
    for finding in &mut conclusion.findings {
        mask(&mut finding.name, secrets);
        match &mut finding.value {
            FindingValue::Text(text) => mask(text, secrets),
            FindingValue::Bytes(bytes) => {
                let found =
                    |s: &String| bytes.windows(s.len()).any(|window| window == s.as_bytes());
                if secrets.iter().any(found) {
                    *bytes = MASK.into();
                }
            }
            FindingValue::Boolean(_) | FindingValue::Integer(_) | FindingValue::Duration(_) => {}
        }
    }
}

fn mask(text: &mut String, secrets: &[String]) {
    for secret in secrets {
        if text.contains(secret.as_str()) {
            *text = text.replace(secret.as_str(), MASK);
        }
    }
}
