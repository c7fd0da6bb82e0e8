//! How to reach the cluster.

use kafka::{KafkaConfig, Security};
use secrecy::ExposeSecret;
use service::{ConfigError, Env};

const PROTOCOLS: [&str; 4] = ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"];
const MECHANISMS: [&str; 3] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];

/// `KAFKA_BROKERS`, `KAFKA_FETCH_WAIT_MS` and, for a secured cluster, `KAFKA_SECURITY_PROTOCOL` with `KAFKA_SASL_*` and
/// `KAFKA_SSL_*`. `service` is the client's name in the broker's logs and quotas.
pub fn kafka(env: &Env, service: &str) -> Result<KafkaConfig, ConfigError> {
    let brokers = env.required::<String>("KAFKA_BROKERS", "127.0.0.1:9092");
    let fetch_wait_ms = env.or("KAFKA_FETCH_WAIT_MS", 500_u32);
    let security = security(env);
    let mut config = KafkaConfig::new(brokers?, format!("upmesh-{service}")).fetch_wait_ms(fetch_wait_ms?);
    config.security = security?;
    Ok(config)
}

/// What does not go together is refused here, in our words: librdkafka would say so one by one, or in the midst of a connection.
fn security(env: &Env) -> Result<Option<Security>, ConfigError> {
    let protocol = env.optional::<String>("KAFKA_SECURITY_PROTOCOL")?.map_or_else(|| "plaintext".to_owned(), |name| name.to_lowercase());
    if !PROTOCOLS.contains(&protocol.as_str()) {
        return Err(env.reject("KAFKA_SECURITY_PROTOCOL", format!("is none of {}", PROTOCOLS.join(", ")), Some("sasl_ssl")));
    }
    let mut security = Security { protocol, ..Security::default() };
    sasl(env, &mut security)?;
    tls(env, &mut security)?;
    Ok((security.protocol != "plaintext").then_some(security))
}

fn sasl(env: &Env, security: &mut Security) -> Result<(), ConfigError> {
    let mechanism = env.optional::<String>("KAFKA_SASL_MECHANISM")?.map(|name| name.to_uppercase());
    if !security.protocol.starts_with("sasl_") {
        // Sent nowhere, while whoever set it believes that it is.
        let unused = mechanism.is_some() || env.secret_optional("KAFKA_SASL_PASSWORD")?.is_some();
        return if unused { Err(contradicts(env, security, "SASL", "sasl_ssl")) } else { Ok(()) };
    }
    if !mechanism.as_deref().is_some_and(|name| MECHANISMS.contains(&name)) {
        return Err(env.reject("KAFKA_SASL_MECHANISM", format!("is none of {}", MECHANISMS.join(", ")), Some("SCRAM-SHA-512")));
    }
    security.sasl_mechanism = mechanism;
    security.sasl_username = Some(env.required("KAFKA_SASL_USERNAME", "upmesh")?);
    security.sasl_password = Some(env.secret("KAFKA_SASL_PASSWORD", "the password of KAFKA_SASL_USERNAME")?.expose_secret().to_owned());
    Ok(())
}

fn tls(env: &Env, security: &mut Security) -> Result<(), ConfigError> {
    security.ca_location = readable(env, "KAFKA_SSL_CA_LOCATION")?;
    security.certificate_location = readable(env, "KAFKA_SSL_CERTIFICATE_LOCATION")?;
    security.key_location = readable(env, "KAFKA_SSL_KEY_LOCATION")?;
    security.key_password = env.secret_optional("KAFKA_SSL_KEY_PASSWORD")?.map(|secret| secret.expose_secret().to_owned());
    if !security.protocol.ends_with("ssl") {
        let unused = [&security.ca_location, &security.certificate_location, &security.key_location].into_iter().any(Option::is_some);
        return if unused { Err(contradicts(env, security, "SSL", "ssl")) } else { Ok(()) };
    }
    let (missing, given) = match (&security.certificate_location, &security.key_location) {
        (Some(_), None) => ("KAFKA_SSL_KEY_LOCATION", "KAFKA_SSL_CERTIFICATE_LOCATION"),
        (None, Some(_)) => ("KAFKA_SSL_CERTIFICATE_LOCATION", "KAFKA_SSL_KEY_LOCATION"),
        _ => return Ok(()),
    };
    Err(env.reject(missing, format!("is not set, though {given} is"), Some("/etc/upmesh/kafka/client.pem")))
}

