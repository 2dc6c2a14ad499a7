use crate::model::{Outcome, PortState};

/// What the addresses of one name say together, when they do not all say the
/// same: a family that is broken, an address that is dead.
///
/// `rows` are all endpoints of the name; they are compared port by port.
pub fn conclude_name(rows: &[&Outcome]) -> Option<String> {
    let mut addresses: Vec<_> = rows.iter().map(|r| r.endpoint.ip()).collect();
    addresses.sort();
    addresses.dedup();
    if addresses.len() < 2 {
        return None;
    }
    let good = |ip| rows.iter().any(|r| r.endpoint.ip() == ip && r.state == PortState::Open);
    let (open, bad): (Vec<_>, Vec<_>) = addresses.iter().copied().partition(|ip| good(*ip));
    if open.is_empty() || bad.is_empty() {
        return None;
    }
    let state =
        |ip| rows.iter().find(|r| r.endpoint.ip() == ip).map_or(PortState::Unknown, |r| r.state);
    let all_v6 = bad.iter().all(|ip| ip.is_ipv6()) && open.iter().all(|ip| ip.is_ipv4());
    let all_v4 = bad.iter().all(|ip| ip.is_ipv4()) && open.iter().all(|ip| ip.is_ipv6());
    Some(match (all_v6, all_v4) {
        (true, _) => {
            format!("IPv4 open, IPv6 {}: check the AAAA record or the IPv6 firewall", state(bad[0]))
        }
        (_, true) => {
            format!("IPv6 open, IPv4 {}: check the A record or the IPv4 firewall", state(bad[0]))
        }
        _ => {
            let list: Vec<String> = bad.iter().map(|ip| format!("{ip} {}", state(*ip))).collect();
            let verb = if bad.len() == 1 { "is" } else { "are" };
            format!(
                "{} of {} addresses {verb} dead ({}): some clients will fail, others not",
                bad.len(),
                addresses.len(),
                list.join(", ")
            )
        }
    })
}
