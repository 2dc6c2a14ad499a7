//! Rules about endpoints that are open, and yet not fine.

use super::Context;
use crate::model::{FindingValue, Health, Note, Outcome, PortState, Verdict};

/// A healthy service's certificate with fewer days left is worth a word; which
/// share of a certificate's life is short is for the plugin to say.
const URGENT_DAYS: i64 = 3;

/// With fewer days left, the certificate is taken as the flaw that a plugin
/// found.
const SOON_DAYS: i64 = 30;

pub(super) fn open_for_everything(o: &Outcome, _: &Context<'_>) -> Option<String> {
    o.notes.contains(&Note::OpenForEverything).then(|| {
        "a SYN proxy, transparent proxy or captive network answers for every port: only a check \
         of the service proves more (--plugin NAME)"
            .into()
    })
}

pub(super) fn hangs_up(o: &Outcome, _: &Context<'_>) -> Option<String> {
    (o.state == PortState::Open && o.notes.contains(&Note::ResetAfterHandshake)).then(|| {
        "accepted and reset at once: the service refuses this source address, or a proxy has no \
         backend; its own log says which"
            .into()
    })
}

pub(super) fn other_service(o: &Outcome, _: &Context<'_>) -> Option<String> {
    let check = o.check.as_ref()?;
    (check.conclusion.verdict == Verdict::Mismatch).then(|| {
        format!(
            "the port is open and does not speak {}: another service, or a proxy, has it",
            check.plugin
        )
    })
}

pub(super) fn certificate(o: &Outcome, _: &Context<'_>) -> Option<String> {
    let conclusion = &o.check.as_ref()?.conclusion;
    let days = conclusion.findings.iter().find_map(|f| match (f.name.as_str(), &f.value) {
        ("tls.days-left", FindingValue::Integer(days)) => Some(*days),
        _ => None,
    })?;
    match days {
        // Not negated: i64::MIN comes from a plugin.
        ..0 => Some(format!("its certificate expired {} days ago: renew it", days.unsigned_abs())),
        _ if days < URGENT_DAYS || conclusion.health != Health::Healthy && days < SOON_DAYS => {
            Some(format!("its certificate expires in {days} days: renew it"))
        }
        _ => None,
    }
}

pub(super) fn unhealthy(o: &Outcome, _: &Context<'_>) -> Option<String> {
    let check = o.check.as_ref()?;
    (o.state == PortState::Open && check.conclusion.health == Health::Unhealthy).then(|| {
        format!(
            "the way is clear, the service is not: look at the {} server's own log",
            check.plugin
        )
    })
}
