//! TLS by rustls with ring. One configuration for all checks; sessions are not resumed, since a check
//! is to see the whole handshake, and nothing is shared between workspaces.

use std::path::Path;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::client::EgressError;

pub(crate) struct Tls {
    pub(crate) strict: Arc<ClientConfig>,
    /// Accepts any certificate (`verify_tls: false`).
    pub(crate) lax: Arc<ClientConfig>,
}

impl Tls {
    /// `extra_roots`: a PEM file (`SSL_CERT_FILE`) trusted beside Mozilla's roots.
    pub(crate) fn new(extra_roots: Option<&Path>) -> Result<Self, EgressError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(file) = extra_roots {
            let unusable = |error: &dyn std::fmt::Display| EgressError::Roots { file: file.to_owned(), reason: error.to_string() };
            for certificate in CertificateDer::pem_file_iter(file).map_err(|error| unusable(&error))? {
                roots.add(certificate.map_err(|error| unusable(&error))?).map_err(|error| unusable(&error))?;
            }
        }
        let builder = || {
            ClientConfig::builder_with_provider(Arc::clone(&provider))
                .with_safe_default_protocol_versions()
                .map_err(|error| EgressError::Tls(error.to_string()))
        };
        let strict = builder()?.with_root_certificates(roots).with_no_client_auth();
        let lax =
            builder()?.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(Arc::clone(&provider)))).with_no_client_auth();
        Ok(Self { strict: finish(strict), lax: finish(lax) })
    }
}

fn finish(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

/// Any certificate, of any name, of any date; only the handshake's signature must be right.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
