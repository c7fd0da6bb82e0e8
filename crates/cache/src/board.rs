//! Everything a page of monitors shows, in one round trip.

use std::collections::BTreeMap;

use bytes::Bytes;
use deadpool_redis::redis;
use model::{Millis, MonitorId, Region};

use crate::connection::Cache;
use crate::error::CacheError;
use crate::keys::Keys;

/// What to read of one monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardKey {
    pub monitor: MonitorId,
    /// Which current blocks: region and start of the hour.
    pub blocks: Vec<(Region, Millis)>,
}

/// What Redis holds of one monitor, as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BoardRow {
    /// Region to the JSON of its latest result.
    pub live: BTreeMap<String, Bytes>,
    /// JSON of the verdict.
    pub verdict: Option<Bytes>,
    /// `{region}:{hour}` to the counts of that hour.
    pub hours: BTreeMap<String, Bytes>,
    /// In the order asked for.
    pub blocks: Vec<Option<Bytes>>,
}

/// What to leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Latest results and verdicts only.
    State,
    /// Counts of the last hours and the blocks asked for, too.
    Whole,
}

impl Cache {
    /// One row for each key, in order. Two multi-key reads and up to two hashes a monitor, in one
    /// pipeline on the shared connection: the cost per monitor does not depend on how many there are.
    /// The same pipeline asks which generation of live state is shown, and follows where it changed.
    pub async fn boards(&self, wanted: &[BoardKey], depth: Depth) -> Result<Vec<BoardRow>, CacheError> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let keys = self.followed().keys();
        let (rows, shown) = self.boards_in(&keys, wanted, depth).await?;
        if shown == keys.generation_name() {
            return Ok(rows);
        }
        self.followed().follow(&shown);
        // Changing once more meanwhile would take two replays at once.
        Ok(self.boards_in(&self.followed().keys(), wanted, depth).await?.0)
    }

    /// The rows, and the generation that is shown.
    async fn boards_in(&self, keys: &Keys, wanted: &[BoardKey], depth: Depth) -> Result<(Vec<BoardRow>, String), CacheError> {
        let mut pipe = redis::pipe();
        let mut verdicts = redis::cmd("MGET");
        for key in wanted {
            verdicts.arg(keys.verdict(key.monitor));
            pipe.hgetall(keys.live(key.monitor));
        }
        pipe.add_command(verdicts);
        pipe.get(keys.live_generation());
        let mut blocks = redis::cmd("MGET");
        let mut any_block = false;
        if depth == Depth::Whole {
            for key in wanted {
                pipe.hgetall(keys.hours(key.monitor));
                for (region, hour) in &key.blocks {
                    any_block = true;
                    blocks.arg(keys.block(key.monitor, region, *hour));
                }
            }
            if any_block {
                pipe.add_command(blocks);
            }
        }
        let mut connection = self.shared();
        let answers: Vec<redis::Value> = self.within(pipe.query_async(&mut connection)).await?;
        let mut answers = answers.into_iter();
        let mut rows: Vec<BoardRow> = Vec::with_capacity(wanted.len());
        for _ in wanted {
            rows.push(BoardRow { live: read(&mut answers)?, ..BoardRow::default() });
        }
        let verdicts: Vec<Option<Bytes>> = read(&mut answers)?;
        let shown: Option<String> = read(&mut answers)?;
        for (row, verdict) in rows.iter_mut().zip(verdicts) {
            row.verdict = verdict;
        }
        if depth == Depth::Whole {
            for row in &mut rows {
                row.hours = read(&mut answers)?;
            }
            let mut blocks: std::vec::IntoIter<Option<Bytes>> =
                if any_block { read::<Vec<_>>(&mut answers)? } else { Vec::new() }.into_iter();
            for (row, key) in rows.iter_mut().zip(wanted) {
                row.blocks = blocks.by_ref().take(key.blocks.len()).collect();
            }
        }
        Ok((rows, shown.unwrap_or_default()))
    }
}

fn read<T: redis::FromRedisValue>(answers: &mut impl Iterator<Item = redis::Value>) -> Result<T, CacheError> {
    let short = || CacheError::Value { key: "a page of monitors".to_owned(), reason: "fewer answers than questions".to_owned() };
    let answer = answers.next().ok_or_else(short)?;
    Ok(redis::from_redis_value(answer).map_err(redis::RedisError::from)?)
}
