//! Writing live state: one script per chunk compares and sets blocks and keeps the newest result.

use bytes::Bytes;
use deadpool_redis::redis::{self, ErrorKind, ServerErrorKind, Value};
use futures::{StreamExt as _, TryStreamExt as _};
use model::history::HOUR_MS;
use model::uptime::Counts;
use model::{Millis, MonitorId, Region};
use std::sync::LazyLock;

use super::encode_counts;
use crate::connection::Cache;
use crate::error::CacheError;

/// Items per script call: three keys each, so below 500 keys, and about a millisecond of Redis's time.
const CHUNK: usize = 160;
/// Calls under way at once: one runs while the next is on its way.
const CONCURRENCY: usize = 2;
/// How long a block stays after its hour.
const BLOCK_MS: Millis = 3 * HOUR_MS;
/// How many hours of counts are kept.
const HOURS: Millis = 26;

static SCRIPT: LazyLock<redis::Script> = LazyLock::new(|| redis::Script::new(include_str!("write.lua")));

/// One block to be stored, and perhaps a newer latest result.
#[derive(Debug, Clone)]
pub struct LiveWrite {
    pub monitor: MonitorId,
    pub region: Region,
    /// Beginning of the block's hour, Unix ms.
    pub hour: Millis,
    /// The encoded block the writer believes to be there; empty for none.
    pub expected: Bytes,
    /// The encoded block; must hold everything that is in `expected`. Empty for an hour past
    /// [`Cache::keeps_block`], and where only `latest` is to be stored.
    pub block: Bytes,
    /// Those of the block. Without one they are stored unless more is counted there already; none are stored where all are 0.
    pub counts: Counts,
    /// JSON of a [`super::LiveResult`].
    pub latest: Option<Bytes>,
}

/// What became of a [`LiveWrite`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveOutcome {
    /// Another block was there and nothing was stored: merge these bytes and write again.
    pub conflict: Option<Bytes>,
    /// The latest result was newer than what was there.
    pub latest_stored: bool,
    /// A key held what none of ours ever writes (another type) and was removed. What it had replaced is missed:
    /// [`crate::Keys::owed`] has grown.
    pub removed: bool,
}

impl Cache {
    /// Whether a block of this hour is still kept in Redis at `now`.
    pub fn keeps_block(hour: Millis, now: Millis) -> bool {
        now < hour + HOUR_MS + BLOCK_MS
    }

    /// Whether the counts of this hour are still kept in Redis at `now`.
    pub fn keeps_counts(hour: Millis, now: Millis) -> bool {
        now < hour + HOURS * HOUR_MS
    }

    /// Stores blocks and latest results; outcomes in the order of the writes.
    pub async fn write_live(&self, writes: &[LiveWrite]) -> Result<Vec<LiveOutcome>, CacheError> {
        let mut calls = Vec::with_capacity(writes.len().div_ceil(CHUNK));
        for chunk in writes.chunks(CHUNK) {
            calls.push(self.write_chunk(chunk));
        }
        let outcomes: Vec<Vec<LiveOutcome>> = futures::stream::iter(calls).buffered(CONCURRENCY).try_collect().await?;
        Ok(outcomes.into_iter().flatten().collect())
    }

    async fn write_chunk(&self, chunk: &[LiveWrite]) -> Result<Vec<LiveOutcome>, CacheError> {
        let mut command = redis::cmd("EVALSHA");
        command.arg(SCRIPT.get_hash()).arg(chunk.len() * 3 + 1);
        let keys = self.keys();
        for write in chunk {
            command.arg(keys.block(write.monitor, &write.region, write.hour)).arg(keys.live(write.monitor)).arg(keys.hours(write.monitor));
        }
        command.arg(keys.owed());
        for write in chunk {
            command
                .arg(write.expected.as_ref())
                .arg(write.block.as_ref())
                .arg((write.hour + HOUR_MS + BLOCK_MS) / 1000)
                .arg(field(&write.region, write.hour))
                .arg(if write.counts.total() > 0 { encode_counts(&write.counts) } else { String::new() })
                .arg(field(&write.region, write.hour - HOURS * HOUR_MS))
                .arg(write.region.as_str())
                .arg(write.latest.as_deref().unwrap_or_default());
        }
        let mut connection = self.pooled().await?;
        let answer: redis::RedisResult<Vec<Value>> = match self.within(async { Ok(command.query_async(&mut connection).await) }).await? {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.within(SCRIPT.load_async(&mut connection)).await?;
                self.within(async { Ok(command.query_async(&mut connection).await) }).await?
            }
            answer => answer,
        };
        outcomes(answer?, chunk.len())
    }
}

fn field(region: &Region, hour: Millis) -> String {
    format!("{region}:{hour}")
}

fn outcomes(answer: Vec<Value>, items: usize) -> Result<Vec<LiveOutcome>, CacheError> {
    let broken = || CacheError::Value { key: "the live script".to_owned(), reason: "an answer it never gives".to_owned() };
    let mut answer = answer.into_iter();
    let mut outcomes = Vec::with_capacity(items);
    while let Some(next) = answer.next() {
        let Value::Int(code) = next else { return Err(broken()) };
        let conflict = match (code & 4 != 0).then(|| answer.next()) {
            None => None,
            Some(Some(Value::BulkString(bytes))) => Some(Bytes::from(bytes)),
            Some(_) => return Err(broken()),
        };
        outcomes.push(LiveOutcome { conflict, latest_stored: code & 2 != 0, removed: code & 8 != 0 });
    }
    if outcomes.len() == items { Ok(outcomes) } else { Err(broken()) }
}
