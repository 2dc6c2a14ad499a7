//! Certificates for the TLS servers of the tests, made anew in each run.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use std::net::IpAddr;

/// A certificate and its key, in PEM.
pub struct Identity {
    /// The certificate, alone.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

/// An authority of the test's own.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

/// When a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// Long before and long after the test.
    Now,
    /// It ended years ago.
    Expired,
}

impl Authority {
    /// A new authority.
    pub fn new() -> Authority {
        let mut params = CertificateParams::new([]).expect("no names are valid names");
        params.distinguished_name = common_name("portscan test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        set_validity(&mut params, Validity::Now);
        let key = new_key();
        let certificate = params.self_signed(&key).expect("the authority signs itself").pem();
        Authority { issuer: Issuer::new(params, key), certificate }
    }

    /// What a client must trust, in PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// A certificate for a server at `address`, also known as localhost.
    pub fn issue(&self, address: IpAddr, validity: Validity) -> Identity {
        let key = new_key();
        let signed = server_params(address, validity).signed_by(&key, &self.issuer);
        let certificate = signed.expect("the authority signs a server").pem();
        Identity { certificate, key: key.serialize_pem() }
    }
}

/// A certificate for a server at `address` that nobody vouches for.
pub fn self_signed(address: IpAddr) -> Identity {
    let key = new_key();
    let params = server_params(address, Validity::Now);
    let certificate = params.self_signed(&key).expect("the server signs itself").pem();
    Identity { certificate, key: key.serialize_pem() }
}

fn server_params(address: IpAddr, validity: Validity) -> CertificateParams {
    let mut params =
        CertificateParams::new(["localhost".to_owned()]).expect("localhost is a valid name");
    params.subject_alt_names.push(SanType::IpAddress(address));
    params.distinguished_name = common_name("portscan test server");
    set_validity(&mut params, validity);
    params
}

fn set_validity(params: &mut CertificateParams, validity: Validity) {
    let (from, to) = match validity {
        Validity::Now => (2020, 2120),
        Validity::Expired => (2019, 2020),
    };
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(to, 1, 1);
}

fn common_name(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("a key can be made")
}
