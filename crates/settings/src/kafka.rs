//! How to reach the cluster.

use kafka::{KafkaConfig, Security};
use secrecy::ExposeSecret;
use service::{ConfigError, Env};

const PROTOCOLS: [&str; 4] = ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"];

/// `KAFKA_BROKERS`, `KAFKA_FETCH_WAIT_MS` and, for a secured cluster, `KAFKA_SECURITY_PROTOCOL` with `KAFKA_SASL_*` and
/// `KAFKA_SSL_CA_LOCATION`. `service` is the client's name in the broker's logs and quotas.
pub fn kafka(env: &Env, service: &str) -> Result<KafkaConfig, ConfigError> {
    let brokers = env.required::<String>("KAFKA_BROKERS", "127.0.0.1:9092");
    let fetch_wait_ms = env.or("KAFKA_FETCH_WAIT_MS", 500_u32);
    let security = security(env);
    let mut config = KafkaConfig::new(brokers?, format!("upmesh-{service}")).fetch_wait_ms(fetch_wait_ms?);
    config.security = security?;
    Ok(config)
}

fn security(env: &Env) -> Result<Option<Security>, ConfigError> {
    let Some(protocol) = env.optional::<String>("KAFKA_SECURITY_PROTOCOL")?.map(|name| name.to_lowercase()) else { return Ok(None) };
    if !PROTOCOLS.contains(&protocol.as_str()) {
        return Err(env.reject("KAFKA_SECURITY_PROTOCOL", format!("is none of {}", PROTOCOLS.join(", ")), Some("sasl_ssl")));
    }
    Ok(Some(Security {
        protocol,
        sasl_mechanism: env.optional("KAFKA_SASL_MECHANISM")?,
        sasl_username: env.optional("KAFKA_SASL_USERNAME")?,
        sasl_password: env.secret_optional("KAFKA_SASL_PASSWORD")?.map(|secret| secret.expose_secret().to_owned()),
        ca_location: env.optional("KAFKA_SSL_CA_LOCATION")?,
    }))
}
