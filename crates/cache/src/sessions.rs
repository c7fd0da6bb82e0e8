//! Copies of sessions for fast reads. The truth is in PostgreSQL: a copy that is missing is asked for.

use deadpool_redis::redis;
use model::{Millis, Session};

use crate::{Cache, CacheError};

/// A copy lives at most this long, so that what was revoked while Redis was away ends soon.
const COPY_MS: Millis = 15 * 60_000;

impl Cache {
    /// Keeps a copy under the token's SHA-256 in hex, no longer than the session itself.
    pub async fn put_session(&self, token_hash: &str, session: &Session, now: Millis) -> Result<(), CacheError> {
        let life = (session.expires_at - now).min(COPY_MS);
        if life <= 0 {
            return Ok(());
        }
        let json =
            serde_json::to_vec(session).map_err(|error| CacheError::Value { key: "session".to_owned(), reason: error.to_string() })?;
        self.query(redis::cmd("SET").arg(self.keys().session(token_hash)).arg(json).arg("PX").arg(life)).await
    }

    /// Ends the copy of a revoked session.
    pub async fn drop_session(&self, token_hash: &str) -> Result<(), CacheError> {
        self.query(redis::cmd("DEL").arg(self.keys().session(token_hash))).await
    }
}
