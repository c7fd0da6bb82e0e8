//! Settings from the environment.

use std::time::Duration;

use kafka::{KafkaConfig, Security};
use model::Millis;
use secrecy::{ExposeSecret, SecretString};
use service::{ConfigError, Env};

const DAY_MS: Millis = 24 * 3_600_000;

/// Where things are and how often history is flushed.
#[derive(Debug, Clone)]
pub struct Settings {
    pub kafka: KafkaConfig,
    pub topic_prefix: String,
    pub redis_url: SecretString,
    pub redis_prefix: String,
    pub database_url: SecretString,
    pub database_pool: u32,
    /// How old unflushed history may grow.
    pub flush_after: Duration,
    /// How long blocks are kept.
    pub retention_ms: Millis,
    /// How long day roll-ups are kept.
    pub rollup_retention_ms: Millis,
}

impl Settings {
    pub fn read(env: &Env) -> Result<Self, ConfigError> {
        let brokers = env.required::<String>("KAFKA_BROKERS", "127.0.0.1:9092");
        let fetch_wait_ms = env.or("KAFKA_FETCH_WAIT_MS", 500_u32);
        let security = security(env);
        let topic_prefix = env.or("TOPIC_PREFIX", String::new());
        let redis_url = env.secret("REDIS_URL", "redis://127.0.0.1:6379");
        let redis_prefix = env.or("REDIS_PREFIX", "upmesh".to_owned());
        let database_url = env.secret("DATABASE_URL", "postgres://upmesh:secret@127.0.0.1:5432/upmesh");
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
        let mut kafka = KafkaConfig::new(brokers?, "processor").fetch_wait_ms(fetch_wait_ms?);
        if let Some(security) = security? {
            kafka = kafka.security(security);
        }
        Ok(Self {
            kafka,
            topic_prefix: topic_prefix?,
            redis_url: redis_url?,
            redis_prefix: redis_prefix?,
            database_url: database_url?,
            database_pool: database_pool?,
            flush_after: Duration::from_secs_f64(flush_seconds?),
            retention_ms: Millis::from(retention_days?) * DAY_MS,
            rollup_retention_ms: 400 * DAY_MS,
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
        ca_location: env.optional("KAFKA_SSL_CA_LOCATION")?,
    }))
}
