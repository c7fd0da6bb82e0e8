//! Noticing that Redis was emptied (`FLUSHALL`, a new instance) or came back as it once was (an old dump
//! put back, a replica that lagged).

use deadpool_redis::redis;
use uuid::Uuid;

use crate::connection::Cache;
use crate::error::CacheError;

impl Cache {
    /// The name of what Redis now holds: a key, made where there is none, and the server's run, since a
    /// server that started anew may hold less than it did. Whoever keeps derived data in Redis remembers
    /// it, asks every few seconds, and on another name writes everything live again.
    pub async fn generation(&self) -> Result<String, CacheError> {
        let key = self.keys().generation();
        let run = self.run().await?;
        if let Some(known) = self.query::<Option<String>>(redis::cmd("GET").arg(&key)).await? {
            return Ok(format!("{known}{run}"));
        }
        let fresh = Uuid::new_v4().to_string();
        self.query::<()>(redis::cmd("SET").arg(&key).arg(&fresh).arg("NX")).await?;
        // Another process may have been first; what stands in Redis counts.
        let stands: Option<String> = self.query(redis::cmd("GET").arg(&key)).await?;
        Ok(format!("{}{run}", stands.unwrap_or(fresh)))
    }

    /// Differs with every start of the server; empty where it never tells (a proxy, a strict ACL). Only what it says makes it another
    /// one: an error is no answer, and who refuses once what was told before is who it was.
    async fn run(&self) -> Result<String, CacheError> {
        let told = match self.query::<String>(redis::cmd("INFO").arg("server")).await {
            Ok(told) => told.lines().find_map(|line| line.strip_prefix("run_id:")).map(|run| format!(":{}", run.trim())),
            Err(error) if error.is_retryable() => return Err(error),
            Err(_refused) => None,
        };
        Ok(self.told_run(told))
    }
}
