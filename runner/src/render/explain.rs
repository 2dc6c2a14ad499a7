//! What states and reasons mean, for `portscan explain`. docs/MEASURING.md
//! holds the text.

/// The document that explains every state and reason, one heading each.
const MEASURING: &str = include_str!("../../../docs/MEASURING.md");

/// The explanation of a state or reason, or none when it is neither.
pub fn explain(term: &str) -> Option<String> {
    let heading = format!("### `{}`", term.to_lowercase());
    let from = MEASURING.lines().position(|line| line == heading)?;
    let section = MEASURING.lines().skip(from + 1).take_while(|line| !line.starts_with('#'));
    let text: Vec<&str> = section.collect();
    Some(format!("{}\n{}\n", term.to_lowercase(), text.join("\n").trim_end()))
}

/// Every term that has an explanation.
pub fn terms() -> impl Iterator<Item = &'static str> {
    MEASURING.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PortState, Reason};

    #[test]
    fn every_state_and_reason_is_explained() {
        let names =
            PortState::ALL.iter().map(|s| s.name()).chain(Reason::ALL.iter().map(|r| r.name()));
        for name in names {
            let text = explain(name).unwrap_or_else(|| panic!("docs/MEASURING.md lacks {name}"));
            assert!(text.contains("Proves") && text.contains("Next"), "{name}: {text}");
        }
    }

    #[test]
    fn nothing_is_explained_that_cannot_be_printed() {
        for term in terms() {
            let known = PortState::ALL.iter().any(|s| s.name() == term)
                || Reason::ALL.iter().any(|r| r.name() == term);
            assert!(known, "{term}");
        }
    }
}
