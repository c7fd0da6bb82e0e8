//! Settings of the pinger, read once.

use std::path::PathBuf;
use std::time::Duration;

use cache::CacheConfig;
use directory::ClientConfig;
use egress::EgressConfig;
use events::Topics;
use kafka::KafkaConfig;
use model::Region;
use service::{ConfigError, Env};

use crate::check::Confirm;
use crate::sight::{Canary, parse};

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
    /// What should always answer; if none does, this pinger is blind.
    pub canaries: Vec<Canary>,
}

impl Config {
    /// Reads the environment; every mistake is named at once.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let region = env.or("REGION", "local".to_owned());
        let users = settings::users(env);
        let cache = settings::redis(env);
        let kafka = settings::kafka(env, "pinger");
        let topics = settings::topics(env);
        let egress = settings::egress(env);
        let concurrency = env.or("CHECK_CONCURRENCY", 4096_usize);
        let host_concurrency = env.or("HOST_CONCURRENCY", 1024_usize);
        let pause_ms = env.or("CONFIRM_PAUSE_MS", 200_i64);
        let lease_ms = env.or("LEASE_MS", 6000_u64);
        let spool_dir = env.or("SPOOL_DIR", format!("{}/spool", env.get("DATA_DIR").unwrap_or(".upmesh")));
        let spool_mb = env.or("SPOOL_MB", 512_u64);
        let canaries = env.list::<String>("CANARIES").and_then(|list| {
            let parsed: Result<Vec<Canary>, String> = list.iter().map(|one| parse(one)).collect();
            parsed.map_err(|problem| {
                env.reject("CANARIES", problem, Some("one.one.one.one:53,dns.google:53,https://www.gstatic.com/generate_204"))
            })
        });
        let region = region.and_then(|name| name.parse::<Region>().map_err(|error| env.reject("REGION", error, Some("local"))));
        env.check()?;

        let mut kafka = kafka?;
        // Soon enough on disk: what is not acknowledged by then goes to the spool.
        kafka.delivery_timeout = Duration::from_secs(5);
        kafka.queue_records = 50_000;
        // Larger batches: at thousands of checks a second each request to Kafka costs more than the wait is worth.
        kafka.linger_ms = 20;
        Ok(Self {
            region: region?,
            users: users?,
            cache: cache?,
            kafka,
            topics: topics?,
            egress: egress?,
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
