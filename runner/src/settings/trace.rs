use std::path::PathBuf;
use std::time::Duration;

use super::{SettingsError, family, fits, read, value};
use crate::cli::TraceArgs;
use crate::model::Family;
use crate::scope::Guard;
use crate::target::{Host, TargetSpec, parse_words};

/// Everything about a trace.
#[derive(Debug)]
pub struct TraceSettings {
    /// One target with one port.
    pub target: TargetSpec,
    /// What may be probed at all, and how fast.
    pub guard: Guard,
    /// Which addresses of a name count.
    pub family: Family,
    /// Most hops.
    pub max_hops: u8,
    /// Wait for each hop.
    pub timeout: Duration,
    /// The log to append to.
    pub audit: Option<PathBuf>,
    /// Why, for the log.
    pub reason: Option<String>,
}

pub(super) fn trace(args: TraceArgs) -> Result<TraceSettings, SettingsError> {
    let mut targets = parse_words(&args.words)?;
    let single = targets.len() == 1
        && targets[0].ports.len() == 1
        && !matches!(targets[0].host, Host::Range { .. });
    let family = family(args.ipv4, args.ipv6);
    fits(family, &targets, None)?;
    match targets.pop() {
        Some(target) if single => Ok(TraceSettings {
            target,
            guard: read::guard(&args.scope, false)?,
            family,
            max_hops: args.max_hops,
            timeout: value::duration("--timeout", &args.timeout)?,
            audit: args.audit,
            reason: args.reason,
        }),
        _ => Err(SettingsError::OneEndpoint),
    }
}
