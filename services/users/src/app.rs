//! What every route is given.

use std::ops::Deref;
use std::sync::Arc;

use cache::Cache;
use model::{Clock, Millis, Region};
use store::{Store, StoreError, monitors};
use tokio::sync::{Notify, OnceCell};

use crate::accounts::Passwords;
use crate::cipher::Cipher;
use crate::internal_key::InternalKeys;

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Parts>);

pub(crate) struct Parts {
    pub store: Store,
    pub cache: Cache,
    pub clock: Arc<dyn Clock>,
    pub passwords: Passwords,
    pub cipher: Cipher,
    /// Set once the key was found to open what is sealed.
    pub key_fits: OnceCell<()>,
    pub internal_keys: InternalKeys,
    /// Where a monitor is checked from that names no region; at least one.
    pub default_regions: Vec<Region>,
    /// Wakes the relay after a commit.
    pub changed: Arc<Notify>,
}

impl App {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    pub(crate) fn now(&self) -> Millis {
        self.clock.now_ms()
    }

    /// Fails where `SECRET_KEY` does not open what is sealed. Asked once, before any configuration is handed out: a monitor that
    /// is left out would pass for deleted.
    pub(crate) async fn key_fits(&self) -> Result<(), StoreError> {
        self.key_fits.get_or_try_init(|| monitors::try_key(&self.store, &self.cipher)).await.copied()
    }

    /// A session ended: gateways are not to go on with their copy.
    pub(crate) async fn drop_session_copy(&self, digest: &[u8]) {
        if let Err(error) = self.cache.drop_session(&hex::encode(digest)).await {
            tracing::warn!(%error, "the copy of an ended session lives on in Redis until its time is up");
        }
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
