//! Settings from the environment. Secrets that are missing, short or well known stop the start.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use cache::CacheConfig;
use directory::wire::ChannelSettings;
use kafka::KafkaConfig;
use model::Region;
use secrecy::{ExposeSecret, SecretString};
use service::{ConfigError, Env};
use settings::KEY_EXAMPLE;

use crate::cipher::Cipher;
use crate::internal_key::InternalKeys;

/// What the users service needs to know.
pub(crate) struct Settings {
    pub address: SocketAddr,
    pub database: SecretString,
    pub cache: CacheConfig,
    pub kafka: KafkaConfig,
    pub topic_prefix: String,
    pub internal_keys: InternalKeys,
    pub cipher: Cipher,
    /// The first administrator; both or neither.
    pub admin: Option<(String, SecretString)>,
    /// Default channels, by name.
    pub channels: Vec<(&'static str, ChannelSettings)>,
    /// Where a monitor is checked from that names no region; at least one.
    pub default_regions: Vec<Region>,
}

impl Settings {
    pub(crate) fn read(env: &Env) -> Result<Self, ConfigError> {
        let address = env.or("USERS_ADDR", SocketAddr::from(([127, 0, 0, 1], 8081)));
        let database = settings::database(env);
        let cache = settings::redis(env);
        let kafka = settings::kafka(env, "users");
        let topic_prefix = settings::topic_prefix(env);
        let internal_keys = env
            .secret("INTERNAL_API_KEY", KEY_EXAMPLE)
            .and_then(|keys| InternalKeys::parse(&keys).map_err(|problem| env.reject("INTERNAL_API_KEY", problem, Some(KEY_EXAMPLE))));
        let cipher = cipher(env);
        let admin = admin(env);
        let channels = channels(env);
        let default_regions = default_regions(env);
        env.check()?;
        Ok(Self {
            address: address?,
            database: database?,
            cache: cache?,
            kafka: kafka?,
            topic_prefix: topic_prefix?,
            internal_keys: internal_keys?,
            cipher: cipher?,
            admin: admin?,
            channels: channels?,
            default_regions: default_regions?,
        })
    }
}

/// `SECRET_KEY`.
pub(crate) fn cipher(env: &Env) -> Result<Cipher, ConfigError> {
    let keys = env.secret("SECRET_KEY", KEY_EXAMPLE)?;
    Cipher::parse(&keys).map_err(|problem| env.reject("SECRET_KEY", problem, Some(KEY_EXAMPLE)))
}

/// At least 32 characters, and not one of the words people leave in examples.
pub(crate) fn strong(secret: &SecretString) -> Result<(), String> {
    let text = secret.expose_secret();
    let lower = text.to_ascii_lowercase();
    if ["changeme", "change-me", "secret", "example", "password", "default"].iter().any(|word| lower.contains(word)) {
        return Err("is a placeholder: choose your own".to_owned());
    }
    if text.len() < 32 {
        return Err(format!("has {} characters: at least 32 are needed", text.len()));
    }
    Ok(())
}

fn admin(env: &Env) -> Result<Option<(String, SecretString)>, ConfigError> {
    let email = env.optional::<String>("ADMIN_EMAIL")?;
    let password = env.secret_optional("ADMIN_PASSWORD")?;
    match (email, password) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(env.reject("ADMIN_EMAIL", "is not set, though ADMIN_PASSWORD is", Some("admin@example.com"))),
        (Some(_), None) => Err(env.reject("ADMIN_PASSWORD", "is not set, though ADMIN_EMAIL is", Some("$(openssl rand -hex 12)"))),
        (Some(email), Some(password)) => {
            let email = email.to_lowercase();
            if !email.contains('@') || email.len() > 254 || email.chars().any(|c| c.is_whitespace() || c.is_control()) {
                return Err(env.reject("ADMIN_EMAIL", "is no e-mail address", Some("admin@example.com")));
            }
            let text = password.expose_secret();
            if text.chars().count() < 12
                || text.len() > 1024
                || ["changemechangeme", "passwordpassword", "administrator"].contains(&text.to_lowercase().as_str())
            {
                return Err(env.reject(
                    "ADMIN_PASSWORD",
                    "must have 12 to 1024 characters and not be a placeholder",
                    Some("$(openssl rand -hex 12)"),
                ));
            }
            Ok(Some((email, password)))
        }
    }
}

/// `DEFAULT_REGIONS`, else the region that the pingers beside this service are told, else what pingers take for theirs.
fn default_regions(env: &Env) -> Result<Vec<Region>, ConfigError> {
    let name = if env.get("DEFAULT_REGIONS").is_some() { "DEFAULT_REGIONS" } else { "REGION" };
    let text = env.get(name).unwrap_or("local");
    let parsed: Result<BTreeSet<Region>, _> = text.split(',').map(str::trim).filter(|one| !one.is_empty()).map(str::parse).collect();
    match parsed {
        Ok(regions) if (1..=32).contains(&regions.len()) => Ok(regions.into_iter().collect()),
        Ok(regions) => Err(env.reject(name, format!("names {} regions: use 1 to 32", regions.len()), Some("eu-west,us-east"))),
        Err(error) => Err(env.reject(name, error, Some("eu-west"))),
    }
}

