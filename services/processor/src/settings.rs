//! Settings from the environment.

use std::time::Duration;

use cache::CacheConfig;
use kafka::KafkaConfig;
use model::Millis;
use secrecy::SecretString;
use service::{ConfigError, Env};

const DAY_MS: Millis = 24 * 3_600_000;

/// Where things are and how often history is flushed.
#[derive(Debug, Clone)]
pub struct Settings {
    pub kafka: KafkaConfig,
    pub topic_prefix: String,
    pub cache: CacheConfig,
    pub database: SecretString,
    pub database_pool: u32,
    /// How old unflushed history may grow.
    pub flush_after: Duration,
    /// How long blocks are kept.
    pub retention_ms: Millis,
    /// How long day roll-ups are kept.
    pub rollup_retention_ms: Millis,
}

impl Settings {
    /// The processors' consumer group.
    pub fn group(&self) -> String {
        format!("{}processor", self.topic_prefix)
    }

    pub fn read(env: &Env) -> Result<Self, ConfigError> {
        let kafka = settings::kafka(env, "processor");
        let topic_prefix = settings::topic_prefix(env);
        let cache = settings::redis(env);
        let database = settings::database(env);
        let database_pool = env.or("DATABASE_POOL", 6_u32);
        let flush_seconds = env.or("FLUSH_SECONDS", 30.0_f64);
        let retention_days = env.or("CHECK_RETENTION_DAYS", 30_u32);
        if retention_days.as_ref().is_ok_and(|days| !(1..=3650).contains(days)) {
            env.reject("CHECK_RETENTION_DAYS", "must lie between 1 and 3650 days", Some("30"));
        }
        if flush_seconds.as_ref().is_ok_and(|seconds| !(0.05..=600.0).contains(seconds)) {
            env.reject("FLUSH_SECONDS", "must lie between 0.05 and 600 seconds", Some("30"));
        }
        env.check()?;
        Ok(Self {
            kafka: kafka?,
            topic_prefix: topic_prefix?,
            cache: cache?,
            database: database?,
            database_pool: database_pool?,
            flush_after: Duration::from_secs_f64(flush_seconds?),
            retention_ms: Millis::from(retention_days?) * DAY_MS,
            rollup_retention_ms: 400 * DAY_MS,
        })
    }
}
