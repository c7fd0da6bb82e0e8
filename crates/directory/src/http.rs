//! The HTTP client of our own calls: no proxy, our own trust roots, deadlines. Never for targets (see egress).

use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use rustls::{ClientConfig, RootCertStore};

use crate::error::DirectoryError;

/// A client whose calls take at most `deadline`, connecting included.
///
/// The TLS configuration is built here rather than by reqwest: its own asks the system for
/// certificates and fails where there are none, as in a slim container that only speaks HTTP inside.
pub fn client(deadline: Duration) -> Result<reqwest::Client, DirectoryError> {
    let setting = |error: &dyn std::fmt::Display| DirectoryError::Setting(format!("no HTTP client: {error}"));
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let mut tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| setting(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(Policy::none())
        .connect_timeout(Duration::from_secs(2).min(deadline))
        .timeout(deadline)
        .pool_idle_timeout(Duration::from_secs(30))
        .user_agent(concat!("upmesh/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| setting(&error))
}