fn channels(env: &Env) -> Result<Vec<(&'static str, ChannelSettings)>, ConfigError> {
    let mut found = Vec::new();
    if let Some(url) = env.secret_optional("SLACK_WEBHOOK_URL")? {
        found.push((
            "Slack",
            ChannelSettings::SlackWebhook {
                url: address(env, "SLACK_WEBHOOK_URL", url, "https://hooks.slack.com/services/T000/B000/XXXX")?,
            },
        ));
    }
    if let Some(token) = env.secret_optional("SLACK_BOT_TOKEN")? {
        let channel = env.required("SLACK_CHANNEL", "#alerts")?;
        found.push(("Slack bot", ChannelSettings::SlackBot { token, channel }));
    }
    if let Some(url) = env.secret_optional("WEBHOOK_URL")? {
        let url = address(env, "WEBHOOK_URL", url, "https://example.com/hooks/upmesh")?;
        found.push(("Webhook", ChannelSettings::Webhook { url, secret: env.secret_optional("WEBHOOK_SECRET")? }));
    }
    Ok(found)
}

fn address(env: &Env, name: &str, url: SecretString, example: &str) -> Result<SecretString, ConfigError> {
    let text = url.expose_secret();
    if text.starts_with("https://") || text.starts_with("http://") {
        Ok(url)
    } else {
        Err(env.reject(name, "is no http:// or https:// address", Some(example)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Env {
        Env::from_pairs([
            ("DATABASE_URL", "postgres://u@127.0.0.1/d"),
            ("REDIS_URL", "redis://127.0.0.1"),
            ("KAFKA_BROKERS", "127.0.0.1:9092"),
            ("INTERNAL_API_KEY", "0123456789abcdef0123456789abcdef"),
            ("SECRET_KEY", "fedcba9876543210fedcba9876543210"),
        ])
    }

    fn mistakes(env: &Env) -> String {
        Settings::read(env).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_is_needed_is_enough() {
        assert_eq!(mistakes(&good()), "");
    }

    #[test]
    fn a_monitor_without_a_region_is_checked_where_the_pingers_are() {
        let regions = |env: &Env| Settings::read(env).map(|settings| settings.default_regions).unwrap_or_default();
        let named = |names: &[&str]| names.iter().map(|name| name.parse().expect("a region")).collect::<Vec<Region>>();
        assert_eq!(regions(&good()), named(&["local"]));
        assert_eq!(regions(&good().with("REGION", "eu")), named(&["eu"]));
        assert_eq!(regions(&good().with("REGION", "eu").with("DEFAULT_REGIONS", "us, asia,us")), named(&["asia", "us"]));
        assert!(mistakes(&good().with("DEFAULT_REGIONS", "No Region")).contains("DEFAULT_REGIONS"));
        assert!(mistakes(&good().with("REGION", "No Region")).contains("REGION"));
        assert!(mistakes(&good().with("DEFAULT_REGIONS", ", ,")).contains("DEFAULT_REGIONS"));
    }

    #[test]
    fn each_missing_or_weak_secret_is_named() {
        for (name, value) in [
            ("INTERNAL_API_KEY", "changeme-changeme-changeme-changeme"),
            ("INTERNAL_API_KEY", "short"),
            ("SECRET_KEY", "short"),
            ("SECRET_KEY", "default-default-default-default-"),
            ("ADMIN_EMAIL", "a@b.c"),
            ("SLACK_WEBHOOK_URL", "hooks.slack.com/x"),
            ("SLACK_BOT_TOKEN", "xoxb-1"),
        ] {
            let shown = mistakes(&good().with(name, value));
            let expected = match name {
                "ADMIN_EMAIL" => "ADMIN_PASSWORD",
                "SLACK_BOT_TOKEN" => "SLACK_CHANNEL",
                name => name,
            };
            assert!(shown.contains(expected), "{name}: {shown}");
        }
        for name in ["DATABASE_URL", "REDIS_URL", "KAFKA_BROKERS", "INTERNAL_API_KEY", "SECRET_KEY"] {
            assert!(mistakes(&good().without(name)).contains(name), "{name}");
        }
        let shown = mistakes(&good().with("ADMIN_EMAIL", "a@b.c").with("ADMIN_PASSWORD", "short"));
        assert!(shown.contains("ADMIN_PASSWORD") && !shown.contains("short "), "{shown}");
    }
}
