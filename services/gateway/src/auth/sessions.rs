//! Sessions for reading: a few seconds in the process, else Redis, else the users service.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cache::Cache;
use directory::Client;
use model::{Clock, Session};

use super::{Limit, Token};
use crate::error::{ApiError, ApiResult};

/// How long a revoked session may still be accepted by this process.
const KEEP: Duration = Duration::from_secs(5);
/// Sessions remembered; beyond, the old ones are forgotten.
const MAX_KEPT: usize = 20_000;

/// None: nobody holds this token. Remembered too, so that a page which goes on asking with it costs users little.
type Found = Option<Arc<Session>>;

/// Looks sessions up.
pub(crate) struct Sessions {
    cache: Cache,
    client: Client,
    clock: Arc<dyn Clock>,
    kept: Mutex<HashMap<String, (Found, Instant)>>,
    /// Ever new tokens would cost users a query each. It binds only what Redis does not know and this process never knew.
    unknown: Limit,
}

impl Sessions {
    pub(crate) fn new(cache: Cache, client: Client, clock: Arc<dyn Clock>) -> Self {
        Self { cache, client, clock, kept: Mutex::default(), unknown: Limit::unknown_tokens() }
    }

    /// Who holds the token. Fails only where neither Redis nor users can tell, or users is not to be asked: too many tokens
    /// from this address were nobody's.
    pub(crate) async fn find(&self, token: &Token, from: Option<IpAddr>) -> ApiResult<Found> {
        let hash = token.hash();
        if let Some(found) = self.recall(&hash) {
            return Ok(found);
        }
        let found = self.look_up(token, &hash, from).await?.filter(|session| session.expires_at > self.clock.now_ms()).map(Arc::new);
        self.remember(hash, found.clone());
        Ok(found)
    }

    async fn look_up(&self, token: &Token, hash: &str, from: Option<IpAddr>) -> ApiResult<Option<Session>> {
        match self.cached(hash).await {
            Ok(Some(session)) => return Ok(Some(session)),
            Ok(None) => {}
            // The truth is with users; Redis only spares it the work.
            Err(error) => tracing::debug!(%error, "a session could not be read from Redis"),
        }
        // Taken before the answer is known: else all that come at once would pass. What was somebody's lately is no guess, and
        // must not wait for those of the same network who guess.
        let from = from.filter(|_| !self.was_held(hash));
        if let Some(from) = from {
            let refused = |seconds| ApiError::too_many("too many requests from this address came with a token that nobody holds", seconds);
            self.unknown.take(from, self.clock.now_ms()).map_err(refused)?;
        }
        let answer = self.client.resolve_session(token.secret()).await;
        let nobodys = answer.as_ref().is_err_and(|error| error.refusal().is_some_and(|refusal| refusal.status == 401));
        if nobodys {
            return Ok(None);
        }
        if let Some(from) = from {
            self.unknown.give_back(from, self.clock.now_ms());
        }
        Ok(Some(answer?))
    }

    async fn cached(&self, hash: &str) -> Result<Option<Session>, cache::CacheError> {
        let text: Option<Vec<u8>> = self.cache.query(cache::redis::cmd("GET").arg(self.cache.keys().session(hash))).await?;
        Ok(text.and_then(|text| serde_json::from_slice(&text).ok()))
    }

    /// The session has ended; this process forgets it at once.
    pub(crate) fn forget(&self, token: &Token) {
        self.remember(token.hash(), None);
    }

    fn was_held(&self, hash: &str) -> bool {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(hash).is_some_and(|(found, _)| found.is_some())
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
            let now = self.clock.now_ms();
            kept.retain(|_, (found, at)| at.elapsed() < KEEP || found.as_ref().is_some_and(|session| session.expires_at > now));
        }
        if kept.len() >= MAX_KEPT {
            kept.retain(|_, (_, at)| at.elapsed() < KEEP);
        }
        if kept.len() < MAX_KEPT {
            kept.insert(hash, (found, Instant::now()));
        }
    }
}
