//! What pingers say of themselves, for as long as they go on saying it.

use std::time::Duration;

use bytes::Bytes;
use deadpool_redis::redis;
use model::sight::ProberStatus;
use model::{Millis, Region};

use crate::connection::Cache;
use crate::error::CacheError;

impl Cache {
    /// Keeps a pinger's status for `kept`.
    pub async fn put_prober(&self, status: &ProberStatus, kept: Duration) -> Result<(), CacheError> {
        let key = self.keys().prober(&status.region, &status.pinger);
        let value = serde_json::to_vec(status).map_err(|error| CacheError::Value { key: key.clone(), reason: error.to_string() })?;
        self.query(redis::cmd("SET").arg(key).arg(value).arg("PX").arg(u64::try_from(kept.as_millis()).unwrap_or(u64::MAX))).await
    }

    /// A pinger that stops.
    pub async fn forget_prober(&self, region: &Region, pinger: &str) -> Result<(), CacheError> {
        self.query(redis::cmd("DEL").arg(self.keys().prober(region, pinger))).await
    }

    /// The status of each member of a region that said one lately. One that cannot be read (a newer
    /// version's) is left out.
    pub async fn probers(&self, region: &Region, now: Millis) -> Result<Vec<ProberStatus>, CacheError> {
        let members: Vec<String> = self.query(redis::cmd("ZRANGEBYSCORE").arg(self.keys().members(region)).arg(now).arg("+inf")).await?;
        if members.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = redis::cmd("MGET");
        for member in &members {
            command.arg(self.keys().prober(region, member));
        }
        let values: Vec<Option<Bytes>> = self.query(&command).await?;
        Ok(values.into_iter().flatten().filter_map(|value| serde_json::from_slice(&value).ok()).collect())
    }
}
