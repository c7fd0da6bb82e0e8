//! How far each region is judged: written by the alerters, read by the gateway.

use deadpool_redis::redis;
use model::{Region, Slot};

use crate::connection::Cache;
use crate::error::CacheError;

impl Cache {
    /// Notes the newest judged slot of each region. An older one never takes a newer one's place: several alerters judge a region,
    /// each its partitions.
    pub async fn note_judged(&self, slots: &[(Region, Slot)]) -> Result<(), CacheError> {
        if slots.is_empty() {
            return Ok(());
        }
        let mut command = redis::cmd("ZADD");
        command.arg(self.keys().judged()).arg("GT");
        for (region, slot) in slots {
            command.arg(*slot).arg(region.as_str());
        }
        self.query(&command).await
    }

    /// The newest judged slot of every region.
    pub async fn judged_slots(&self) -> Result<Vec<(Region, Slot)>, CacheError> {
        let found: Vec<(String, Slot)> =
            self.query(redis::cmd("ZRANGE").arg(self.keys().judged()).arg(0).arg(-1).arg("WITHSCORES")).await?;
        Ok(found.into_iter().filter_map(|(region, slot)| Some((region.parse().ok()?, slot))).collect())
    }
}
