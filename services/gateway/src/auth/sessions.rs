//! Sessions for reading: a few seconds in the process, else Redis, else the users service.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cache::Cache;
use directory::Client;
use model::{Clock, Session};

use super::Token;
use crate::error::ApiResult;

/// How long a revoked session may still be accepted by this process.
const KEEP: Duration = Duration::from_secs(5);
/// Sessions remembered; beyond, the old ones are forgotten.
const MAX_KEPT: usize = 20_000;

/// None: nobody holds this token. Remembered too, so that guessing costs users nothing.
type Found = Option<Arc<Session>>;

/// Looks sessions up.
pub(crate) struct Sessions {
    cache: Cache,
    client: Client,
    clock: Arc<dyn Clock>,
    kept: Mutex<HashMap<String, (Found, Instant)>>,
}

impl Sessions {
    pub(crate) fn new(cache: Cache, client: Client, clock: Arc<dyn Clock>) -> Self {
        Self { cache, client, clock, kept: Mutex::default() }
    }

    /// Who holds the token. Fails only where neither Redis nor users can tell.
    pub(crate) async fn find(&self, token: &Token) -> ApiResult<Found> {
        let hash = token.hash();
        if let Some(found) = self.recall(&hash) {
            return Ok(found);
        }
        let found = self.look_up(token, &hash).await?.filter(|session| session.expires_at > self.clock.now_ms()).map(Arc::new);
        self.remember(hash, found.clone());
        Ok(found)
    }

    async fn look_up(&self, token: &Token, hash: &str) -> ApiResult<Option<Session>> {
        match self.cached(hash).await {
            Ok(Some(session)) => return Ok(Some(session)),
            Ok(None) => {}
            // The truth is with users; Redis only spares it the work.
            Err(error) => tracing::debug!(%error, "a session could not be read from Redis"),
        }
        match self.client.resolve_session(token.secret()).await {
            Ok(session) => Ok(Some(session)),
            Err(error) if error.refusal().is_some_and(|refusal| refusal.status == 401) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn cached(&self, hash: &str) -> Result<Option<Session>, cache::CacheError> {
        let text: Option<Vec<u8>> = self.cache.query(cache::redis::cmd("GET").arg(self.cache.keys().session(hash))).await?;
        Ok(text.and_then(|text| serde_json::from_slice(&text).ok()))
    }

    /// The session has ended; this process forgets it at once.
    pub(crate) fn forget(&self, token: &Token) {
        self.remember(token.hash(), None);
    }

    fn recall(&self, hash: &str) -> Option<Found> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (found, at) = kept.get(hash)?;
        let ended = found.as_ref().is_some_and(|session| session.expires_at <= self.clock.now_ms());
        (at.elapsed() < KEEP).then(|| if ended { None } else { found.clone() })
    }

    fn remember(&self, hash: String, found: Found) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT {
            kept.retain(|_, (_, at)| at.elapsed() < KEEP);
        }
        if kept.len() < MAX_KEPT {
            kept.insert(hash, (found, Instant::now()));
        }
    }
}
