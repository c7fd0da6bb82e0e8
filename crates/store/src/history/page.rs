//! Reading blocks of a page of monitors at once: the recent ones for when Redis is away, and those that are too old for Redis.

use model::history::{Block, BlockKey, hour_of};
use model::{Millis, MonitorId};
use uuid::Uuid;

use super::read;
use crate::{Store, StoreError, from_millis};

impl Store {
    /// The blocks of these monitors in every region whose hours touch `[from, to)`, by monitor, oldest first.
    pub async fn blocks_of(&self, monitors: &[MonitorId], from: Millis, to: Millis) -> Result<Vec<(BlockKey, Block)>, StoreError> {
        let ids: Vec<Uuid> = monitors.iter().map(|monitor| monitor.0).collect();
        let rows = sqlx::query!(
            "SELECT monitor_id, hour, region, block FROM history_blocks
             WHERE monitor_id = ANY($1) AND hour >= $2 AND hour < $3
             ORDER BY monitor_id, hour, region",
            &ids,
            from_millis(hour_of(from)),
            from_millis(to),
        )
        .fetch_all(self.pool())
        .await?;
        Ok(rows.into_iter().filter_map(|row| read(MonitorId(row.monitor_id), &row.region, row.hour, &row.block)).collect())
    }

    /// The newest blocks before `to` of each of these monitors: at most `limit` of each, and none older than stands beside it.
    pub async fn newest_blocks_of(
        &self,
        wanted: &[(MonitorId, Millis)],
        to: Millis,
        limit: i64,
    ) -> Result<Vec<(BlockKey, Block)>, StoreError> {
        let ids: Vec<Uuid> = wanted.iter().map(|(monitor, _)| monitor.0).collect();
        let since: Vec<_> = wanted.iter().map(|(_, since)| from_millis(hour_of(*since))).collect();
        // One walk back per monitor, which ends at its limit; a join over all could read every day's partition whole.
        let rows = sqlx::query!(
            r#"SELECT found.monitor_id AS "monitor_id!", found.hour AS "hour!", found.region AS "region!", found.block AS "block!"
               FROM unnest($1::uuid[], $2::timestamptz[]) AS wanted (id, since)
               CROSS JOIN LATERAL (
                   SELECT monitor_id, hour, region, block FROM history_blocks
                   WHERE monitor_id = wanted.id AND hour >= wanted.since AND hour < $3
                   ORDER BY hour DESC LIMIT $4) AS found"#,
            &ids,
            &since,
            from_millis(to),
            limit,
        )
        .fetch_all(self.pool())
        .await?;
        Ok(rows.into_iter().filter_map(|row| read(MonitorId(row.monitor_id), &row.region, row.hour, &row.block)).collect())
    }
}
