//! Settings of the alerter, read once.

use std::time::Duration;

use cache::CacheConfig;
use directory::ClientConfig;
use egress::EgressConfig;
use events::Topics;
use kafka::KafkaConfig;
use secrecy::SecretString;
use service::{ConfigError, Env};

/// Everything the alerter can be told.
#[derive(Debug, Clone)]
pub struct Settings {
    pub database: SecretString,
    pub database_pool: u32,
    pub users: ClientConfig,
    pub cache: CacheConfig,
    pub kafka: KafkaConfig,
    pub topics: Topics,
    /// Kafka's consumer group: with the prefix, as the topics have it, so that meshes on one cluster stay apart.
    pub group: String,
    pub egress: EgressConfig,
    /// Where people look: links in messages lead there.
    pub public_url: String,
    /// Slack's API, or a fake of it.
    pub slack_api_url: String,
    /// Asked once a minute while results are truly being judged.
    pub heartbeat_url: Option<SecretString>,
    pub heartbeat_period: Duration,
}

impl Settings {
    /// Reads the environment; every mistake is named at once.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let database = settings::database(env);
        let database_pool = env.or("ALERTER_DATABASE_POOL", 8_u32);
        let users = settings::users(env);
        let cache = settings::redis(env);
        let kafka = settings::kafka(env, "alerter");
        let topic_prefix = settings::topic_prefix(env);
        let egress = settings::egress(env);
        let public_url = env.or("PUBLIC_URL", "http://127.0.0.1:8080".to_owned());
        let slack_api_url = env.or("SLACK_API_URL", "https://slack.com/api".to_owned());
        let heartbeat_url = env.secret_optional("HEARTBEAT_URL");
        let heartbeat_ms = env.or("HEARTBEAT_PERIOD_MS", 60_000_u64);
        env.check()?;
        let topic_prefix = topic_prefix?;
        Ok(Self {
            database: database?,
            database_pool: database_pool?.max(2),
            users: users?,
            cache: cache?,
            kafka: kafka?,
            topics: Topics::new(&topic_prefix),
            group: format!("{topic_prefix}alerter"),
            egress: egress?,
            public_url: public_url?,
            slack_api_url: slack_api_url?,
            heartbeat_url: heartbeat_url?,
            heartbeat_period: Duration::from_millis(heartbeat_ms?.max(100)),
        })
    }
}
