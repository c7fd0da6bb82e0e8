//! Noticing that Redis was emptied (`FLUSHALL`, a new instance, an old dump put back).

use deadpool_redis::redis;
use uuid::Uuid;

use crate::connection::Cache;
use crate::error::CacheError;

impl Cache {
    /// The name of what Redis now holds; made where there is none. Whoever keeps derived data in Redis
    /// remembers it, asks every few seconds, and on another name writes everything live again.
    pub async fn generation(&self) -> Result<String, CacheError> {
        let key = self.keys().generation();
        if let Some(known) = self.query(redis::cmd("GET").arg(&key)).await? {
            return Ok(known);
        }
        let fresh = Uuid::new_v4().to_string();
        self.query::<()>(redis::cmd("SET").arg(&key).arg(&fresh).arg("NX")).await?;
        // Another process may have been first; what stands in Redis counts.
        let stands: Option<String> = self.query(redis::cmd("GET").arg(&key)).await?;
        Ok(stands.unwrap_or(fresh))
    }
}
