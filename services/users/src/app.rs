//! What every route is given.

use std::ops::Deref;
use std::sync::Arc;

use cache::Cache;
use model::{Clock, Millis};
use store::Store;
use tokio::sync::Notify;

use crate::accounts::Passwords;
use crate::channels::Cipher;
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
    pub internal_keys: InternalKeys,
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
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
