//! Settings of the alerter, read once.

use std::net::SocketAddr;
use std::path::PathBuf;

use cache::CacheConfig;
use directory::ClientConfig;
use egress::{EgressConfig, parse_networks};
use events::Topics;
use kafka::{KafkaConfig, Security};
use secrecy::SecretString;
use service::{ConfigError, Env, ExposeSecret};

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
}

impl Settings {
    /// Reads the environment; every mistake is named at once.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let database = env.secret("DATABASE_URL", "postgres://upmesh:secret@127.0.0.1:5432/upmesh");
        let database_pool = env.or("ALERTER_DATABASE_POOL", 8_u32);
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
        let public_url = env.or("PUBLIC_URL", "http://127.0.0.1:8080".to_owned());
        let slack_api_url = env.or("SLACK_API_URL", "https://slack.com/api".to_owned());
        let heartbeat_url = env.secret_optional("HEARTBEAT_URL");
        env.check()?;

        let mut kafka = KafkaConfig::new(brokers?, "upmesh-alerter").fetch_wait_ms(fetch_wait_ms?);
        kafka.security = security?;
        let topic_prefix = topic_prefix?;
        Ok(Self {
            database: database?,
            database_pool: database_pool?.max(2),
            users: ClientConfig::new(&users_url?, key?),
            cache: CacheConfig::new(redis?, &redis_prefix?),
            kafka,
            topics: Topics::new(&topic_prefix),
            group: format!("{topic_prefix}alerter"),
            egress: EgressConfig {
                allowed: networks?,
                extra_roots: extra_roots?,
                name_servers: Some(name_servers?).filter(|list| !list.is_empty()),
            },
            public_url: public_url?,
            slack_api_url: slack_api_url?,
            heartbeat_url: heartbeat_url?,
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
