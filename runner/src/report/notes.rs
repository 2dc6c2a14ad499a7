use crate::model::{Note, Rounds};

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
        Note::Path { sentence } => sentence.clone(),
        Note::Rounds(rounds) => rounds_sentence(rounds),
    }
}

fn rounds_sentence(rounds: &Rounds) -> String {
    let total: u32 = rounds.states.iter().map(|(_, count)| count).sum();
    let share = |(state, count): &(_, u32)| format!("{state} {} %", count * 100 / total.max(1));
    let mut text = format!(
        "{total} rounds: {}",
        rounds.states.iter().map(share).collect::<Vec<_>>().join(", ")
    );
    if let Some(times) = rounds.rtt {
        let [min, median, max, jitter] =
            times.map(|time| format!("{:.1}", time.as_secs_f64() * 1e3));
        text += &format!("; rtt min/median/max/jitter {min}/{median}/{max}/{jitter} ms");
    }
    let (sent, answered) = rounds.packets;
    if sent > answered {
        text += &format!("; {answered} of {sent} packets answered");
    }
    if rounds.longest_failure > 0 {
        text += &format!("; longest failure {} rounds", rounds.longest_failure);
    }
    if rounds.regular {
        text += "; failures come at even distances, as a rate limit makes them";
    }
    text
}
