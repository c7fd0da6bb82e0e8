//! What every route may use.

use std::sync::Arc;

use cache::Cache;
use directory::{Client, Directory};
use model::{Clock, Millis};
use store::Store;
use tokio_util::sync::CancellationToken;

use crate::auth::{Limit, Sessions};
use crate::channels::Channels;
use crate::history::Older;
use crate::live::{Catalog, Flights, Reasons};
use crate::mesh::Log;
use crate::settings::Settings;
use crate::stream::Hub;

/// The gateway's parts. Cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Parts>);

/// How an [`App`] is put together.
pub(crate) struct Parts {
    pub clock: Arc<dyn Clock>,
    pub cache: Cache,
    pub store: Store,
    pub primary: Store,
    pub retention_days: u32,
    pub client: Client,
    pub directory: Directory,
    pub sessions: Sessions,
    pub channels: Channels,
    pub catalog: Catalog,
    pub reasons: Reasons,
    pub older: Older,
    pub pages: Flights,
    pub singles: Flights,
    pub hub: Hub,
    pub log: Option<Arc<Log>>,
    pub logins: Limit,
    pub shutdown: CancellationToken,
    pub public_origin: String,
    pub trusted_proxies: usize,
}

impl App {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    pub(crate) fn now(&self) -> Millis {
        self.0.clock.now_ms()
    }

    pub(crate) fn cache(&self) -> &Cache {
        &self.0.cache
    }

    /// PostgreSQL for reading long history.
    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    /// PostgreSQL itself, for the little the gateway writes: wishes to acknowledge, and redrives.
    pub(crate) fn primary(&self) -> &Store {
        &self.0.primary
    }

    /// For how many days single checks are kept.
    pub(crate) fn retention_days(&self) -> u32 {
        self.0.retention_days
    }

    /// The users service, for writes.
    pub(crate) fn client(&self) -> &Client {
        &self.0.client
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.0.directory
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    pub(crate) fn channels(&self) -> &Channels {
        &self.0.channels
    }

    pub(crate) fn catalog(&self) -> &Catalog {
        &self.0.catalog
    }

    /// Why checks of late were not up.
    pub(crate) fn reasons(&self) -> &Reasons {
        &self.0.reasons
    }

    /// Checks that Redis keeps no longer, for sparklines.
    pub(crate) fn older(&self) -> &Older {
        &self.0.older
    }

    /// Shared answers about pages of monitors.
    pub(crate) fn pages(&self) -> &Flights {
        &self.0.pages
    }

    /// Shared answers about single monitors.
    pub(crate) fn singles(&self) -> &Flights {
        &self.0.singles
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.0.hub
    }

    /// The log; none where `KAFKA_BROKERS` is not set.
    pub(crate) fn log(&self) -> Option<&Arc<Log>> {
        self.0.log.as_ref()
    }

    pub(crate) fn logins(&self) -> &Limit {
        &self.0.logins
    }

    pub(crate) fn shutdown(&self) -> &CancellationToken {
        &self.0.shutdown
    }

    /// `scheme://host:port` of `PUBLIC_URL`.
    pub(crate) fn public_origin(&self) -> &str {
        &self.0.public_origin
    }

    pub(crate) fn is_https(&self) -> bool {
        self.0.public_origin.starts_with("https:")
    }

    pub(crate) fn trusted_proxies(&self) -> usize {
        self.0.trusted_proxies
    }
}

/// The origin of the public URL.
pub(crate) fn origin_of(settings: &Settings) -> String {
    settings.public_url.origin().ascii_serialization()
}
