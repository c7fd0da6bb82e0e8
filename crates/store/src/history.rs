//! History in PostgreSQL: blocks per hour, roll-ups per day. Written by the processor, read by the gateway.

mod flush;
mod generation;
mod page;
mod partitions;
mod recent;
mod replay;
mod rollup;

pub use flush::{Flushed, HourBlock};
pub use page::Recorded;
pub use recent::BlockCursor;
pub use replay::{Applied, Checksum, Difference, Rebuild, Snapshot, Swap};

use chrono::{DateTime, NaiveDate, Utc};
use model::history::{Block, BlockKey, HOUR_MS, hour_of};
use model::uptime::{Counts, Latencies};
use model::{Millis, MonitorId, Region};

use crate::error::set_aside;
use crate::{Store, StoreError, from_millis, to_millis};

const DAY_MS: Millis = 24 * HOUR_MS;

/// One day of one monitor in one region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollup {
    pub region: Region,
    /// Beginning of the day (UTC), Unix ms.
    pub day: Millis,
    pub counts: Counts,
    pub latencies: Latencies,
}

impl Store {
    /// The blocks of a monitor whose hours touch `[from, to)`, oldest first; of every region unless one is named.
    pub async fn blocks(
        &self,
        monitor: MonitorId,
        region: Option<&Region>,
        from: Millis,
        to: Millis,
    ) -> Result<Vec<(BlockKey, Block)>, StoreError> {
        let rows = sqlx::query!(
            "SELECT hour, region, block FROM history_blocks
             WHERE monitor_id = $1 AND hour >= $2 AND hour < $3 AND ($4::text IS NULL OR region = $4)
             ORDER BY hour, region",
            monitor.0,
            from_millis(hour_of(from)),
            from_millis(to),
            region.map(Region::as_str),
        )
        .fetch_all(self.pool())
        .await?;
        Ok(rows.into_iter().filter_map(|row| read(monitor, &row.region, row.hour, &row.block)).collect())
    }

    /// The roll-ups of a monitor for the days (UTC) that touch `[from, to)`, oldest first.
    pub async fn rollups(&self, monitor: MonitorId, region: Option<&Region>, from: Millis, to: Millis) -> Result<Vec<Rollup>, StoreError> {
        let rows = sqlx::query!(
            "SELECT day, region, up, degraded, down, unknown, missed, maintenance, p50_us, p95_us, p99_us, max_us FROM day_rollups
             WHERE monitor_id = $1 AND day >= $2 AND day <= $3 AND ($4::text IS NULL OR region = $4)
             ORDER BY day, region",
            monitor.0,
            day_of(from),
            day_of(to - 1),
            region.map(Region::as_str),
        )
        .fetch_all(self.pool())
        .await?;
        let count = |n: i32| u64::from(n.unsigned_abs());
        let latency = |us: Option<i32>| us.map(i32::unsigned_abs);
        let read = rows.into_iter().filter_map(|row| {
            Some(Rollup {
                region: row.region.parse().map_err(|error| set_aside("day_rollups", format_args!("{monitor} {}", row.day), error)).ok()?,
                day: millis_of(row.day),
                counts: Counts {
                    up: count(row.up),
                    degraded: count(row.degraded),
                    down: count(row.down),
                    unknown: count(row.unknown),
                    missed: count(row.missed),
                    maintenance: count(row.maintenance),
                },
                latencies: Latencies {
                    p50: latency(row.p50_us),
                    p95: latency(row.p95_us),
                    p99: latency(row.p99_us),
                    max: latency(row.max_us),
                },
            })
        });
        Ok(read.collect())
    }
}

fn read(monitor: MonitorId, region: &str, hour: DateTime<Utc>, block: &[u8]) -> Option<(BlockKey, Block)> {
    let row = format_args!("{monitor} {region} {hour}");
    let key = region_of("history_blocks", region).map(|region| BlockKey { monitor, region, hour: to_millis(hour) });
    key.and_then(|key| Ok((key, decode(block)?))).map_err(|error| set_aside("history_blocks", row, error)).ok()
}

fn decode(block: &[u8]) -> Result<Block, StoreError> {
    Block::decode(block).map_err(|error| {
        if error.is_newer() {
            StoreError::Newer { table: "history_blocks", message: error.to_string() }
        } else {
            StoreError::corrupt("history_blocks", error)
        }
    })
}

fn region_of(table: &'static str, region: &str) -> Result<Region, StoreError> {
    region.parse().map_err(|error| StoreError::corrupt(table, error))
}

/// The UTC day of an instant.
fn day_of(at: Millis) -> NaiveDate {
    from_millis(at).date_naive()
}

/// The beginning of a UTC day.
fn millis_of(day: NaiveDate) -> Millis {
    day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis()
}
