//! The swap: one transaction under a lock that keeps every flush out, and no reader.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use model::Millis;
use model::history::{Block, BlockKey};
use sqlx::{Connection, PgConnection, Postgres, Transaction};

use super::compare::touched;
use crate::history::{DAY_MS, day_of, decode, region_of};
use crate::{StoreError, from_millis, to_millis};

/// How many blocks the swap put, changed and took away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Applied {
    pub added: u64,
    pub changed: u64,
    pub removed: u64,
}

impl std::ops::AddAssign for Applied {
    fn add_assign(&mut self, other: Self) {
        self.added += other.added;
        self.changed += other.changed;
        self.removed += other.removed;
    }
}

/// A number of blocks and a sum over all their columns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checksum {
    pub blocks: u64,
    pub sum: i64,
}

/// A swap under way; dropped, it never was.
pub struct Swap<'a> {
    transaction: Transaction<'a, Postgres>,
}

impl<'a> Swap<'a> {
    pub(super) async fn begin(connection: &'a mut PgConnection) -> Result<Self, StoreError> {
        let mut transaction = connection.begin().await?;
        // Keeps out what locks rows to merge them, which a weaker lock would let in to wait for us for ever.
        sqlx::query("LOCK TABLE history_blocks IN EXCLUSIVE MODE").execute(&mut *transaction).await?;
        Ok(Self { transaction })
    }

    /// How often each day of the history that stands was written to.
    pub async fn touched(&mut self) -> Result<HashMap<Millis, i64>, StoreError> {
        touched(&mut self.transaction).await
    }

    /// Blocks of hours before `covered` that differ: (key, what stands, what was rebuilt).
    pub async fn uncovered(&mut self, covered: Millis) -> Result<Vec<(BlockKey, Block, Block)>, StoreError> {
        let rows = sqlx::query!(
            "SELECT l.monitor_id, l.hour, l.region, l.block AS live, s.block AS rebuilt
             FROM replay.history_blocks s JOIN history_blocks l USING (monitor_id, hour, region)
             WHERE s.hour < $1 AND l.block <> s.block",
            from_millis(covered),
        )
        .fetch_all(&mut *self.transaction)
        .await?;
        rows.into_iter()
            .map(|row| {
                let key = BlockKey {
                    monitor: row.monitor_id.into(),
                    region: region_of("history_blocks", &row.region)?,
                    hour: to_millis(row.hour),
                };
                Ok((key, decode(&row.live).unwrap_or_default(), decode(&row.rebuilt)?))
            })
            .collect()
    }

    /// Makes a day what was rebuilt of it. Blocks of hours before `covered` are put and changed, never taken away.
    pub async fn apply(&mut self, day: Millis, covered: Millis) -> Result<Applied, StoreError> {
        let (from, to) = (from_millis(day), from_millis(day + DAY_MS));
        let removed = self.remove(from_millis(day.max(covered)), to).await?;
        let changed = sqlx::query!(
            "UPDATE history_blocks l SET
                up = s.up, degraded = s.degraded, down = s.down, unknown = s.unknown, missed = s.missed, maintenance = s.maintenance,
                p50_us = s.p50_us, p95_us = s.p95_us, p99_us = s.p99_us, max_us = s.max_us, block = s.block
             FROM replay.history_blocks s
             WHERE l.monitor_id = s.monitor_id AND l.hour = s.hour AND l.region = s.region
                AND l.hour >= $1 AND l.hour < $2 AND s.hour >= $1 AND s.hour < $2
                AND (l.up, l.degraded, l.down, l.unknown, l.missed, l.maintenance, l.p50_us, l.p95_us, l.p99_us, l.max_us, l.block)
                    IS DISTINCT FROM
                    (s.up, s.degraded, s.down, s.unknown, s.missed, s.maintenance, s.p50_us, s.p95_us, s.p99_us, s.max_us, s.block)",
            from,
            to,
        )
        .execute(&mut *self.transaction)
        .await?
        .rows_affected();
        let added = sqlx::query!(
            "INSERT INTO history_blocks
                (monitor_id, hour, region, up, degraded, down, unknown, missed, maintenance, p50_us, p95_us, p99_us, max_us, block)
             SELECT monitor_id, hour, region, up, degraded, down, unknown, missed, maintenance, p50_us, p95_us, p99_us, max_us, block
             FROM replay.history_blocks s
             WHERE s.hour >= $1 AND s.hour < $2 AND NOT EXISTS (
                SELECT 1 FROM history_blocks l WHERE l.monitor_id = s.monitor_id AND l.hour = s.hour AND l.region = s.region
                    AND l.hour >= $1 AND l.hour < $2)",
            from,
            to,
        )
        .execute(&mut *self.transaction)
        .await?
        .rows_affected();
        let applied = Applied { added, changed, removed };
        self.touch(day, covered, applied != Applied::default()).await?;
        Ok(applied)
    }

