//! What a response says about the server.

use portscan_plugin::{Conclusion, Health};

use crate::message::{Question, Reply};

/// Whose question was answered: a refusal means something only for the user's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// One that any server may decline.
    Ours,
    /// One that the user expects this server to answer.
    Users,
}

/// The conclusion from a response to `question`.
pub fn conclude(question: &Question, reply: &Reply, interest: Interest) -> Conclusion {
    let (health, what) = health(reply, interest);
    let mut conclusion =
        Conclusion::confirmed(format!("{what} ({question}: {})", reply.rcode_name()))
            .with_health(health)
            .finding("dns.rcode", reply.rcode_name())
            .finding("dns.recursion-available", reply.recursion_available)
            .finding("dns.authoritative", reply.authoritative)
            .finding("dns.truncated", reply.truncated)
            .finding("dns.answers", reply.answers);
    for record in &reply.records {
        conclusion = conclusion.finding("dns.answer", record.as_str());
    }
    conclusion
}

/// The server answers what it knows by itself, and was silent on `question`.
pub fn answers_itself_only(question: &Question) -> Conclusion {
    let text = "it answers for itself, and not what it has to ask others";
    Conclusion::confirmed(format!("{text} ({question}: no answer)")).degraded()
}

/// Bytes came back that are no response to us.
pub fn mismatch(why: &str) -> Conclusion {
    Conclusion::mismatch(format!("it answered, but not as DNS: {why}"))
}

fn health(reply: &Reply, interest: Interest) -> (Health, &'static str) {
    use Interest::{Ours, Users};
    match (reply.rcode, interest) {
        (0, _) if reply.truncated => (Health::Healthy, "it answers, truncated: ask by TCP"),
        (0, Users) if reply.answers == 0 => {
            (Health::Degraded, "it answers, but has no such record")
        }
        (0, _) => (Health::Healthy, "it answers"),
        (1, _) => (Health::Degraded, "it calls a plain question malformed"),
        (2, _) => (Health::Unhealthy, "it cannot resolve"),
        (3, Ours) => (Health::Healthy, "it answers"),
        (3, Users) => (Health::Degraded, "it says that the name does not exist"),
        (4, _) => (Health::Degraded, "it does not implement plain questions"),
        (5, Ours) => (Health::Healthy, "it is there, and refuses to answer us"),
        (5, Users) => (Health::Degraded, "it refuses to answer us"),
        _ => (Health::Degraded, "it answers with an error"),
    }
}
