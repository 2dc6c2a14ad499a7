use std::fmt::Write as _;
use std::net::{IpAddr, Ipv6Addr};

use sha2::{Digest, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::der_parser::Oid;
use x509_parser::extensions::GeneralName;
use x509_parser::objects::{oid_registry, oid2sn};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::{AttributeTypeAndValue, SubjectPublicKeyInfo, X509Name};

/// Most names of one certificate that are kept. Public authorities issue up
/// to 100, some networks of CDNs several hundred.
const MAX_NAMES: usize = 1000;

/// Facts of one X.509 certificate (RFC 5280). Texts come from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    /// RFC 4514 text.
    pub subject: String,
    /// RFC 4514 text.
    pub issuer: String,
    /// DNS names and addresses of the subject alternative name.
    pub names: Vec<String>,
    /// Hexadecimal.
    pub serial: String,
    /// Seconds since 1970-01-01T00:00:00Z.
    pub not_before: i64,
    /// Seconds since 1970-01-01T00:00:00Z.
    pub not_after: i64,
    /// `RSA 2048`, `EC P-256`, `Ed25519`, or the algorithm's number.
    pub key: String,
    /// For example `sha256WithRSAEncryption`.
    pub signature_algorithm: String,
    /// SHA-256 of the DER form, hexadecimal.
    pub fingerprint: String,
    /// Subject and issuer are the same.
    pub self_signed: bool,
}

/// Reads a DER certificate. One that cannot be parsed has its fingerprint and
/// empty facts: the handshake completed all the same.
pub(crate) fn read_certificate(der: &[u8]) -> Certificate {
    let fingerprint = hex(&Sha256::digest(der));
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return Certificate { fingerprint, ..Certificate::default() };
    };
    Certificate {
        subject: rfc4514(certificate.subject()),
        issuer: rfc4514(certificate.issuer()),
        names: names(&certificate),
        serial: hex(certificate.raw_serial()),
        not_before: certificate.validity().not_before.timestamp(),
        not_after: certificate.validity().not_after.timestamp(),
        key: key(certificate.public_key()),
        signature_algorithm: oid_name(&certificate.signature_algorithm.algorithm),
        fingerprint,
        self_signed: certificate.subject().as_raw() == certificate.issuer().as_raw(),
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    extension
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(octets) => read_ip(octets).map(|ip| ip.to_string()),
            _ => None,
        })
        .take(MAX_NAMES)
        .collect()
}

fn read_ip(octets: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(octets) {
        return Some(IpAddr::from(v4));
    }
    <[u8; 16]>::try_from(octets).ok().map(|v6| IpAddr::V6(Ipv6Addr::from(v6)))
}

fn key(info: &SubjectPublicKeyInfo<'_>) -> String {
    match info.parsed() {
        Ok(PublicKey::RSA(rsa)) => format!("RSA {}", rsa.key_size()),
        Ok(PublicKey::EC(_)) => {
            let curve = info.algorithm.parameters.as_ref().and_then(|any| any.clone().oid().ok());
            format!("EC {}", curve.map(|oid| curve_name(&oid)).unwrap_or_default())
        }
        _ => oid_name(&info.algorithm.algorithm),
    }
}

/// NIST's names where there are any (RFC 8422 5.1.1), the registry's otherwise.
fn curve_name(oid: &Oid<'_>) -> String {
    match oid.to_id_string().as_str() {
        "1.2.840.10045.3.1.7" => "P-256".to_owned(),
        "1.3.132.0.34" => "P-384".to_owned(),
        "1.3.132.0.35" => "P-521".to_owned(),
        _ => oid_name(oid),
    }
}

fn oid_name(oid: &Oid<'_>) -> String {
    // RFC 8410 keys and signatures share their numbers.
    match oid.to_id_string().as_str() {
        "1.3.101.112" => "Ed25519".to_owned(),
        "1.3.101.113" => "Ed448".to_owned(),
        number => match oid2sn(oid, oid_registry()) {
            Ok(name) if !name.is_empty() => name.to_owned(),
            _ => number.to_owned(),
        },
    }
}

/// A distinguished name as RFC 4514 writes it: the last RDN first, short
/// attribute names, special characters escaped.
fn rfc4514(name: &X509Name<'_>) -> String {
    let mut rdns: Vec<String> = name
        .iter_rdn()
        .map(|rdn| rdn.iter().map(attribute).collect::<Vec<_>>().join("+"))
        .collect();
    rdns.reverse();
    rdns.join(",")
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    // RFC 4514 section 3, and the two that every certificate tool knows.
    let kind = attribute.attr_type().to_id_string();
    let short = match kind.as_str() {
        "2.5.4.3" => "CN",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.6" => "C",
        "2.5.4.9" => "STREET",
        "0.9.2342.19200300.100.1.25" => "DC",
        "0.9.2342.19200300.100.1.1" => "UID",
        "2.5.4.5" => "serialNumber",
        "1.2.840.113549.1.9.1" => "emailAddress",
        other => other,
    };
    match attribute.as_str() {
        Ok(value) => format!("{short}={}", escape(value)),
        Err(_) => format!("{short}=#{}", hex(attribute.as_slice())),
    }
}

/// RFC 4514 2.4.
fn escape(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut text = String::with_capacity(value.len());
    for (at, c) in value.chars().enumerate() {
        let edge_space = c == ' ' && (at == 0 || at == last);
        if edge_space
            || (c == '#' && at == 0)
            || matches!(c, '"' | '+' | ',' | ';' | '<' | '>' | '\\')
        {
            text.push('\\');
        }
        match c {
            '\0' => text.push_str("\\00"),
            c => text.push(c),
        }
    }
    text
}

/// Lower case, two digits a byte.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The date of a UNIX time, `2026-01-31`; the number itself when it is beyond
/// what the calendar holds.
pub(super) fn read_date(seconds: u64) -> String {
    let moment = i64::try_from(seconds).ok().and_then(|s| jiff::Timestamp::from_second(s).ok());
    match moment {
        Some(moment) => moment.strftime("%Y-%m-%d").to_string(),
        None => seconds.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_of_a_name_are_escaped_as_rfc_4514_says() {
        assert_eq!(escape(" #a,b+c\"d\\e "), "\\ #a\\,b\\+c\\\"d\\\\e\\ ");
        assert_eq!(escape("#lead"), "\\#lead");
        assert_eq!(escape("plain Name"), "plain Name");
    }

    #[test]
    fn a_certificate_that_cannot_be_parsed_keeps_its_fingerprint() {
        let certificate = read_certificate(b"not DER");
        assert_eq!(certificate.fingerprint.len(), 64);
        assert_eq!(certificate.subject, "");
    }

    #[test]
    fn facts_of_a_certificate_are_read() {
        let mut params =
            rcgen::CertificateParams::new(vec!["a.example".to_owned(), "192.0.2.1".to_owned()])
                .expect("valid names");
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::OrganizationName, "Example, Inc.");
        params.distinguished_name.push(rcgen::DnType::CommonName, "a.example");
        let pair = rcgen::KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&pair).expect("a certificate");
        let facts = read_certificate(certificate.der());
        assert_eq!(facts.subject, "CN=a.example,O=Example\\, Inc.");
        assert_eq!(facts.names, ["a.example", "192.0.2.1"]);
        assert_eq!(facts.key, "EC P-256");
        assert_eq!(facts.signature_algorithm, "ecdsa-with-SHA256");
        assert!(facts.self_signed);
        assert!(facts.not_before < facts.not_after);
    }
}