    async fn remove(&mut self, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<u64, StoreError> {
        let done = sqlx::query!(
            "DELETE FROM history_blocks l WHERE l.hour >= $1 AND l.hour < $2 AND NOT EXISTS (
                SELECT 1 FROM replay.history_blocks s WHERE s.monitor_id = l.monitor_id AND s.hour = l.hour AND s.region = l.region)",
            from,
            to,
        )
        .execute(&mut *self.transaction)
        .await?;
        Ok(done.rows_affected())
    }

    /// The day's roll-ups are due again; those of which no block is left go, where the log knows the whole day.
    async fn touch(&mut self, day: Millis, covered: Millis, changed: bool) -> Result<(), StoreError> {
        if changed {
            sqlx::query!(
                "INSERT INTO history_days (day) VALUES ($1) ON CONFLICT (day) DO UPDATE SET touched = history_days.touched + 1",
                day_of(day)
            )
            .execute(&mut *self.transaction)
            .await?;
        }
        if day >= covered {
            sqlx::query!(
                "DELETE FROM day_rollups r WHERE r.day = $1 AND NOT EXISTS (
                    SELECT 1 FROM history_blocks h
                    WHERE h.monitor_id = r.monitor_id AND h.region = r.region AND h.hour >= $2 AND h.hour < $3)",
                day_of(day),
                from_millis(day),
                from_millis(day + DAY_MS),
            )
            .execute(&mut *self.transaction)
            .await?;
        }
        Ok(())
    }

    /// The hours of a day from `covered` on: of what stands, and of what was rebuilt.
    pub async fn checksums(&mut self, day: Millis, covered: Millis) -> Result<(Checksum, Checksum), StoreError> {
        let (from, to) = (from_millis(day.max(covered)), from_millis(day + DAY_MS));
        let live = sqlx::query!(
            r#"SELECT count(*) AS "blocks!", coalesce(bit_xor(hashtextextended(concat_ws('|', monitor_id, extract(epoch FROM hour), region,
                    up, degraded, down, unknown, missed, maintenance, p50_us, p95_us, p99_us, max_us, md5(block)), 0)), 0) AS "sum!"
               FROM history_blocks WHERE hour >= $1 AND hour < $2"#,
            from,
            to,
        )
        .fetch_one(&mut *self.transaction)
        .await?;
        let rebuilt = sqlx::query!(
            r#"SELECT count(*) AS "blocks!", coalesce(bit_xor(hashtextextended(concat_ws('|', monitor_id, extract(epoch FROM hour), region,
                    up, degraded, down, unknown, missed, maintenance, p50_us, p95_us, p99_us, max_us, md5(block)), 0)), 0) AS "sum!"
               FROM replay.history_blocks WHERE hour >= $1 AND hour < $2"#,
            from,
            to,
        )
        .fetch_one(&mut *self.transaction)
        .await?;
        let checksum = |blocks: i64, sum| Checksum { blocks: blocks.unsigned_abs(), sum };
        Ok((checksum(live.blocks, live.sum), checksum(rebuilt.blocks, rebuilt.sum)))
    }

    /// From here on the history that stands bears this name, and flushes for another are refused.
    pub async fn commit(mut self, generation: &str) -> Result<(), StoreError> {
        sqlx::query!("UPDATE history_generation SET name = $1, since = now()", generation).execute(&mut *self.transaction).await?;
        Ok(self.transaction.commit().await?)
    }
}
