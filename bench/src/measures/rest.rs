//! D2: what a check costs on disk once its day is over. A day is written as it would pass: every block flushed once a minute for
//! an hour, and vacuumed whenever autovacuum would.

use std::sync::Arc;

use anyhow::{Context, Result};
use model::history::{Block, BlockKey, Entry, HOUR_MS, hour_of};
use model::{Outcome, Region};
use sqlx::{Connection, Executor, PgConnection};
use store::history::HourBlock;
use testkit::Stack;

use super::{Suite, progress};
use crate::anchors::heap::monitor_id;
use crate::roles::now_us;

const DAY_MS: i64 = 24 * HOUR_MS;
const MINUTES: i64 = 60;

pub async fn measure(suite: &mut Suite) -> Result<()> {
    if !suite.wants(&["D2"]) {
        return Ok(());
    }
    let (monitors, hours) = suite.size((300, 24), (60, 3));
    progress(&format!("D2: a day of {monitors} monitors, minute by minute"));
    let stack = Stack::new();
    let database = stack.database().await;
    let yesterday = (now_us() / 1000).div_euclid(DAY_MS) * DAY_MS - DAY_MS;
    let mut connection = PgConnection::connect(&database.url).await?;
    let day = chrono::DateTime::from_timestamp_millis(yesterday).context("a day")?.date_naive();
    sqlx::query("SELECT ensure_history_partition($1)").bind(day).execute(&mut connection).await?;
    let mut vacuum = Vacuum::default();
    for hour in 0..hours {
        let hour = hour_of(yesterday + hour * HOUR_MS);
        let mut blocks = begin(monitors, hour)?;
        for minute in 0..MINUTES {
            for (n, block) in (0_u32..).zip(&mut blocks) {
                Arc::make_mut(&mut block.block).insert(check(n, hour, minute));
            }
            database.store.flush_history(&blocks).await?;
            vacuum.written(&mut connection, f64::from(monitors), minute > 0).await?;
        }
    }
    // The last flush of a day is followed by one more, once the threshold of inserts and updates is passed by the next.
    connection.execute("VACUUM history_blocks").await?;
    let blocks =
        bytes(&mut connection, "SELECT sum(pg_total_relation_size(relid))::float8 FROM pg_partition_tree('history_blocks') WHERE isleaf")
            .await?;
    let plain = bytes(&mut connection, "SELECT sum(length(block))::float8 FROM history_blocks").await?;
    #[expect(clippy::cast_precision_loss, reason = "counts of a day")]
    let checks = (i64::from(monitors) * hours * MINUTES) as f64;
    let note = format!(
        "{checks} checks at 60 s, every block flushed 60 times, {} vacuums as by autovacuum's own rule, never FULL; the blocks alone {:.1} B; the day's roll-up rows, kept longer, are 0.1 B more",
        vacuum.runs,
        plain / checks
    );
    suite.below("D2", "bytes per check in a day partition at rest, index and page overhead included", blocks / checks, " B", 15.0, note);
    Ok(())
}

/// The hour's blocks, empty yet.
fn begin(monitors: u32, hour: i64) -> Result<Vec<HourBlock>> {
    let region: Region = "bench".parse().map_err(anyhow::Error::msg)?;
    let key = |n| BlockKey { monitor: monitor_id(n), region: region.clone(), hour };
    Ok((0..monitors).map(|n| HourBlock { key: key(n), block: Arc::new(Block::new()) }).collect())
}

/// A check with a latency that varies as real ones do: around a level of the monitor's own, with a tail.
fn check(n: u32, hour: i64, minute: i64) -> Entry {
    let noise = u32::try_from((i64::from(n) * 7919 + (hour / 1000 + minute * 60) * 104_729).rem_euclid(10_007)).unwrap_or(0);
    let level = 5_000 + n % 400 * 250;
    let tail = if noise.is_multiple_of(50) { noise * 30 } else { 0 };
    let phase = i64::from(n) * 197 % 60_000;
    Entry::new(minute * 60_000 + phase, Outcome::Up, Some(level + noise * level / 40_000 + tail))
}

/// Autovacuum looks once a minute, which here is a flush, and goes by the partition's own settings (`0002_history.sql`).
#[derive(Default)]
struct Vacuum {
    rows: f64,
    dead: f64,
    runs: u32,
}

impl Vacuum {
    async fn written(&mut self, connection: &mut PgConnection, rows: f64, updated: bool) -> Result<()> {
        if updated {
            self.dead += rows;
        } else {
            self.rows += rows;
        }
        if self.dead > 500.0 + 0.1 * self.rows {
            connection.execute("VACUUM history_blocks").await?;
            self.dead = 0.0;
            self.runs += 1;
        }
        Ok(())
    }
}

async fn bytes(connection: &mut PgConnection, sql: &'static str) -> Result<f64> {
    Ok(sqlx::query_scalar(sql).fetch_one(connection).await?)
}
