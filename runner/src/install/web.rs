//! Requests over HTTP: bounded in time, in bytes and in redirects.

use std::sync::Arc;
use std::time::Duration;

use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::source::SourceError;

/// The longest that one request may take, its answer included.
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer of a server.
pub(super) type Answer = ureq::http::Response<Body>;

/// A client that trusts the system's authorities. `https_only` also holds for
/// where a server redirects to.
pub(super) fn agent(https_only: bool) -> Agent {
    let found = rustls_native_certs::load_native_certs().certs;
    let roots: Vec<Certificate<'static>> =
        found.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&roots))
        .unversioned_rustls_crypto_provider(provider)
        .build();
    let config = Agent::config_builder()
        .tls_config(tls)
        .timeout_global(Some(PATIENCE))
        .timeout_connect(Some(Duration::from_secs(10)))
        .max_redirects(5)
        .https_only(https_only)
        .http_status_as_error(false)
        .user_agent(concat!("portscan/", env!("CARGO_PKG_VERSION")))
        .build();
    config.new_agent()
}

/// What is at an address; at most `cap` bytes.
pub(super) fn get(address: &str, cap: u64) -> Result<Vec<u8>, SourceError> {
    let answer = agent(address.starts_with("https://"))
        .get(address)
        .call()
        .map_err(|error| unreachable(address, error.to_string()))?;
    match answer.status().is_success() {
        true => body(address, answer, cap),
        false => Err(unreachable(address, format!("the server answers {}", answer.status()))),
    }
}

/// The body of an answer; at most `cap` bytes.
pub(super) fn body(text: &str, mut answer: Answer, cap: u64) -> Result<Vec<u8>, SourceError> {
    match answer.body_mut().with_config().limit(cap).read_to_vec() {
        Err(ureq::Error::BodyExceedsLimit(_)) => {
            Err(SourceError::TooLarge { text: text.to_owned(), cap })
        }
        read => read.map_err(|error| unreachable(text, error.to_string())),
    }
}

pub(super) fn unreachable(text: &str, why: String) -> SourceError {
    SourceError::Unreachable { text: text.to_owned(), why }
}
