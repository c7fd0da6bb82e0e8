//! When a certificate ends.

use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// Milliseconds since the Unix epoch; none where the certificate cannot be read.
pub(crate) fn expires_at_ms(leaf: &CertificateDer<'_>) -> Option<i64> {
    let (_, certificate) = X509Certificate::from_der(leaf).ok()?;
    certificate.validity().not_after.timestamp().checked_mul(1000)
}
