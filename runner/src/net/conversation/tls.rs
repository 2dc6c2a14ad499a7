use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::certificate::{Certificate, read_certificate};
use super::stream::{Stream, classify};
use super::verifier::RecordingVerifier;
use super::{Peer, TalkError};

/// Most certificates of a chain that are parsed. Real chains have two to four;
/// rustls itself takes what fits into a 64 KiB handshake message.
const MAX_CHAIN: usize = 10;

/// What to ask for in a handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// Name for SNI and verification; none means the target's own.
    pub server_name: Option<String>,
    /// Protocols to offer by ALPN (RFC 7301).
    pub alpn: Vec<String>,
}

/// Whether the chain verified against this machine's roots, for the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It did.
    Trusted,
    /// It did not, for this reason.
    Untrusted(String),
    /// There is nothing to verify against.
    NoRoots,
}

/// What the peer presented in a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSession {
    /// `TLSv1.3` or `TLSv1.2`.
    pub version: String,
    /// The cipher suite's IANA name.
    pub cipher: String,
    /// The protocol that the peer chose.
    pub alpn: Option<String>,
    /// Leaf first.
    pub certificates: Vec<Certificate>,
    /// The careful client's verdict.
    pub trust: Trust,
}

/// Makes the handshake on `stream`, which afterwards carries plaintext.
pub(super) async fn upgrade(
    stream: &mut Stream,
    peer: &Peer,
    options: TlsOptions,
    wait: Duration,
) -> Result<TlsSession, TalkError> {
    let name = server_name(peer, options.server_name.as_deref())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let careful = peer.roots.verifier().await;
    let verifier =
        Arc::new(RecordingVerifier::new(careful, provider.signature_verification_algorithms));
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|e| TalkError::Tls(e.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier.clone())
        .with_no_client_auth();
    config.alpn_protocols = options.alpn.into_iter().map(String::into_bytes).collect();
    // Each check stands for itself; a resumed session shows no certificate.
    config.resumption = rustls::client::Resumption::disabled();

    let handshake = TlsConnector::from(Arc::new(config)).connect(name, stream.take_clear()?);
    let secure = timeout(wait, handshake)
        .await
        .map_err(|_| TalkError::TimedOut)?
        .map_err(handshake_error)?;
    let (_, connection) = secure.get_ref();
    let session = TlsSession {
        version: match connection.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2".to_owned(),
            _ => "TLSv1.3".to_owned(),
        },
        cipher: connection
            .negotiated_cipher_suite()
            .and_then(|suite| suite.suite().as_str())
            .unwrap_or_default()
            .replace("TLS13_", "TLS_"),
        alpn: connection.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()),
        certificates: connection
            .peer_certificates()
            .unwrap_or_default()
            .iter()
            .take(MAX_CHAIN)
            .map(|der| read_certificate(der))
            .collect(),
        trust: verifier.verdict(),
    };
    stream.set_secure(secure);
    Ok(session)
}

/// A peer that hangs up in the handshake is a failed handshake, not a stream
/// that ended in good order.
fn handshake_error(error: std::io::Error) -> TalkError {
    match classify(true, error) {
        TalkError::Closed => {
            TalkError::Tls("the peer closed the connection during the handshake".to_owned())
        }
        other => other,
    }
}

/// The name to ask for: the plugin's, or the target's, or the address itself.
fn server_name(peer: &Peer, asked: Option<&str>) -> Result<ServerName<'static>, TalkError> {
    let text = asked.unwrap_or(&peer.target).trim_end_matches('.');
    if let Ok(name) = ServerName::try_from(text.to_owned()) {
        return Ok(name);
    }
    match asked {
        Some(_) => {
            Err(TalkError::Unsupported("the server name is neither a DNS name nor an address"))
        }
        // `fe80::1%eth0` and the like: what was probed is an address.
        None => Ok(ServerName::IpAddress(IpAddr::into(peer.endpoint.ip()))),
    }
}
