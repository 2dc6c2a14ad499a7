//! Made-up outcomes for the tests of report, render and advice.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::{
    CheckResult, Conclusion, Control, Endpoint, Evidence, Finding, FindingValue, Health, IcmpError,
    IcmpFamily, Outcome, PayloadKind, PortState, Reason, Role, Transport, Verdict,
};

/// A row for `192.0.2.7` asked under that address.
pub fn outcome(port: u16, transport: Transport, state: PortState, reason: Reason) -> Outcome {
    let socket: SocketAddr = ([192, 0, 2, 7], port).into();
    let payload = match transport {
        Transport::Tcp => PayloadKind::None,
        Transport::Udp => PayloadKind::Generic,
    };
    Outcome {
        order: u64::from(port),
        target: "192.0.2.7".into(),
        endpoint: Endpoint::new(socket, transport),
        state,
        reason,
        evidence: Evidence {
            icmp: None,
            from: None,
            from_port: None,
            from_role: None,
            from_first_hop: false,
            errno: None,
            attempts: 1,
            answered: 0,
            over: Duration::from_micros(1500),
            control: None,
            payload,
        },
        rtt: None,
        notes: Vec::new(),
        check: None,
        advice: Vec::new(),
    }
}

/// An open TCP port, 1.234 ms away.
pub fn open(port: u16) -> Outcome {
    answered(outcome(port, Transport::Tcp, PortState::Open, Reason::SynAck))
}

/// A TCP port closed by RST, 1.234 ms away.
pub fn closed(port: u16) -> Outcome {
    let mut row = answered(outcome(port, Transport::Tcp, PortState::Closed, Reason::Reset));
    row.evidence.errno = Some(libc::ECONNREFUSED);
    row
}

/// A UDP port whose closing ICMP error came from the target.
pub fn closed_udp(port: u16) -> Outcome {
    let row = outcome(port, Transport::Udp, PortState::Closed, Reason::PortUnreach);
    icmp(row, (3, 3), "192.0.2.7", Role::Target)
}

/// Silence, graded by control ports.
pub fn silent(port: u16, transport: Transport, control: Option<Control>) -> Outcome {
    let state = match transport {
        Transport::Tcp => PortState::Filtered,
        Transport::Udp => PortState::OpenFiltered,
    };
    let mut row = outcome(port, transport, state, Reason::NoResponse);
    row.evidence.attempts = 7;
    row.evidence.over = Duration::from_millis(3_300);
    row.evidence.control = control;
    row
}

/// A row refused by an ICMPv4 error of a kind and code.
pub fn icmp(mut row: Outcome, (kind, code): (u8, u8), from: &str, role: Role) -> Outcome {
    let from: IpAddr = from.parse().unwrap();
    let errno = match code {
        3 => libc::ECONNREFUSED,
        _ => libc::EHOSTUNREACH,
    };
    row = answered(row);
    row.evidence.icmp = Some(IcmpError { family: IcmpFamily::V4, kind, code, from, errno });
    row.evidence.from = Some(from);
    row.evidence.from_role = Some(role);
    row.evidence.errno = Some(errno);
    row
}

/// A TCP port that a rule of somebody on the way refuses.
pub fn prohibited(port: u16, from: &str, role: Role) -> Outcome {
    let row = outcome(port, Transport::Tcp, PortState::Filtered, Reason::AdminProhibited);
    icmp(row, (3, 13), from, role)
}

/// The same row at another address, asked under `target`.
pub fn at(mut row: Outcome, target: &str, ip: &str) -> Outcome {
    let socket = SocketAddr::new(ip.parse().unwrap(), row.endpoint.port());
    row.endpoint = Endpoint::new(socket, row.endpoint.transport);
    row.target = target.into();
    row
}

/// The same row with a plugin's conclusion.
pub fn checked(mut row: Outcome, verdict: Verdict, health: Health, summary: &str) -> Outcome {
    row.check = Some(Box::new(CheckResult {
        plugin: "postgres".into(),
        version: "0.1.0".into(),
        conclusion: Conclusion {
            verdict,
            health,
            summary: summary.into(),
            findings: vec![
                Finding { name: "postgres.tls".into(), value: FindingValue::Boolean(true) },
                Finding {
                    name: "postgres.sqlstate".into(),
                    value: FindingValue::Text("57P03".into()),
                },
            ],
        },
        fault: None,
        duration: Duration::from_micros(3_100),
        log: vec!["SSLRequest answered with S".into()],
    }));
    row
}

fn answered(mut row: Outcome) -> Outcome {
    row.evidence.from = Some(row.endpoint.ip());
    row.evidence.from_role = Some(Role::Target);
    row.evidence.answered = 1;
    row.rtt = Some(Duration::from_nanos(1_234_432));
    row
}
