//! Names to addresses: hickory with its cache by TTL, `/etc/hosts` first. Tells a name that does not
//! exist (the target's trouble) from a resolver that does not answer (ours).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::RecordType;

use crate::client::EgressError;
use crate::failure::{Broken, FailureKind};

/// Of one query to one name server.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);
/// A mended name is seen after this long at the latest.
const LONGEST_NEGATIVE_TTL: Duration = Duration::from_secs(30);
/// A moved target is followed after this long at the latest.
const LONGEST_TTL: Duration = Duration::from_mins(5);

pub(crate) struct Resolver {
    dns: TokioResolver,
}

impl Resolver {
    /// Asks the system's name servers (`/etc/resolv.conf`), or those given.
    pub(crate) fn new(name_servers: Option<&[SocketAddr]>) -> Result<Self, EgressError> {
        let unusable = |error: NetError| EgressError::Resolver(error.to_string());
        let mut builder = match name_servers {
            None => TokioResolver::builder_tokio().map_err(unusable)?,
            Some(servers) => {
                let servers = servers.iter().map(|server| name_server(*server)).collect();
                TokioResolver::builder_with_config(ResolverConfig::from_name_servers(servers), TokioRuntimeProvider::default())
            }
        };
        let options = builder.options_mut();
        options.timeout = QUERY_TIMEOUT;
        options.attempts = 1;
        options.cache_size = 32 * 1024;
        options.max_active_requests = 4096;
        options.negative_max_ttl = Some(LONGEST_NEGATIVE_TTL);
        options.positive_max_ttl = Some(LONGEST_TTL);
        options.ip_strategy = LookupIpStrategy::Ipv4Only;
        Ok(Self { dns: builder.build().map_err(unusable)? })
    }

    /// IPv4 addresses of `host`, or the IPv6 ones where it has no others.
    pub(crate) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Broken> {
        let name = absolute(host);
        match self.lookup(&name, RecordType::A).await {
            // NXDOMAIN speaks of the name, not of a type: asking for another would learn nothing.
            Err(Missing::Name) => Err(not_found(host)),
            Err(Missing::Addresses) => self.addresses_v6(host).await,
            Err(Missing::Answer(broken)) => Err(broken),
            Ok(addresses) => Ok(addresses),
        }
    }

    /// IPv6 addresses of `host`: for a pinger that has no way to its IPv4 ones.
    pub(crate) async fn addresses_v6(&self, host: &str) -> Result<Vec<IpAddr>, Broken> {
        self.lookup(&absolute(host), RecordType::AAAA).await.map_err(|missing| match missing {
            Missing::Name | Missing::Addresses => not_found(host),
            Missing::Answer(broken) => broken,
        })
    }

    async fn lookup(&self, name: &str, record: RecordType) -> Result<Vec<IpAddr>, Missing> {
        match self.dns.lookup(name, record).await {
            Ok(lookup) => {
                let addresses: Vec<IpAddr> = lookup.answers().iter().filter_map(|record| record.data.ip_addr()).collect();
                if addresses.is_empty() { Err(Missing::Addresses) } else { Ok(addresses) }
            }
            Err(NetError::Dns(DnsError::NoRecordsFound(none))) => {
                if none.response_code == hickory_resolver::proto::op::ResponseCode::NXDomain {
                    Err(Missing::Name)
                } else {
                    Err(Missing::Addresses)
                }
            }
            Err(error) => Err(Missing::Answer(Broken::new(FailureKind::Resolver, format!("our resolver has no answer: {error}")))),
        }
    }
}

enum Missing {
    /// The name does not exist.
    Name,
    /// The name exists, without such an address.
    Addresses,
    /// The resolver failed.
    Answer(Broken),
}

fn not_found(host: &str) -> Broken {
    Broken::new(FailureKind::DnsNotFound, format!("{} does not exist or has no address", host.trim_end_matches('.')))
}

/// A name with a dot is meant as it stands; search domains (Kubernetes lists four) apply only to bare
/// names such as a Compose service's.
fn absolute(host: &str) -> std::borrow::Cow<'_, str> {
    if host.contains('.') && !host.ends_with('.') { format!("{host}.").into() } else { host.into() }
}

fn name_server(server: SocketAddr) -> NameServerConfig {
    let on_port = |mut connection: ConnectionConfig| {
        connection.port = server.port();
        connection
    };
    NameServerConfig::new(server.ip(), true, vec![on_port(ConnectionConfig::udp()), on_port(ConnectionConfig::tcp())])
}
