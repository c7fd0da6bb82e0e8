use std::sync::Arc;
use std::time::Duration;

use egress::{Egress, EgressConfig, FailureKind};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;

use crate::servers::{Server, no_tls, server};
use crate::{Get, loopback};

/// An authority of our own, and its certificate as a file.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: tempfile::NamedTempFile,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { issuer: Issuer::new(params, key), file }
    }

    /// A server with a certificate for `name`, good until the end of `year`.
    async fn server(&self, name: &str, year: i32) -> Server {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(year, 12, 31);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        serving(certificate.der().clone(), &key).await
    }

    fn trusted(&self) -> Egress {
        Egress::new(&EgressConfig { extra_roots: Some(self.file.path().to_owned()), ..loopback() }).unwrap()
    }
}

async fn serving(certificate: CertificateDer<'static>, key: &KeyPair) -> Server {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    server(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let _ = stream.read_buf(&mut Vec::with_capacity(4096)).await;
            // Without a length and without TLS's farewell, as many servers do it.
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nsecure").await;
            let _ = stream.flush().await;
        }
    })
    .await
}

fn url(server: &Server, host: &str) -> String {
    format!("https://{host}:{}/", server.address.port())
}

#[tokio::test]
async fn a_trusted_certificate_is_up_and_tells_when_it_expires() {
    let authority = Authority::new();
    let server = authority.server("localhost", 2049).await;
    let answer = Get::new(&url(&server, "localhost")).ask(&authority.trusted()).await.unwrap();
    assert_eq!((answer.status, &answer.body[..]), (200, &b"secure"[..]));
    assert_eq!(answer.certificate_expires_at, Some(date_time_ymd(2049, 12, 31).unix_timestamp() * 1000));
    assert!(answer.timings.tls.is_some_and(|tls| tls > Duration::ZERO) && answer.timings.resolve.is_some());
}

#[tokio::test]
async fn a_certificate_that_does_not_hold_is_the_targets_failure_unless_it_is_not_to_be_verified() {
    let authority = Authority::new();
    let (other_name, expired) = (authority.server("example.com", 2049).await, authority.server("localhost", 2020).await);
    let good = authority.server("localhost", 2049).await;
    let (trusted, stranger) = (authority.trusted(), crate::egress());
    for (server, egress) in [(&other_name, &trusted), (&expired, &trusted), (&good, &stranger)] {
        let url = url(server, "localhost");
        assert_eq!(Get::new(&url).fails(egress).await, FailureKind::Certificate);
        let mut lax = Get::new(&url);
        lax.verify_tls = false;
        let answer = lax.ask(egress).await.unwrap();
        assert!(answer.certificate_expires_at.is_some());
    }
}

#[tokio::test]
async fn what_is_no_tls_is_a_failed_handshake() {
    let egress = crate::egress();
    let plain = no_tls().await;
    assert_eq!(Get::new(&url(&plain, "127.0.0.1")).fails(&egress).await, FailureKind::Tls);
    let closing = server(async |_stream| {});
    assert_eq!(Get::new(&url(&closing.await, "127.0.0.1")).fails(&egress).await, FailureKind::Reset);
    let mute = server(async |stream| {
        std::future::pending::<()>().await;
        drop(stream);
    });
    assert_eq!(Get::new(&url(&mute.await, "127.0.0.1")).fails(&egress).await, FailureKind::Timeout);
}

#[tokio::test]
async fn https_is_not_left_for_http() {
    let authority = Authority::new();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &authority.issuer).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let server = server(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let _ = stream.read_buf(&mut Vec::with_capacity(4096)).await;
            let _ = stream.write_all(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n").await;
            let _ = stream.shutdown().await;
        }
    })
    .await;
    assert_eq!(Get::new(&url(&server, "localhost")).fails(&authority.trusted()).await, FailureKind::Redirect);
}

#[tokio::test]
async fn a_file_that_holds_no_certificates_stops_the_start() {
    let error = Egress::new(&EgressConfig { extra_roots: Some("/nowhere/roots.pem".into()), ..loopback() }).unwrap_err();
    assert!(error.to_string().contains("SSL_CERT_FILE"), "{error}");
}
