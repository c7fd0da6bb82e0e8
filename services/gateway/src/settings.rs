//! Settings from the environment.

use std::net::SocketAddr;

use cache::CacheConfig;
use directory::ClientConfig;
use kafka::KafkaConfig;
use secrecy::SecretString;
use service::{ConfigError, Env};
use url::Url;

/// What the gateway needs to know.
pub(crate) struct Settings {
    pub address: SocketAddr,
    pub users: ClientConfig,
    pub cache: CacheConfig,
    pub database: SecretString,
    /// Where history is read; the database itself where there is no replica.
    pub replica: SecretString,
    /// For how many days single checks are kept.
    pub retention_days: u32,
    /// Where people reach us; links and the origin check use it.
    pub public_url: Url,
    /// How many of our own proxies stand before us.
    pub trusted_proxies: usize,
    /// For the readers' lag and dead letters; without it the gateway knows neither.
    pub kafka: Option<KafkaConfig>,
    pub topic_prefix: String,
}

impl Settings {
    pub(crate) fn read(env: &Env) -> Result<Self, ConfigError> {
        let address = env.or("GATEWAY_ADDR", SocketAddr::from(([127, 0, 0, 1], 8080)));
        let users = settings::users(env);
        let cache = settings::redis(env);
        let database = settings::database(env);
        let replica = env.secret_optional("DATABASE_READ_URL");
        let retention_days = env.or("CHECK_RETENTION_DAYS", 30_u32);
        let public_url = env.or("PUBLIC_URL", "http://127.0.0.1:8080".to_owned()).and_then(|text| public_url(env, &text));
        let trusted_proxies = env.or("TRUSTED_PROXIES", 0_usize);
        let kafka = env.get("KAFKA_BROKERS").is_some().then(|| settings::kafka(env, "gateway")).transpose();
        let topic_prefix = settings::topic_prefix(env);
        env.check()?;
        let database = database?;
        Ok(Self {
            address: address?,
            users: users?,
            cache: cache?,
            replica: replica?.unwrap_or_else(|| database.clone()),
            database,
            retention_days: retention_days?,
            public_url: public_url?,
            trusted_proxies: trusted_proxies?,
            kafka: kafka?,
            topic_prefix: topic_prefix?,
        })
    }
}

fn public_url(env: &Env, text: &str) -> Result<Url, ConfigError> {
    let parsed = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some());
    parsed.ok_or_else(|| env.reject("PUBLIC_URL", "is no http:// or https:// address", Some("https://status.example.com")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_is_named() {
        let env = Env::from_pairs([("PUBLIC_URL", "status.example.com"), ("GATEWAY_ADDR", "8080")]);
        let shown = Settings::read(&env).err().map(|error| error.to_string()).unwrap_or_default();
        for name in ["PUBLIC_URL", "GATEWAY_ADDR", "INTERNAL_API_KEY", "REDIS_URL", "DATABASE_URL"] {
            assert!(shown.contains(name), "{name} is missing in {shown}");
        }
    }

    #[test]
    fn the_read_replica_comes_first() {
        use secrecy::ExposeSecret as _;
        let env = Env::from_pairs([
            ("INTERNAL_API_KEY", "k"),
            ("REDIS_URL", "redis://r"),
            ("DATABASE_URL", "postgres://first"),
            ("DATABASE_READ_URL", "postgres://replica"),
        ]);
        let settings = Settings::read(&env).expect("settings");
        assert_eq!(settings.replica.expose_secret(), "postgres://replica");
    }
}
