//! Secrets in what a plugin says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::model::{CheckResult, FindingValue};

/// What stands in a secret's place.
const MASK: &str = "[secret]";

/// Removes every occurrence of `secrets` from the result's texts.
pub(super) fn redact(result: &mut CheckResult, secrets: &[String]) {
    if secrets.is_empty() {
        return;
    }
    let secrets: Vec<String> = secrets.iter().flat_map(|secret| forms(secret)).collect();
    let secrets = &secrets[..];
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

/// Shortest encoded piece that is looked for: shorter ones are in any text.
const SHORTEST: usize = 6;

/// How a secret looks where protocols carry it: as it is, in hexadecimal, and in
/// base64 (RFC 4648 section 4), where what stands before it shifts its bits.
pub(super) fn forms(secret: &str) -> Vec<String> {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![secret.to_owned()];
    let mut encoded = vec![hex.to_uppercase(), hex];
    for before in 0..3 {
        let bytes: Vec<u8> = std::iter::repeat_n(0, before).chain(secret.bytes()).collect();
        let text = STANDARD_NO_PAD.encode(&bytes);
        // The digits at either end hold bits of the neighbours too.
        let from = (before * 8).div_ceil(6);
        let to = bytes.len() * 8 / 6;
        encoded.extend(text.get(from..to.max(from)).map(str::to_owned));
    }
    let url_safe: Vec<String> =
        encoded.iter().map(|text| text.replace('+', "-").replace('/', "_")).collect();
    encoded.extend(url_safe);
    forms.extend(encoded.into_iter().filter(|text| text.len() >= SHORTEST));
    forms.sort();
    forms.dedup();
    // The longest first: a form must not be cut up by a shorter one in it.
    forms.sort_by_key(|text| std::cmp::Reverse(text.len()));
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_the_forms_that_protocols_carry() {
        for text in [
            "hunter2-hunter2".to_owned(),
            "68756e746572322d68756e74657232".to_owned(),
            "68756E746572322D68756E74657232".to_owned(),
            base64::engine::general_purpose::STANDARD.encode("user:hunter2-hunter2"),
            base64::engine::general_purpose::STANDARD.encode("u:hunter2-hunter2\n"),
            base64::engine::general_purpose::URL_SAFE.encode("\0user\0hunter2-hunter2"),
        ] {
            let mut masked = format!("Authorization: {text} end");
            mask(&mut masked, &forms("hunter2-hunter2"));
            assert!(masked.contains(MASK), "{text}");
            assert!(masked.len() < 40, "{masked}");
        }
        let mut innocent = "all is well".to_owned();
        mask(&mut innocent, &forms("hunter2"));
        assert_eq!(innocent, "all is well");
    }
}