/// A setting that the protocol has no use for.
fn contradicts(env: &Env, security: &Security, what: &str, example: &str) -> ConfigError {
    let problem = format!("is {}, though a KAFKA_{what}_… setting is there, which would not be used", security.protocol);
    env.reject("KAFKA_SECURITY_PROTOCOL", problem, Some(example))
}

/// A path to what can be read now.
fn readable(env: &Env, name: &str) -> Result<Option<String>, ConfigError> {
    let Some(path) = env.optional::<String>(name)? else { return Ok(None) };
    match std::fs::metadata(&path).and_then(|found| if found.is_dir() { Ok(()) } else { std::fs::File::open(&path).map(drop) }) {
        Ok(()) => Ok(Some(path)),
        Err(error) => Err(env.reject(name, format!("cannot read {path}: {error}"), Some("/etc/upmesh/kafka/ca.pem"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The settings of a cluster at `broker:9093`, and what is said against them.
    fn read(pairs: &[(&str, &str)]) -> (Option<Security>, String) {
        let env = Env::from_pairs(pairs.iter().copied().chain([("KAFKA_BROKERS", "broker:9093")]));
        match kafka(&env, "test") {
            Ok(config) => (config.security, String::new()),
            Err(error) => (None, error.to_string()),
        }
    }

    #[test]
    fn a_secured_cluster_is_asked_for_by_the_usual_words() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let sasl = [
            ("KAFKA_SASL_MECHANISM", "scram-sha-512"),
            ("KAFKA_SASL_USERNAME", "upmesh"),
            ("KAFKA_SASL_PASSWORD", "hunter2hunter2"),
            ("KAFKA_SSL_CA_LOCATION", path),
            ("KAFKA_SSL_CERTIFICATE_LOCATION", path),
            ("KAFKA_SSL_KEY_LOCATION", path),
            ("KAFKA_SECURITY_PROTOCOL", "SASL_SSL"),
        ];
        let (security, said) = read(&sasl);
        let security = security.unwrap_or_else(|| panic!("{said}"));
        assert_eq!((security.protocol.as_str(), security.sasl_mechanism.as_deref()), ("sasl_ssl", Some("SCRAM-SHA-512")));
        assert_eq!((security.sasl_username.as_deref(), security.ca_location.as_deref()), (Some("upmesh"), Some(path)));
        assert_eq!((security.certificate_location.as_deref(), security.key_location.as_deref()), (Some(path), Some(path)));
        assert!(!format!("{security:?}").contains("hunter2"));
        assert_eq!(read(&[("KAFKA_SECURITY_PROTOCOL", "ssl")]).1, "", "the system's authorities");
        assert!(read(&[]).0.is_none());
    }

    #[test]
    fn what_does_not_go_together_is_refused_by_name() {
        let sasl = [("KAFKA_SECURITY_PROTOCOL", "sasl_ssl"), ("KAFKA_SASL_MECHANISM", "PLAIN"), ("KAFKA_SASL_USERNAME", "upmesh")];
        for (pairs, named) in [
            (&[("KAFKA_SECURITY_PROTOCOL", "tls")][..], "KAFKA_SECURITY_PROTOCOL"),
            (&[("KAFKA_SASL_PASSWORD", "p")], "KAFKA_SECURITY_PROTOCOL"),
            (&[("KAFKA_SECURITY_PROTOCOL", "ssl"), ("KAFKA_SASL_MECHANISM", "PLAIN")], "KAFKA_SECURITY_PROTOCOL"),
            (&[("KAFKA_SSL_CA_LOCATION", "/proc/self/status")], "KAFKA_SECURITY_PROTOCOL"),
            (&sasl[..1], "KAFKA_SASL_MECHANISM"),
            (&[sasl[0], ("KAFKA_SASL_MECHANISM", "GSSAPI")], "KAFKA_SASL_MECHANISM"),
            (&sasl[..2], "KAFKA_SASL_USERNAME"),
            (&sasl, "KAFKA_SASL_PASSWORD"),
            (&[("KAFKA_SECURITY_PROTOCOL", "ssl"), ("KAFKA_SSL_CA_LOCATION", "/no/such/file")], "KAFKA_SSL_CA_LOCATION"),
            (
                &[("KAFKA_SECURITY_PROTOCOL", "ssl"), ("KAFKA_SSL_CERTIFICATE_LOCATION", "/proc/self/status")],
                "KAFKA_SSL_KEY_LOCATION: is not set",
            ),
        ] {
            let said = read(pairs).1;
            assert!(said.contains(named), "{pairs:?}: {said}");
        }
    }
}
