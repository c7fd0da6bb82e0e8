//! Copies of sessions for fast reads. The truth is in PostgreSQL: a copy that is missing is asked for.

use deadpool_redis::redis;
use model::{Millis, Session};

use crate::{Cache, CacheError};

/// A copy lives at most this long, so that what was revoked while Redis was away ends soon.
const COPY_MS: Millis = 15 * 60_000;
/// Where the copy of a session was that has ended, nothing is put for this long: users may have read the session just before it
/// ended, and would put its copy back. No read and no write to Redis under way takes nearly as long.
const ENDED_MS: Millis = 120_000;

impl Cache {
    /// Keeps a copy under the token's SHA-256 in hex, no longer than the session itself; not of one that has ended.
    pub async fn put_session(&self, token_hash: &str, session: &Session, now: Millis) -> Result<(), CacheError> {
        let life = (session.expires_at - now).min(COPY_MS);
        if life <= 0 {
            return Ok(());
        }
        let json =
            serde_json::to_vec(session).map_err(|error| CacheError::Value { key: "session".to_owned(), reason: error.to_string() })?;
        self.query(redis::cmd("SET").arg(self.keys().session(token_hash)).arg(json).arg("PX").arg(life).arg("NX")).await
    }

    /// Ends the copy of a revoked session: nothing readable stands in its place.
    pub async fn drop_session(&self, token_hash: &str) -> Result<(), CacheError> {
        self.query(redis::cmd("SET").arg(self.keys().session(token_hash)).arg("").arg("PX").arg(ENDED_MS)).await
    }
}
