//! Roll-ups per day: recomputed from the blocks, never incremented.

use std::collections::{BTreeMap, HashSet};

use chrono::NaiveDate;
use model::Millis;
use model::uptime::{Counts, Latencies};
use uuid::Uuid;

use super::{decode, millis_of};
use crate::error::set_aside;
use crate::{Store, StoreError, from_millis};

/// Rows read at once.
const PAGE: i64 = 20_000;
/// Keeps two processes from doing the same work; correctness does not need it.
const LOCK: i64 = 0x7570_6d65_726f_6c6c;

#[derive(Default)]
struct Day {
    counts: Counts,
    answered_us: Vec<u32>,
}

impl Store {
    /// Recomputes the roll-ups of every day whose blocks changed since its last one. Says how many days.
    /// Does nothing while another process is at it.
    pub async fn roll_up(&self) -> Result<u32, StoreError> {
        let mut guard = self.begin().await?;
        let ours = sqlx::query_scalar!(r#"SELECT pg_try_advisory_xact_lock($1) AS "ours!""#, LOCK).fetch_one(&mut *guard).await?;
        if !ours {
            return Ok(0);
        }
        let due = sqlx::query!("SELECT day, touched FROM history_days WHERE rolled < touched ORDER BY day").fetch_all(self.pool()).await?;
        let mut days = 0;
        for row in due {
            let (mut after, mut newer) = (None, 0);
            while let Some(next) = self.roll_up_page(row.day, after, &mut newer).await? {
                after = Some(next);
                // The lock lives in this transaction, which must not look forgotten.
                sqlx::query("SELECT 1").execute(&mut *guard).await?;
            }
            if newer > 0 {
                // The day stays due, for whoever can read it.
                tracing::error!(day = %row.day, newer, "what a newer version wrote is not rolled up: upgrade this service");
                continue;
            }
            // What was written since `touched` was read leaves the day due.
            sqlx::query!("UPDATE history_days SET rolled = greatest(rolled, $2) WHERE day = $1", row.day, row.touched)
                .execute(self.pool())
                .await?;
            days += 1;
        }
        guard.rollback().await?;
        Ok(days)
    }

    /// Rolls up some monitors after `after`; says the last of them, or nothing at the end. Counts in `newer` those of which a
    /// newer version wrote a block: their roll-ups stay as they are.
    async fn roll_up_page(&self, day: NaiveDate, after: Option<Uuid>, newer: &mut usize) -> Result<Option<Uuid>, StoreError> {
        let start: Millis = millis_of(day);
        let mut rows = sqlx::query!(
            "SELECT monitor_id, region, block FROM history_blocks
             WHERE hour >= $1 AND hour < $2 AND ($3::uuid IS NULL OR monitor_id > $3)
             ORDER BY monitor_id LIMIT $4",
            from_millis(start),
            from_millis(start + super::DAY_MS),
            after,
            PAGE,
        )
        .fetch_all(self.pool())
        .await?;
        let Some(last) = rows.last().map(|row| row.monitor_id) else { return Ok(None) };
        let mut reached = last;
        if i64::try_from(rows.len()).unwrap_or(i64::MAX) == PAGE {
            // The last monitor's rows may go on beyond the page: it begins the next one.
            let whole = rows.iter().rposition(|row| row.monitor_id != last).map_or(rows.len(), |at| at + 1);
            rows.truncate(whole);
            reached = rows.last().map_or(last, |row| row.monitor_id);
        }
        let mut monitors: BTreeMap<(Uuid, String), Day> = BTreeMap::new();
        let mut beyond: HashSet<(Uuid, String)> = HashSet::new();
        for row in rows {
            let block = match decode(&row.block) {
                Ok(block) => block,
                Err(StoreError::Newer { .. }) => {
                    beyond.insert((row.monitor_id, row.region));
                    continue;
                }
                Err(error) => {
                    set_aside("history_blocks", format_args!("{} {} on {day}", row.monitor_id, row.region), error);
                    continue;
                }
            };
            let day = monitors.entry((row.monitor_id, row.region)).or_default();
            day.counts.merge(&block.counts());
            day.answered_us.extend(block.answered_us());
        }
        monitors.retain(|key, _| !beyond.contains(key));
        *newer += beyond.len();
        self.write_rollups(day, monitors).await?;
        Ok(Some(reached))
    }

    async fn write_rollups(&self, day: NaiveDate, monitors: BTreeMap<(Uuid, String), Day>) -> Result<(), StoreError> {
        let (mut ids, mut regions) = (Vec::new(), Vec::new());
        let mut counts: [Vec<i32>; 6] = Default::default();
        let mut latencies: [Vec<Option<i32>>; 4] = Default::default();
        for ((monitor, region), mut day) in monitors {
            ids.push(monitor);
            regions.push(region);
            for (column, outcome) in counts.iter_mut().zip(model::Outcome::ALL) {
                column.push(i32::try_from(day.counts.get(outcome)).unwrap_or(i32::MAX));
            }
            let Latencies { p50, p95, p99, max } = Latencies::of(&mut day.answered_us);
            for (column, latency) in latencies.iter_mut().zip([p50, p95, p99, max]) {
                column.push(latency.map(|us| i32::try_from(us).unwrap_or(i32::MAX)));
            }
        }
        sqlx::query!(
            "INSERT INTO day_rollups
                (monitor_id, day, region, up, degraded, down, unknown, missed, maintenance, p50_us, p95_us, p99_us, max_us)
             SELECT n.monitor_id, $1, n.region, n.up, n.degraded, n.down, n.unknown, n.missed, n.maintenance,
                n.p50_us, n.p95_us, n.p99_us, n.max_us
             FROM UNNEST($2::uuid[], $3::text[], $4::int4[], $5::int4[], $6::int4[], $7::int4[], $8::int4[], $9::int4[],
                $10::int4[], $11::int4[], $12::int4[], $13::int4[])
                AS n(monitor_id, region, up, degraded, down, unknown, missed, maintenance, p50_us, p95_us, p99_us, max_us)
             ORDER BY n.monitor_id, n.region
             ON CONFLICT (monitor_id, day, region) DO UPDATE SET
                up = EXCLUDED.up, degraded = EXCLUDED.degraded, down = EXCLUDED.down, unknown = EXCLUDED.unknown,
                missed = EXCLUDED.missed, maintenance = EXCLUDED.maintenance, p50_us = EXCLUDED.p50_us,
                p95_us = EXCLUDED.p95_us, p99_us = EXCLUDED.p99_us, max_us = EXCLUDED.max_us",
            day,
            &ids,
            &regions,
            &counts[0],
            &counts[1],
            &counts[2],
            &counts[3],
            &counts[4],
            &counts[5],
            &latencies[0] as &[Option<i32>],
            &latencies[1] as &[Option<i32>],
            &latencies[2] as &[Option<i32>],
            &latencies[3] as &[Option<i32>],
        )
        .execute(self.pool())
        .await?;
        Ok(())
    }
}
