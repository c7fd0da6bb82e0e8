//! Settings from the environment.

use std::net::SocketAddr;

use secrecy::SecretString;
use service::{ConfigError, Env};
use url::Url;

/// What the gateway needs to know.
pub(crate) struct Settings {
    pub address: SocketAddr,
    pub users_url: String,
    pub internal_key: SecretString,
    pub redis_url: SecretString,
    pub redis_prefix: String,
    pub database_url: SecretString,
    /// Where history is read; the database itself where there is no replica.
    pub replica_url: SecretString,
    /// For how many days single checks are kept.
    pub retention_days: u32,
    /// Where people reach us; links and the origin check use it.
    pub public_url: Url,
    /// How many of our own proxies stand before us.
    pub trusted_proxies: usize,
}

impl Settings {
    pub(crate) fn read(env: &Env) -> Result<Self, ConfigError> {
        let address = env.or("GATEWAY_ADDR", SocketAddr::from(([127, 0, 0, 1], 8080)));
        let users_url = env.or("USERS_URL", "http://127.0.0.1:8081".to_owned());
        let internal_key = env.secret("INTERNAL_API_KEY", "$(openssl rand -hex 32)");
        let redis_url = env.secret("REDIS_URL", "redis://127.0.0.1:6379");
        let redis_prefix = env.or("REDIS_PREFIX", "upmesh".to_owned());
        let database_url = env.secret("DATABASE_URL", "postgres://upmesh:secret@127.0.0.1:5432/upmesh");
        let replica_url = env.secret_optional("DATABASE_READ_URL");
        let retention_days = env.or("CHECK_RETENTION_DAYS", 30_u32);
        let public_url = env.or("PUBLIC_URL", "http://127.0.0.1:8080".to_owned()).and_then(|text| public_url(env, &text));
        let trusted_proxies = env.or("TRUSTED_PROXIES", 0_usize);
        env.check()?;
        let database_url = database_url?;
        Ok(Self {
            address: address?,
            users_url: users_url?,
            internal_key: internal_key?,
            redis_url: redis_url?,
            redis_prefix: redis_prefix?,
            replica_url: replica_url?.unwrap_or_else(|| database_url.clone()),
            database_url,
            retention_days: retention_days?,
            public_url: public_url?,
            trusted_proxies: trusted_proxies?,
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
        assert_eq!(settings.replica_url.expose_secret(), "postgres://replica");
    }
}
