//! Bare HTTP check: connect, (TLS handshake,) GET, read the body, close; 64 at a time on one core.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::roles::{Count, say};
use crate::stats::quantile;

#[derive(Debug, clap::Args)]
pub struct Options {
    #[arg(long)]
    pub port: u16,
    #[arg(long, default_value_t = 50)]
    pub hosts: u8,
    #[arg(long, default_value_t = 64)]
    pub concurrency: usize,
    #[arg(long)]
    pub seconds: f64,
    /// A full TLS handshake for each check.
    #[arg(long)]
    pub tls: bool,
    /// An uncached lookup for each check, from this name server on 127.0.0.1.
    #[arg(long)]
    pub dns: Option<u16>,
}

/// What one check needs; built once and shared, as a checker would.
struct Tools {
    port: u16,
    tls: Option<TlsConnector>,
    resolver: Option<TokioResolver>,
}

pub async fn run(options: Options) -> anyhow::Result<()> {
    let tools = Rc::new(Tools {
        port: options.port,
        tls: options.tls.then(connector).transpose()?,
        resolver: options.dns.map(resolver).transpose()?,
    });
    let begun = Instant::now();
    let end = begun + Duration::from_secs_f64(options.seconds);
    let local = tokio::task::LocalSet::new();
    let (latencies, errors) = local
        .run_until(async {
            let tasks: Vec<_> = (0..options.concurrency)
                .map(|n| {
                    let tools = Rc::clone(&tools);
                    let hosts = options.hosts;
                    tokio::task::spawn_local(async move {
                        let (mut times, mut errors) = (Vec::new(), 0_u64);
                        let mut turn = u32::try_from(n).unwrap_or(0);
                        while Instant::now() < end {
                            turn = turn.wrapping_add(1);
                            let host = u8::try_from(turn % u32::from(hosts)).unwrap_or(0) + 1;
                            let begun = Instant::now();
                            match check(&tools, host, turn).await {
                                Ok(()) => times.push(begun.elapsed().as_secs_f64() * 1e6),
                                Err(_) => errors += 1,
                            }
                        }
                        (times, errors)
                    })
                })
                .collect();
            let mut all = (Vec::new(), 0);
            for task in tasks {
                let (times, errors) = task.await.unwrap_or_default();
                all.0.extend(times);
                all.1 += errors;
            }
            all
        })
        .await;
    say(&Count {
        operations: u64::try_from(latencies.len())?,
        errors,
        seconds: begun.elapsed().as_secs_f64(),
        cpu_seconds: crate::cpu::time_of(std::process::id())?.as_secs_f64(),
        p50_us: quantile(&latencies, 0.5),
        p99_us: quantile(&latencies, 0.99),
        bytes: 0,
    })
}

async fn check(tools: &Tools, host: u8, number: u32) -> anyhow::Result<()> {
    let address = match &tools.resolver {
        Some(resolver) => resolver.lookup_ip(format!("m{number}.bench.test.")).await?.iter().next().context("no address")?,
        None => IpAddr::V4(Ipv4Addr::new(127, 0, 1, host)),
    };
    let stream = TcpStream::connect(SocketAddr::new(address, tools.port)).await?;
    stream.set_nodelay(true)?;
    match &tools.tls {
        Some(connector) => {
            let name = rustls_pki_types::ServerName::IpAddress(address.into());
            get(connector.connect(name, stream).await?, number).await
        }
        None => get(stream, number).await,
    }
}

/// One GET on a connection of its own.
pub async fn get<S: AsyncRead + AsyncWrite + Unpin + 'static>(stream: S, number: u32) -> anyhow::Result<()> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(format!("/m/{number}")).header("host", "target").body(Empty::<Bytes>::new())?;
    let exchange = async {
        let response = sender.send_request(request).await?;
        anyhow::ensure!(response.status().is_success(), "status {}", response.status());
        response.into_body().collect().await?;
        drop(sender);
        Ok(())
    };
    let (done, closed) = tokio::join!(exchange, connection);
    closed?;
    done
}

/// A connector that takes any certificate: the handshake is measured, not the trust store.
fn connector() -> anyhow::Result<TlsConnector> {
    let provider = rustls::crypto::CryptoProvider::get_default().context("no crypto provider")?;
    let mut config = rustls::ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(Arc::clone(provider))))
        .with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Checks the handshake's signature, as every checker must, and no chain.
#[derive(Debug)]
struct AnyCertificate(Arc<rustls::crypto::CryptoProvider>);

impl rustls::client::danger::ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &rustls_pki_types::CertificateDer<'_>,
        _intermediates: &[rustls_pki_types::CertificateDer<'_>],
        _server_name: &rustls_pki_types::ServerName<'_>,
        _ocsp_response: &[u8],
        _now: rustls_pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &rustls_pki_types::CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &rustls_pki_types::CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn resolver(port: u16) -> anyhow::Result<TokioResolver> {
    let mut server = NameServerConfig::udp(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let mut connection = ConnectionConfig::udp();
    connection.port = port;
    server.connections = vec![connection];
    let mut builder =
        TokioResolver::builder_with_config(ResolverConfig::from_parts(None, Vec::new(), vec![server]), TokioRuntimeProvider::default());
    let options = builder.options_mut();
    options.cache_size = 0;
    options.ip_strategy = LookupIpStrategy::Ipv4Only;
    options.use_hosts_file = ResolveHosts::Never;
    Ok(builder.build()?)
}
