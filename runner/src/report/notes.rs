use crate::model::Note;

/// A note as the sentence that reports show.
pub fn sentence(note: &Note) -> String {
    match note {
        Note::Conflicting { other } => {
            format!("other attempts were answered differently ({other}); the stronger proof counts")
        }
        Note::ResetAfterHandshake => {
            "the peer reset the connection right after the handshake".into()
        }
        Note::AnswerFromOtherPort { port } => {
            format!("the answer came from port {port} of the target")
        }
        Note::AnswerFromOtherAddress { address } => {
            format!("a datagram came from another address, {address}")
        }
        Note::InvalidAnswer => {
            "segments came in that do not answer our SYN: something replies with wrong numbers"
                .into()
        }
        Note::Loss => "packets were lost on the way; later ones were answered".into(),
        Note::IcmpBudgetSpent { left, prove } => format!(
            "ICMP budget spent; {left} {} left, about {} s to prove (--prove)",
            if *left == 1 { "port" } else { "ports" },
            prove.as_secs().max(1)
        ),
        Note::SilentByDesign { service } => format!("no answer is normal for {service}"),
        Note::OpenForEverything => {
            "ports that nobody uses are open as well: something in front answers for everything"
                .into()
        }
        Note::AddressesDiffer => "the addresses of this name differ".into(),
    }
}
