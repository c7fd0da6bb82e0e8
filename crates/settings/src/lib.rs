//! What several services are told, read in one place: one name, one default and one complaint for each variable.
//!
//! Every function reads its own part of the environment; a mistake is kept by [`Env`] too, so that
//! [`Env::check`] names all of them at once.

mod egress;
mod kafka;

use cache::CacheConfig;
use directory::ClientConfig;
use events::Topics;
use secrecy::SecretString;
use service::{ConfigError, Env};

pub use crate::egress::egress;
pub use crate::kafka::kafka;

/// An example in messages about keys.
pub const KEY_EXAMPLE: &str = "$(openssl rand -hex 32)";

/// `DATABASE_URL`.
pub fn database(env: &Env) -> Result<SecretString, ConfigError> {
    env.secret("DATABASE_URL", "postgres://upmesh:secret@127.0.0.1:5432/upmesh")
}

/// `REDIS_URL` and `REDIS_PREFIX` (`upmesh`).
pub fn redis(env: &Env) -> Result<CacheConfig, ConfigError> {
    let url = env.secret("REDIS_URL", "redis://127.0.0.1:6379");
    let prefix = env.or("REDIS_PREFIX", "upmesh".to_owned());
    Ok(CacheConfig::new(url?, &prefix?))
}

/// `USERS_URL` (`http://127.0.0.1:8081`) and `INTERNAL_API_KEY`.
pub fn users(env: &Env) -> Result<ClientConfig, ConfigError> {
    let url = env.or("USERS_URL", "http://127.0.0.1:8081".to_owned());
    let key = env.secret("INTERNAL_API_KEY", KEY_EXAMPLE);
    Ok(ClientConfig::new(&url?, key?))
}

/// `TOPIC_PREFIX`, empty unless several meshes share a cluster.
pub fn topic_prefix(env: &Env) -> Result<String, ConfigError> {
    env.or("TOPIC_PREFIX", String::new())
}

/// The topics by their names in this mesh.
pub fn topics(env: &Env) -> Result<Topics, ConfigError> {
    topic_prefix(env).map(|prefix| Topics::new(&prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_missing_is_named_at_once() {
        let env = Env::from_pairs([] as [(&str, &str); 0]);
        let missing = [database(&env).is_err(), redis(&env).is_err(), users(&env).is_err(), kafka(&env, "test").is_err()];
        assert_eq!(missing, [true; 4]);
        let shown = env.check().err().map(|error| error.to_string()).unwrap_or_default();
        for name in ["DATABASE_URL", "REDIS_URL", "INTERNAL_API_KEY", "KAFKA_BROKERS"] {
            assert!(shown.contains(name), "{name} is missing in {shown}");
        }
    }

    #[test]
    fn a_network_that_is_none_is_refused() {
        let env = Env::from_pairs([("ALLOWED_TARGET_NETWORKS", "10.0.0.0/99")]);
        let shown = egress(&env).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(shown.contains("ALLOWED_TARGET_NETWORKS") && shown.contains("10.0.0.0/99"), "{shown}");
    }
}
