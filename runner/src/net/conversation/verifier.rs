use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use super::Trust;
use super::certificate::read_date;

/// Lets every handshake complete and remembers what a careful client would
/// have said.
///
/// A check must be able to report a bad certificate, so the handshake goes on
/// whatever it says; nothing secret is sent over such a connection.
#[derive(Debug)]
pub(super) struct RecordingVerifier {
    careful: Option<Arc<WebPkiServerVerifier>>,
    algorithms: WebPkiSupportedAlgorithms,
    verdict: Mutex<Option<Trust>>,
}

impl RecordingVerifier {
    pub(super) fn new(
        careful: Option<Arc<WebPkiServerVerifier>>,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> RecordingVerifier {
        RecordingVerifier { careful, algorithms, verdict: Mutex::new(None) }
    }

    /// What was concluded; `untrusted` if the peer showed nothing to verify.
    pub(super) fn verdict(&self) -> Trust {
        let verdict = self.verdict.lock().unwrap_or_else(PoisonError::into_inner).clone();
        verdict.unwrap_or_else(|| Trust::Untrusted("the peer presented no certificate".to_owned()))
    }

    fn record(&self, trust: Trust) {
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) = Some(trust);
    }

    /// A signature that does not verify says more against the peer than its
    /// chain, whichever reason came first.
    fn record_signature(
        &self,
        verified: Result<HandshakeSignatureValid, Error>,
    ) -> HandshakeSignatureValid {
        if let Err(error) = verified {
            self.record(Trust::Untrusted(format!("the handshake's signature: {}", words(&error))));
        }
        HandshakeSignatureValid::assertion()
    }
}

impl ServerCertVerifier for RecordingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let trust = match &self.careful {
            None => Trust::NoRoots,
            Some(careful) => {
                match careful.verify_server_cert(
                    end_entity,
                    intermediates,
                    server_name,
                    ocsp_response,
                    now,
                ) {
                    Ok(_) => Trust::Trusted,
                    Err(error) => Trust::Untrusted(words(&error)),
                }
            }
        };
        self.record(trust);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verified = rustls::crypto::verify_tls12_signature(message, cert, dss, &self.algorithms);
        Ok(self.record_signature(verified))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verified = rustls::crypto::verify_tls13_signature(message, cert, dss, &self.algorithms);
        Ok(self.record_signature(verified))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Why a careful client refuses, in words for a person.
fn words(error: &Error) -> String {
    let Error::InvalidCertificate(reason) = error else { return error.to_string() };
    match reason {
        CertificateError::UnknownIssuer => {
            "issued by an authority that this machine does not know".to_owned()
        }
        CertificateError::Expired => "expired".to_owned(),
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("expired on {}", read_date(not_after.as_secs()))
        }
        CertificateError::NotValidYet => "not valid yet".to_owned(),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("not valid before {}", read_date(not_before.as_secs()))
        }
        CertificateError::NotValidForName => "not valid for this name".to_owned(),
        CertificateError::NotValidForNameContext { expected, .. } => {
            format!("not valid for {}", expected.to_str())
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "not meant for servers".to_owned()
        }
        CertificateError::BadSignature => "its signature is wrong".to_owned(),
        CertificateError::BadEncoding => "it cannot be read".to_owned(),
        // webpki's word for a CA certificate in the leaf's place, which most
        // self-signed certificates are.
        CertificateError::Other(other) => other.to_string(),
        _ => error.to_string(),
    }
}
