//! Writing blocks: lock the rows, merge, upsert, one transaction per chunk.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::{StreamExt as _, TryStreamExt as _};
use model::history::{Block, BlockKey};
use model::uptime::Latencies;
use uuid::Uuid;

use super::generation::insist_on;
use super::{DAY_MS, day_of, decode};
use crate::error::set_aside;
use crate::{Store, StoreError, Transaction, from_millis, to_millis};

/// Blocks per transaction: long enough to be cheap, short enough to hold its locks for milliseconds.
const CHUNK: usize = 2000;
/// Chunks under way at once: PostgreSQL works on one while the next is encoded.
const CONCURRENCY: usize = 3;
/// How often a transaction that lost against another is run again.
const ATTEMPTS: u32 = 8;

/// A block to be merged into the history.
#[derive(Debug, Clone)]
pub struct HourBlock {
    pub key: BlockKey,
    pub block: Arc<Block>,
}

/// What a flush found.
#[derive(Debug, Default)]
pub struct Flushed {
    /// Rows inserted or changed.
    pub written: u64,
    /// Blocks of which PostgreSQL held more than it was given: what stands there now.
    pub grown: Vec<HourBlock>,
}

impl Store {
    /// Merges blocks into the history. Any number of processes may do so at once, with the same or other
    /// blocks, any number of times: rows are locked in one order and merged, never overwritten.
    /// No key twice. The partitions must exist ([`Store::ensure_history_days`]).
    pub async fn flush_history(&self, blocks: &[HourBlock]) -> Result<Flushed, StoreError> {
        self.flush(None, blocks).await
    }

    /// As [`Store::flush_history`], for blocks folded under a generation ([`Store::history_generation`]):
    /// [`StoreError::Superseded`] where another one stands by now.
    pub async fn flush_history_in(&self, generation: &str, blocks: &[HourBlock]) -> Result<Flushed, StoreError> {
        self.flush(Some(generation), blocks).await
    }

    async fn flush(&self, generation: Option<&str>, blocks: &[HourBlock]) -> Result<Flushed, StoreError> {
        let mut sorted: Vec<&HourBlock> = blocks.iter().collect();
        // The order in which every process locks.
        sorted.sort_unstable_by(|a, b| order(&a.key).cmp(&order(&b.key)));
        let mut flushed = Flushed::default();
        // The chunks have no row in common; each waits for another only while that commits (`history_days`).
        let mut chunks = Vec::with_capacity(sorted.len().div_ceil(CHUNK));
        for chunk in sorted.chunks(CHUNK) {
            chunks.push(self.flush_chunk(generation, chunk));
        }
        let mut parts = futures::stream::iter(chunks).buffer_unordered(CONCURRENCY);
        while let Some(part) = parts.try_next().await? {
            flushed.written += part.written;
            flushed.grown.extend(part.grown);
        }
        Ok(flushed)
    }

    async fn flush_chunk(&self, generation: Option<&str>, chunk: &[&HourBlock]) -> Result<Flushed, StoreError> {
        let mut attempt = 0;
        loop {
            let lost = match self.try_flush(generation, chunk).await {
                Ok(Some(flushed)) => return Ok(flushed),
                // Another process inserted one of our rows meanwhile; now it is there to be merged.
                Ok(None) => None,
                Err(error @ StoreError::Contention(_)) => Some(error),
                Err(error) => return Err(error),
            };
            attempt += 1;
            if attempt >= ATTEMPTS {
                return Err(lost.unwrap_or(StoreError::Contention(sqlx::Error::RowNotFound)));
            }
            tokio::time::sleep(std::time::Duration::from_millis(5 << attempt)).await;
        }
    }

