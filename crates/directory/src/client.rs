//! Calls of the users service's internal routes, typed.

mod accounts;
mod call;
mod monitors;

use std::fmt;
use std::time::Duration;

use model::Region;
use secrecy::SecretString;
use url::Url;

use crate::error::DirectoryError;
use crate::http;

/// `type` of the problem that a wrong `INTERNAL_API_KEY` gets, apart from a person's wrong password.
pub const INTERNAL_KEY_PROBLEM: &str = "/problems/internal-key";

/// Where users is and how we prove who we are.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// `USERS_URL`, for example `http://127.0.0.1:8081`.
    pub url: String,
    /// `INTERNAL_API_KEY`; of a comma-separated list the first is sent.
    pub key: SecretString,
    /// Deadline of one call.
    pub deadline: Duration,
}

impl ClientConfig {
    pub fn new(url: &str, key: SecretString) -> Self {
        Self { url: url.to_owned(), key, deadline: Duration::from_secs(10) }
    }
}

/// A handle to the users service. Cheap to clone; keeps connections open.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    key: SecretString,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

impl Client {
    /// Prepares calls; nothing is sent yet.
    pub fn new(config: &ClientConfig) -> Result<Self, DirectoryError> {
        use secrecy::ExposeSecret;

        let wrong = || DirectoryError::Setting("USERS_URL is no HTTP URL: use for example USERS_URL=http://127.0.0.1:8081".to_owned());
        let mut base = Url::parse(&config.url).map_err(|_| wrong())?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            return Err(wrong());
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let key = config.key.expose_secret().split(',').next().unwrap_or_default().trim().to_owned();
        if key.is_empty() || !key.is_ascii() {
            return Err(DirectoryError::Setting(
                "INTERNAL_API_KEY is empty or not ASCII: use for example INTERNAL_API_KEY=$(openssl rand -hex 32)".to_owned(),
            ));
        }
        Ok(Self { http: http::client(config.deadline)?, base, key: key.into() })
    }
}

/// The part of the feed a replica asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct FeedQuery<'a> {
    pub since: i64,
    pub region: Option<&'a Region>,
    pub limit: u32,
}
