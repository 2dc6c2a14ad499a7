//! Rules from evidence to the next step, in plain words.
//!
//! A rule looks at the evidence of one endpoint, and at what else is known of
//! its peer and of this machine, and says what to do next. Rules never change
//! a verdict. Start reading at [`advise`]; the rules are in [`RULES`].

mod name;
mod rules;

pub use name::conclude_name;
pub use rules::{RULES, Rule};

use std::net::IpAddr;

use crate::model::{Outcome, Transport};
use crate::vantage::Listeners;

/// What a rule may look at besides the endpoint itself.
pub struct Context<'a> {
    /// Whether an address belongs to this machine.
    pub is_own: &'a dyn Fn(IpAddr) -> bool,
    /// What listens on this machine; read when first asked for.
    pub listeners: &'a dyn Fn() -> &'a Listeners,
    /// Whether another endpoint of this run was found open so far.
    pub is_open: &'a dyn Fn(IpAddr, u16, Transport) -> bool,
}

/// Most sentences under one row.
const MOST: usize = 2;

/// What to do next about one endpoint; nothing when all is well.
pub fn advise(outcome: &Outcome, context: &Context<'_>) -> Vec<String> {
    RULES.iter().filter_map(|rule| (rule.say)(outcome, context)).take(MOST).collect()
}
