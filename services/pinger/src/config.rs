//! Settings of the pinger, read once.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use cache::CacheConfig;
use directory::ClientConfig;
use egress::{EgressConfig, parse_networks};
use events::Topics;
use kafka::{KafkaConfig, Security};
use model::Region;
use service::{ConfigError, Env, ExposeSecret as _};

use crate::check::Confirm;

/// Everything the pinger can be told.
#[derive(Debug, Clone)]
pub struct Config {
    pub region: Region,
    pub users: ClientConfig,
    pub cache: CacheConfig,
    pub kafka: KafkaConfig,
    pub topics: Topics,
    pub egress: EgressConfig,
    /// Checks under way at once.
    pub concurrency: usize,
    /// Checks of one host under way at once.
    pub host_concurrency: usize,
    pub confirm: Confirm,
    /// How long a region waits for a dead pinger's shards.
    pub lease: Duration,
    /// Where results wait while Kafka is away.
    pub spool_dir: PathBuf,
    /// The most the spool may hold.
    pub spool_bytes: u64,
    /// `host:port` each; if all fail, the results of this pinger are suspect.
    pub canaries: Vec<String>,
}

impl Config {
    /// Reads the environment; every mistake is named at once.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let region = env.or("REGION", "local".to_owned());
        let users_url = env.or("USERS_URL", "http://127.0.0.1:8081".to_owned());
        let key = env.secret("INTERNAL_API_KEY", "0123456789abcdef0123456789abcdef");
        let redis = env.secret("REDIS_URL", "redis://127.0.0.1:6379");
        let redis_prefix = env.or("REDIS_PREFIX", "upmesh".to_owned());
        let brokers = env.required::<String>("KAFKA_BROKERS", "127.0.0.1:9092");
        let fetch_wait_ms = env.or("KAFKA_FETCH_WAIT_MS", 500_u32);
        let security = security(env);
        let topic_prefix = env.or("TOPIC_PREFIX", String::new());
        let networks = parse_networks(env.get("ALLOWED_TARGET_NETWORKS").unwrap_or_default())
            .map_err(|problem| env.reject("ALLOWED_TARGET_NETWORKS", problem, Some("127.0.0.0/8,::1/128")));
        let extra_roots = env.optional::<PathBuf>("SSL_CERT_FILE");
        let name_servers = env.list::<SocketAddr>("NAME_SERVERS");
        let concurrency = env.or("CHECK_CONCURRENCY", 4096_usize);
        let host_concurrency = env.or("HOST_CONCURRENCY", 1024_usize);
        let pause_ms = env.or("CONFIRM_PAUSE_MS", 200_i64);
        let lease_ms = env.or("LEASE_MS", 6000_u64);
        let spool_dir = env.or("SPOOL_DIR", format!("{}/spool", env.get("DATA_DIR").unwrap_or(".upmesh")));
        let spool_mb = env.or("SPOOL_MB", 512_u64);
        let canaries = env.list::<String>("CANARY_TARGETS");
        let region = region.and_then(|name| name.parse::<Region>().map_err(|error| env.reject("REGION", error, Some("local"))));
        env.check()?;

        let mut kafka = KafkaConfig::new(brokers?, "upmesh-pinger").fetch_wait_ms(fetch_wait_ms?);
        // Soon enough on disk: what is not acknowledged by then goes to the spool.
        kafka.delivery_timeout = Duration::from_secs(5);
        kafka.queue_records = 50_000;
        kafka.security = security?;
        Ok(Self {
            region: region?,
            users: ClientConfig::new(&users_url?, key?),
            cache: CacheConfig::new(redis?, &redis_prefix?),
            kafka,
            topics: Topics::new(&topic_prefix?),
            egress: EgressConfig {
                allowed: networks?,
                extra_roots: extra_roots?,
                name_servers: Some(name_servers?).filter(|list| !list.is_empty()),
            },
            concurrency: concurrency?.max(1),
            host_concurrency: host_concurrency?.max(1),
            confirm: Confirm { pause: u64::try_from(pause_ms?).ok().map(Duration::from_millis) },
            lease: Duration::from_millis(lease_ms?.max(1000)),
            spool_dir: spool_dir?.into(),
            spool_bytes: spool_mb?.max(1) * 1024 * 1024,
            canaries: canaries?,
        })
    }
}

fn security(env: &Env) -> Result<Option<Security>, ConfigError> {
    let Some(protocol) = env.optional::<String>("KAFKA_SECURITY_PROTOCOL")? else { return Ok(None) };
    Ok(Some(Security {
        protocol,
        sasl_mechanism: env.optional("KAFKA_SASL_MECHANISM")?,
        sasl_username: env.optional("KAFKA_SASL_USERNAME")?,
        sasl_password: env.secret_optional("KAFKA_SASL_PASSWORD")?.map(|secret| secret.expose_secret().to_owned()),
        ca_location: env.optional("KAFKA_CA_LOCATION")?,
    }))
}
