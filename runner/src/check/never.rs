//! Ports that no plugin sends anything to unless the user names the port.
//!
//! What is sent there is not read as a question: it is printed, or it reaches a
//! machine that moves something. The probe itself (a SYN; an empty datagram) does
//! go there.

use crate::model::{Endpoint, Fault, Transport};

/// First and last port, transport, and what happens there.
const NEVER: &[(u16, u16, Transport, &str)] = &[
    // The registry's "Printer PDL Data Stream" (9100) and what multi-port print
    // servers put beside it: bytes in, paper out. nmap leaves them out of -sV too.
    (9100, 9107, Transport::Tcp, "raw printing: every byte is printed"),
    (515, 515, Transport::Tcp, "a printer's queue"),
    // Controllers of machines that are known to stop at a frame that they do not
    // expect: IEC 61850 and S7 (102), Modbus (502), DNP3 (20000), EtherNet/IP
    // (44818), BACnet (47808).
    (102, 102, Transport::Tcp, "industrial control"),
    (502, 502, Transport::Tcp, "industrial control"),
    (20000, 20000, Transport::Tcp, "industrial control"),
    (20000, 20000, Transport::Udp, "industrial control"),
    (44818, 44818, Transport::Tcp, "industrial control"),
    (44818, 44818, Transport::Udp, "industrial control"),
    (47808, 47808, Transport::Udp, "building control"),
];

/// Why no plugin sends to `endpoint`, unless the user named its port.
pub(super) fn forbidden(endpoint: &Endpoint, named: &[(u16, Transport)]) -> Option<Fault> {
    let (port, transport) = (endpoint.port(), endpoint.transport);
    let (.., why) = NEVER
        .iter()
        .find(|(first, last, over, _)| (*first..=*last).contains(&port) && *over == transport)?;
    if named.contains(&(port, transport)) {
        return None;
    }
    Some(Fault {
        kind: "not-allowed",
        text: format!("no plugin sends to {port}/{transport}: {why}"),
        hint: format!("`--send-to {port}/{transport}` allows it."),
    })
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    #[test]
    fn a_listed_port_is_spared_until_it_is_named_and_its_neighbours_are_not() {
        let at =
            |port, transport| Endpoint::new(SocketAddr::from(([127, 0, 0, 1], port)), transport);
        let refused =
            |port, transport, named: &[_]| forbidden(&at(port, transport), named).is_some();
        assert!(refused(9100, Transport::Tcp, &[]));
        assert!(refused(9107, Transport::Tcp, &[(9100, Transport::Tcp)]));
        assert!(!refused(9100, Transport::Tcp, &[(9100, Transport::Tcp)]));
        assert!(refused(47808, Transport::Udp, &[(47808, Transport::Tcp)]));
        for port in [9099, 9108, 80, 5432] {
            assert!(!refused(port, Transport::Tcp, &[]), "{port}");
        }
        assert!(!refused(9100, Transport::Udp, &[]));
    }
}
