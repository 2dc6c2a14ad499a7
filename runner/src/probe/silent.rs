use crate::model::{Endpoint, Transport};

/// UDP services that do not answer strangers by design: one-way protocols, and
/// those that drop what is not authenticated.
///
/// One-way: RFC 5426 (syslog), RFC 3416 (SNMP traps), RFC 7011 (IPFIX), RFC
/// 7348 (VXLAN), RFC 5880 (BFD). Drops strangers: RFC 2865 3 (RADIUS), the
/// WireGuard paper 5.1, OpenVPN's manual on tls-auth.
const SILENT: &[(u16, &str)] = &[
    (9, "discard"),
    (67, "DHCP"),
    (138, "NetBIOS datagrams"),
    (162, "SNMP traps"),
    (319, "PTP"),
    (320, "PTP"),
    (514, "syslog"),
    (1194, "OpenVPN with tls-auth or tls-crypt"),
    (1645, "RADIUS"),
    (1646, "RADIUS accounting"),
    (1812, "RADIUS"),
    (1813, "RADIUS accounting"),
    (2003, "graphite"),
    (2055, "NetFlow"),
    (3784, "BFD"),
    (4242, "Nebula"),
    (4739, "IPFIX"),
    (4789, "VXLAN"),
    (6081, "Geneve"),
    (6343, "sFlow"),
    (8125, "statsd"),
    (8472, "VXLAN"),
    (9993, "ZeroTier"),
    (9995, "NetFlow"),
    (12201, "GELF"),
    (25826, "collectd"),
    (41641, "Tailscale"),
    (51820, "WireGuard"),
];

/// The service that usually lives at this endpoint, when no answer is normal
/// for it.
pub fn silent_service(endpoint: &Endpoint) -> Option<&'static str> {
    if endpoint.transport == Transport::Tcp {
        return None;
    }
    SILENT.iter().find(|(port, _)| *port == endpoint.port()).map(|(_, name)| *name)
}
