//! Rules about endpoints that are open, and yet not fine.

use super::name::is_name;
use super::refusal::{ask, port};
use super::{Advice, Context};
use crate::model::{FindingValue, Health, Note, Outcome, PortState, Verdict};

/// A healthy service's certificate with fewer days left is worth a word; which
/// share of a certificate's life is short is for the plugin to say.
const URGENT_DAYS: i64 = 3;

/// With fewer days left, the certificate is taken as the flaw that a plugin
/// found.
const SOON_DAYS: i64 = 30;

/// The command that asks the service again, by its name where it has one (a virtual
/// host, a certificate), and shows all that it says.
fn explain(o: &Outcome) -> String {
    match is_name(&o.target) {
        true => format!("portscan {} {} --explain", o.target, port(o)),
        false => format!("{} --explain", ask(o)),
    }
}

pub(super) fn open_for_everything(o: &Outcome, _: &Context<'_>) -> Option<Advice> {
    o.notes.contains(&Note::OpenForEverything).then(|| {
        Advice::new(
            "a SYN proxy, transparent proxy or captive network answers for every port: only a \
             check of the service proves more",
            format!("{} --plugin NAME", ask(o)),
        )
    })
}

pub(super) fn hangs_up(o: &Outcome, _: &Context<'_>) -> Option<Advice> {
    (o.state == PortState::Open && o.notes.contains(&Note::ResetAfterHandshake)).then(|| {
        Advice::new(
            "accepted and reset at once: the service refuses this source address, or a proxy has \
             no backend; its own log says which, or asking from elsewhere",
            format!("{} --via local --via ssh://HOST", ask(o)),
        )
    })
}

pub(super) fn other_service(o: &Outcome, _: &Context<'_>) -> Option<Advice> {
    let check = o.check.as_ref()?;
    (check.conclusion.verdict == Verdict::Mismatch).then(|| {
        let sentence = format!(
            "the port is open and does not speak {}: another service, or a proxy, has it",
            check.plugin
        );
        Advice::new(sentence, explain(o))
    })
}

pub(super) fn certificate(o: &Outcome, _: &Context<'_>) -> Option<Advice> {
    let conclusion = &o.check.as_ref()?.conclusion;
    let days = conclusion.findings.iter().find_map(|f| match (f.name.as_str(), &f.value) {
        ("tls.days-left", FindingValue::Integer(days)) => Some(*days),
        _ => None,
    })?;
    let sentence = match days {
        // Not negated: i64::MIN comes from a plugin.
        ..0 => format!("its certificate expired {} days ago: renew it", days.unsigned_abs()),
        _ if days < URGENT_DAYS || conclusion.health != Health::Healthy && days < SOON_DAYS => {
            format!("its certificate expires in {days} days: renew it")
        }
        _ => return None,
    };
    Some(Advice::new(sentence, explain(o)))
}

pub(super) fn unhealthy(o: &Outcome, _: &Context<'_>) -> Option<Advice> {
    let check = o.check.as_ref()?;
    (o.state == PortState::Open && check.conclusion.health == Health::Unhealthy).then(|| {
        let sentence = format!(
            "the way is clear, the service is not: look at the {} server's own log",
            check.plugin
        );
        Advice::new(sentence, explain(o))
    })
}