    /// `None` where a concurrent insert won.
    async fn try_flush(&self, generation: Option<&str>, chunk: &[&HourBlock]) -> Result<Option<Flushed>, StoreError> {
        let mut transaction = self.begin().await?;
        let stored = lock(&mut transaction, chunk).await?;
        if let Some(generation) = generation {
            insist_on(&mut transaction, generation).await?;
        }
        let (mut fresh, mut changed) = (Columns::default(), Columns::default());
        let mut flushed = Flushed::default();
        for given in chunk {
            let Some(bytes) = stored.get(&(given.key.monitor.0, given.key.hour, given.key.region.as_str())) else {
                fresh.push(&given.key, &given.block, given.block.encode());
                continue;
            };
            let ours = given.block.encode();
            if ours == *bytes {
                continue;
            }
            let mut merged: Cow<'_, Block> = Cow::Borrowed(&given.block);
            let theirs = match decode(bytes) {
                Ok(theirs) => theirs,
                // Nothing is wrong with it: whoever can read it merges what we have, from the log.
                Err(StoreError::Newer { table, message }) => {
                    let BlockKey { monitor, region, hour } = &given.key;
                    return Err(StoreError::Newer { table, message: format!("{monitor} {region} {}: {message}", from_millis(*hour)) });
                }
                Err(error) => {
                    // Replaced by what we have: the log holds the rest for a replay, and the bytes stay on record.
                    let row = format_args!("{} {} {} ({bytes:02x?})", given.key.monitor, given.key.region, from_millis(given.key.hour));
                    set_aside("history_blocks", row, error);
                    Block::default()
                }
            };
            if !contains(&given.block, &theirs) {
                merged.to_mut().merge(&theirs);
            }
            if let Cow::Owned(merged) = &merged {
                let (key, block) = (given.key.clone(), Arc::new(merged.clone()));
                flushed.grown.push(HourBlock { key, block });
                let bytes_now = merged.encode();
                if bytes_now != *bytes {
                    changed.push(&given.key, merged, bytes_now);
                }
            } else {
                changed.push(&given.key, &given.block, ours);
            }
        }
        if !changed.keys.monitors.is_empty() {
            update(&mut transaction, &changed).await?;
        }
        if !fresh.keys.monitors.is_empty() && insert(&mut transaction, &fresh).await? < fresh.keys.monitors.len() as u64 {
            transaction.rollback().await?;
            return Ok(None);
        }
        flushed.written = (fresh.keys.monitors.len() + changed.keys.monitors.len()) as u64;
        // Last, so that the one row all processes share is locked only for the commit.
        let days: BTreeSet<_> = fresh.keys.hours.iter().chain(&changed.keys.hours).map(|hour| day_of(to_millis(*hour))).collect();
        if !days.is_empty() {
            let days: Vec<_> = days.into_iter().collect();
            sqlx::query!(
                "INSERT INTO history_days (day) SELECT day FROM UNNEST($1::date[]) AS d(day) ORDER BY day
                 ON CONFLICT (day) DO UPDATE SET touched = history_days.touched + 1",
                &days
            )
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(Some(flushed))
    }
}

fn order(key: &BlockKey) -> (Uuid, i64, &str) {
    (key.monitor.0, key.hour, key.region.as_str())
}

/// Whether uniting changes nothing.
fn contains(ours: &Block, theirs: &Block) -> bool {
    let mut own = ours.entries().iter();
    theirs.entries().iter().all(|entry| own.any(|own| own.offset_ms() == entry.offset_ms() && own.winner(*entry) == *own))
}

type Key<'a> = (Uuid, i64, &'a str);

/// Locks the rows that exist, in key order, and reads them.
async fn lock<'a>(transaction: &mut Transaction, chunk: &[&'a HourBlock]) -> Result<HashMap<Key<'a>, Vec<u8>>, StoreError> {
    let mut keys = Keys::default();
    let mut regions: HashMap<&str, &'a str> = HashMap::new();
    for given in chunk {
        keys.push(&given.key);
        regions.insert(given.key.region.as_str(), given.key.region.as_str());
    }
    let (Some(first), Some(last)) = (keys.hours.iter().min(), keys.hours.iter().max()) else { return Ok(HashMap::new()) };
    // The bounds let the planner leave out the other days' partitions.
    let rows = sqlx::query!(
        "SELECT h.monitor_id, h.hour, h.region, h.block FROM history_blocks h
         JOIN UNNEST($1::uuid[], $2::timestamptz[], $3::text[]) AS k(monitor_id, hour, region) USING (monitor_id, hour, region)
         WHERE h.hour BETWEEN $4 AND $5
         ORDER BY h.monitor_id, h.hour, h.region FOR UPDATE OF h",
        &keys.monitors,
        &keys.hours,
        &keys.regions,
        first,
        last,
    )
    .fetch_all(&mut **transaction)
    .await?;
    let mut found = HashMap::with_capacity(rows.len());
    for row in rows {
        if let Some(region) = regions.get(row.region.as_str()) {
            found.insert((row.monitor_id, to_millis(row.hour), *region), row.block);
        }
    }
    Ok(found)
}

