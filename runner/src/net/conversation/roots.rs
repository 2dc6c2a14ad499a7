use std::path::PathBuf;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::sync::OnceCell;

/// The certificates that this machine trusts, read when TLS is first used.
///
/// The system's own (`SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured, as
/// OpenSSL does), and those of one more file in PEM form.
#[derive(Debug, Default)]
pub struct Roots {
    extra: Option<PathBuf>,
    verifier: OnceCell<Option<Arc<WebPkiServerVerifier>>>,
}

impl Roots {
    /// The environment variable that names the additional file.
    pub const EXTRA_FILE: &'static str = "PORTSCAN_CA_FILE";

    /// The system's roots and those in `extra`.
    pub fn with_extra(extra: Option<PathBuf>) -> Roots {
        Roots { extra, verifier: OnceCell::new() }
    }

    /// The system's roots and those of the file that `PORTSCAN_CA_FILE` names.
    pub fn from_environment() -> Roots {
        Roots::with_extra(std::env::var_os(Self::EXTRA_FILE).map(PathBuf::from))
    }

    /// The verifier, or none when this machine has no roots at all.
    pub(super) async fn verifier(&self) -> Option<Arc<WebPkiServerVerifier>> {
        let load = || async {
            let extra = self.extra.clone();
            // 150 files of a certificate directory are no work for a thread
            // that other conversations wait for.
            tokio::task::spawn_blocking(move || load(extra)).await.ok().flatten()
        };
        self.verifier.get_or_init(load).await.clone()
    }
}

fn load(extra: Option<PathBuf>) -> Option<Arc<WebPkiServerVerifier>> {
    let mut store = RootCertStore::empty();
    // A root that cannot be read or parsed is one root less, and the verdict
    // "unknown issuer" for what it signed.
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = extra
        && let Ok(certificates) = CertificateDer::pem_file_iter(path)
    {
        store.add_parsable_certificates(certificates.flatten());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider).build().ok()
}
