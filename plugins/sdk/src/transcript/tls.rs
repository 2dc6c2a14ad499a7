//! What a transcript's peer presents, as a session.

use super::Tls;
use crate::{Certificate, TlsSession, Trust};

impl Tls {
    pub(super) fn session(self) -> TlsSession {
        let tls = self;
        TlsSession {
            version: tls.version.unwrap_or_else(|| "TLSv1.3".to_owned()),
            cipher: tls.cipher.unwrap_or_else(|| "TLS13_AES_256_GCM_SHA384".to_owned()),
            alpn: tls.alpn,
            certificates: vec![Certificate {
                self_signed: tls.subject == tls.issuer,
                subject: tls.subject,
                issuer: tls.issuer,
                names: tls.names,
                serial: tls.serial.unwrap_or_else(|| "01".to_owned()),
                not_before: tls.not_before,
                not_after: tls.not_after,
                key: tls.key.unwrap_or_else(|| "EC P-256".to_owned()),
                signature_algorithm: tls
                    .signature_algorithm
                    .unwrap_or_else(|| "ecdsa-with-SHA256".to_owned()),
                fingerprint: tls.fingerprint.unwrap_or_else(|| "00".repeat(32)),
            }],
            trust: match (tls.untrusted, tls.no_roots) {
                (Some(why), _) => Trust::Untrusted(why),
                (None, true) => Trust::NoRoots,
                (None, false) => Trust::Trusted,
            },
        }
    }
}
