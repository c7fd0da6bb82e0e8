//! Reading history of a page of monitors at once: the newest of it for when Redis is away, and what is too old for Redis.

use model::history::{Block, BlockKey, hour_of};
use model::uptime::Counts;
use model::{Millis, MonitorId};
use uuid::Uuid;

use super::read;
use crate::{Store, StoreError, from_millis};

/// What is recorded of a monitor in a region: counts of a stretch, and its newest block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    pub key: BlockKey,
    pub newest: Block,
    pub counts: Counts,
}

impl Store {
    /// What is recorded of each of these monitors before `to`, by region: counts since `from`, and the newest block, both from no
    /// earlier than stands beside the monitor. One block is read of each region, however much is counted.
    pub async fn recorded_of(&self, wanted: &[(MonitorId, Millis)], from: Millis, to: Millis) -> Result<Vec<Recorded>, StoreError> {
        let ids: Vec<Uuid> = wanted.iter().map(|(monitor, _)| monitor.0).collect();
        let since: Vec<_> = wanted.iter().map(|(_, since)| from_millis(hour_of(*since))).collect();
        // As below, one look per monitor: joins could read every day's partition whole.
        let rows = sqlx::query!(
            r#"SELECT newest.monitor_id AS "monitor_id!", newest.hour AS "hour!", newest.region AS "region!", newest.block AS "block!",
                   sums.up AS "up!", sums.degraded AS "degraded!", sums.down AS "down!", sums.unknown AS "unknown!",
                   sums.missed AS "missed!", sums.maintenance AS "maintenance!"
               FROM unnest($1::uuid[], $2::timestamptz[]) AS wanted (id, since)
               CROSS JOIN LATERAL (
                   SELECT region, max(hour) AS hour,
                       coalesce(sum(up) FILTER (WHERE hour >= $3), 0) AS up,
                       coalesce(sum(degraded) FILTER (WHERE hour >= $3), 0) AS degraded,
                       coalesce(sum(down) FILTER (WHERE hour >= $3), 0) AS down,
                       coalesce(sum(unknown) FILTER (WHERE hour >= $3), 0) AS unknown,
                       coalesce(sum(missed) FILTER (WHERE hour >= $3), 0) AS missed,
                       coalesce(sum(maintenance) FILTER (WHERE hour >= $3), 0) AS maintenance
                   FROM history_blocks
                   WHERE monitor_id = wanted.id AND hour >= wanted.since AND hour < $4
                   GROUP BY region) AS sums
               CROSS JOIN LATERAL (
                   SELECT monitor_id, hour, region, block FROM history_blocks
                   WHERE monitor_id = wanted.id AND hour = sums.hour AND region = sums.region LIMIT 1) AS newest"#,
            &ids,
            &since,
            from_millis(hour_of(from)),
            from_millis(to),
        )
        .fetch_all(self.pool())
        .await?;
        let count = |n: i64| n.unsigned_abs();
        let found = rows.into_iter().filter_map(|row| {
            let (key, newest) = read(MonitorId(row.monitor_id), &row.region, row.hour, &row.block)?;
            let counts = Counts {
                up: count(row.up),
                degraded: count(row.degraded),
                down: count(row.down),
                unknown: count(row.unknown),
                missed: count(row.missed),
                maintenance: count(row.maintenance),
            };
            Some(Recorded { key, newest, counts })
        });
        Ok(found.collect())
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
