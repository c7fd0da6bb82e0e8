//! The door to the outside: [`Egress`].

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use ipnet::IpNet;
use tokio::net::TcpStream;
use url::Host;

use crate::dial::dial;
use crate::failure::{Broken, Failure, FailureKind};
use crate::guard::Guard;
use crate::resolve::Resolver;
use crate::tls::Tls;
use crate::trace::{Phase, Timings, Trace};

/// Settings of an [`Egress`].
#[derive(Debug, Clone, Default)]
pub struct EgressConfig {
    /// Dialled although not public (`ALLOWED_TARGET_NETWORKS`).
    pub allowed: Vec<IpNet>,
    /// A PEM file trusted beside Mozilla's roots (`SSL_CERT_FILE`).
    pub extra_roots: Option<PathBuf>,
    /// Asked instead of those in `/etc/resolv.conf`.
    pub name_servers: Option<Vec<SocketAddr>>,
}

/// Settings that cannot work.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    #[error("the resolver's configuration (/etc/resolv.conf) cannot be used: {0}")]
    Resolver(String),
    #[error("{file} (SSL_CERT_FILE) cannot be used as PEM certificates: {reason}")]
    Roots { file: PathBuf, reason: String },
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// Dials targets: resolver, address guard and TLS of one process. Cheap to clone. Proxies named in the
/// environment are never used: through one, the guard would judge the wrong address.
#[derive(Clone)]
pub struct Egress {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    guard: Guard,
    resolver: Resolver,
    pub(crate) tls: Tls,
}

impl std::fmt::Debug for Egress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Egress").field("guard", &self.inner.guard).finish_non_exhaustive()
    }
}

/// A TCP connection to a target, and what it took.
#[derive(Debug)]
pub struct Connected {
    pub stream: TcpStream,
    pub address: SocketAddr,
    pub timings: Timings,
}

impl Egress {
    /// Must be called inside a tokio runtime.
    pub fn new(config: &EgressConfig) -> Result<Self, EgressError> {
        Ok(Self {
            inner: Arc::new(Inner {
                guard: Guard::new(config.allowed.clone()),
                resolver: Resolver::new(config.name_servers.as_deref())?,
                tls: Tls::new(config.extra_roots.as_deref())?,
            }),
        })
    }

    /// The addresses of a host, each of which may be dialled.
    pub async fn resolve(&self, host: &str, deadline: Instant) -> Result<Vec<IpAddr>, Failure> {
        let mut trace = Trace::new();
        let host = parse_host(host).map_err(|broken| failed(&trace, broken))?;
        within(deadline, &mut trace, async |_| self.inner.addresses(&host).await).await
    }

    /// Resolves, judges, dials.
    pub async fn connect(&self, host: &str, port: u16, deadline: Instant) -> Result<Connected, Failure> {
        let mut trace = Trace::new();
        let host = parse_host(host).map_err(|broken| failed(&trace, broken))?;
        let (stream, address) = within(deadline, &mut trace, async |trace| {
            let connected = self.inner.reach(&host, port, trace).await?;
            trace.end();
            Ok(connected)
        })
        .await?;
        Ok(Connected { stream, address, timings: trace.timings })
    }
}

impl Inner {
    /// Addresses that may all be dialled: one forbidden among them is an attempt to slip through.
    async fn addresses(&self, host: &Host<impl AsRef<str>>) -> Result<Vec<IpAddr>, Broken> {
        let addresses = match host {
            Host::Ipv4(address) => vec![IpAddr::V4(*address)],
            Host::Ipv6(address) => vec![IpAddr::V6(*address)],
            Host::Domain(name) => self.resolver.addresses(name.as_ref()).await?,
        };
        self.judge(&addresses)?;
        Ok(addresses)
    }

    fn judge(&self, addresses: &[IpAddr]) -> Result<(), Broken> {
        addresses.iter().try_for_each(|address| self.guard.judge(*address)).map_err(Broken::from)
    }

    /// A connection to `host`. Enters the phases Resolve and Connect; leaves Connect to be ended.
    pub(crate) async fn reach(
        &self,
        host: &Host<impl AsRef<str>>,
        port: u16,
        trace: &mut Trace,
    ) -> Result<(TcpStream, SocketAddr), Broken> {
        let dialled = match host {
            Host::Domain(_) => {
                trace.enter(Phase::Resolve);
                let addresses = self.addresses(host).await?;
                trace.next(Phase::Connect);
                dial(&addresses, port).await
            }
            Host::Ipv4(address) => self.dial_literal((*address).into(), port, trace).await,
            Host::Ipv6(address) => self.dial_literal((*address).into(), port, trace).await,
        };
        match (dialled, host) {
            // No way to its IPv4 addresses from here: perhaps this is an IPv6-only network.
            (Err(broken), Host::Domain(name)) if broken.kind == FailureKind::LocalNetwork => {
                let Ok(addresses) = self.resolver.addresses_v6(name.as_ref()).await else { return Err(broken) };
                self.judge(&addresses)?;
                dial(&addresses, port).await
            }
            (dialled, _) => dialled,
        }
    }

    async fn dial_literal(&self, address: IpAddr, port: u16, trace: &mut Trace) -> Result<(TcpStream, SocketAddr), Broken> {
        self.guard.judge(address)?;
        trace.enter(Phase::Connect);
        dial(&[address], port).await
    }
}

/// The one parser of hosts, as for URLs: `0x7f.1` and full-width digits become the address they mean.
fn parse_host(host: &str) -> Result<Host<String>, Broken> {
    Host::parse(host).map_err(|_| Broken::new(FailureKind::Internal, "this is no host name or address"))
}

/// Runs an exchange up to the deadline, and dates its failure.
pub(crate) async fn within<T>(
    deadline: Instant,
    trace: &mut Trace,
    exchange: impl AsyncFnOnce(&mut Trace) -> Result<T, Broken>,
) -> Result<T, Failure> {
    // Handed straight to the timeout: a future that travels through another function's arguments is stored twice.
    let done = tokio::time::timeout_at(deadline.into(), exchange(&mut *trace)).await;
    match done {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(broken)) => Err(failed(trace, broken)),
        Err(_elapsed) => Err(failed(trace, late(trace.phase))),
    }
}

/// A deadline that passed while our resolver was asked is not the target's.
fn late(phase: Phase) -> Broken {
    match phase {
        Phase::Resolve => Broken::new(FailureKind::Resolver, "our resolver did not answer in time"),
        Phase::Connect => Broken::new(FailureKind::Timeout, "no connection in time"),
        Phase::Tls => Broken::new(FailureKind::Timeout, "no TLS handshake in time"),
        Phase::FirstByte => Broken::new(FailureKind::Timeout, "no answer in time"),
        Phase::Transfer => Broken::new(FailureKind::Timeout, "the answer did not end in time"),
    }
}

fn failed(trace: &Trace, broken: Broken) -> Failure {
    Failure { kind: broken.kind, phase: trace.phase, detail: broken.detail, timings: trace.timings }
}