async fn insert(transaction: &mut Transaction, rows: &Columns) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "INSERT INTO history_blocks
            (monitor_id, hour, region, up, degraded, down, unknown, missed, maintenance, p50_us, p95_us, p99_us, max_us, block)
         SELECT * FROM UNNEST($1::uuid[], $2::timestamptz[], $3::text[], $4::int2[], $5::int2[], $6::int2[], $7::int2[], $8::int2[],
            $9::int2[], $10::int4[], $11::int4[], $12::int4[], $13::int4[], $14::bytea[])
         ON CONFLICT DO NOTHING",
        &rows.keys.monitors,
        &rows.keys.hours,
        &rows.keys.regions,
        &rows.counts[0],
        &rows.counts[1],
        &rows.counts[2],
        &rows.counts[3],
        &rows.counts[4],
        &rows.counts[5],
        &rows.latencies[0] as &[Option<i32>],
        &rows.latencies[1] as &[Option<i32>],
        &rows.latencies[2] as &[Option<i32>],
        &rows.latencies[3] as &[Option<i32>],
        &rows.blocks,
    )
    .execute(&mut **transaction)
    .await?;
    Ok(done.rows_affected())
}

async fn update(transaction: &mut Transaction, rows: &Columns) -> Result<(), StoreError> {
    let (first, last) = (rows.keys.hours.iter().min(), rows.keys.hours.iter().max());
    sqlx::query!(
        "UPDATE history_blocks h SET
            up = n.up, degraded = n.degraded, down = n.down, unknown = n.unknown, missed = n.missed, maintenance = n.maintenance,
            p50_us = n.p50_us, p95_us = n.p95_us, p99_us = n.p99_us, max_us = n.max_us, block = n.block
         FROM UNNEST($1::uuid[], $2::timestamptz[], $3::text[], $4::int2[], $5::int2[], $6::int2[], $7::int2[], $8::int2[],
            $9::int2[], $10::int4[], $11::int4[], $12::int4[], $13::int4[], $14::bytea[])
            AS n(monitor_id, hour, region, up, degraded, down, unknown, missed, maintenance, p50_us, p95_us, p99_us, max_us, block)
         WHERE h.monitor_id = n.monitor_id AND h.hour = n.hour AND h.region = n.region AND h.hour BETWEEN $15 AND $16",
        &rows.keys.monitors,
        &rows.keys.hours,
        &rows.keys.regions,
        &rows.counts[0],
        &rows.counts[1],
        &rows.counts[2],
        &rows.counts[3],
        &rows.counts[4],
        &rows.counts[5],
        &rows.latencies[0] as &[Option<i32>],
        &rows.latencies[1] as &[Option<i32>],
        &rows.latencies[2] as &[Option<i32>],
        &rows.latencies[3] as &[Option<i32>],
        &rows.blocks,
        first,
        last,
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Keys as columns, for UNNEST.
#[derive(Default)]
pub(super) struct Keys {
    pub monitors: Vec<Uuid>,
    pub hours: Vec<DateTime<Utc>>,
    pub regions: Vec<String>,
}

impl Keys {
    fn push(&mut self, key: &BlockKey) {
        self.monitors.push(key.monitor.0);
        self.hours.push(from_millis(key.hour));
        self.regions.push(key.region.as_str().to_owned());
    }
}

/// Rows as columns, for UNNEST.
#[derive(Default)]
struct Columns {
    keys: Keys,
    /// In the order of the outcomes' codes.
    counts: [Vec<i16>; 6],
    /// p50, p95, p99, max.
    latencies: [Vec<Option<i32>>; 4],
    blocks: Vec<Vec<u8>>,
}

impl Columns {
    fn push(&mut self, key: &BlockKey, block: &Block, bytes: Vec<u8>) {
        debug_assert_eq!(key.hour.rem_euclid(DAY_MS / 24), 0, "an hour begins at an hour");
        self.keys.push(key);
        let counts = block.counts();
        for (column, outcome) in self.counts.iter_mut().zip(model::Outcome::ALL) {
            column.push(i16::try_from(counts.get(outcome)).unwrap_or(i16::MAX));
        }
        let Latencies { p50, p95, p99, max } = block.latencies();
        for (column, latency) in self.latencies.iter_mut().zip([p50, p95, p99, max]) {
            column.push(latency.map(|us| i32::try_from(us).unwrap_or(i32::MAX)));
        }
        self.blocks.push(bytes);
    }
}
