//! Generations of live state: a replay writes another beside the one that is shown, and one key says
//! which is shown. Writers name the generation they write to; readers follow the key.

use std::sync::LazyLock;

use deadpool_redis::redis;
use model::{Millis, MonitorId, Region};

use super::LiveWrite;
use crate::connection::Cache;
use crate::error::CacheError;
use crate::keys::Keys;

/// Keys per round trip.
const CHUNK: usize = 500;
/// How long the latest result of a monitor that reports no more is kept after its hour.
const LATEST_MS: Millis = 8 * 24 * 3_600_000 + 4 * 3_600_000;

/// A staged block is written over this often before somebody else must be writing it, too.
const ATTEMPTS: usize = 5;

/// Shows another generation, unless someone else did so meanwhile.
static SHOW: LazyLock<redis::Script> = LazyLock::new(|| {
    redis::Script::new(
        "if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
         if ARGV[2] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[2]) end
         return 1",
    )
});

/// What Redis holds of a monitor in a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLatest {
    pub monitor: MonitorId,
    pub region: Region,
    /// JSON of a [`super::LiveResult`].
    pub latest: bytes::Bytes,
}

impl Cache {
    /// The generation that is shown; empty for the first, and where Redis was emptied.
    pub async fn live_generation(&self) -> Result<String, CacheError> {
        let shown: Option<String> = self.query(redis::cmd("GET").arg(self.keys().live_generation())).await?;
        Ok(shown.unwrap_or_default())
    }

    /// Shows `next` where `shown` is shown; says whether it is so now.
    pub async fn show_live_generation(&self, shown: &str, next: &str) -> Result<bool, CacheError> {
        let done: i64 = self.script(SHOW.key(self.keys().live_generation()).arg(shown).arg(next)).await?;
        Ok(done == 1 || self.live_generation().await? == next)
    }

    /// Notes which generation is staged from now on; says which was before. What it left, where it never
    /// came to be shown, is to be forgotten.
    pub async fn note_staged_generation(&self, generation: &str) -> Result<Option<String>, CacheError> {
        self.query(redis::cmd("SET").arg(self.keys().staged_generation()).arg(generation).arg("GET")).await
    }

    /// Writes live state that nobody sees yet; `self` must be in the new generation and its only writer.
    /// Gives every key an end.
    pub async fn stage_live(&self, writes: &[LiveWrite]) -> Result<(), CacheError> {
        // What is there already was staged before, and is part of what is staged now.
        let mut left: Vec<LiveWrite> = writes.to_vec();
        for _ in 0..ATTEMPTS {
            if left.is_empty() {
                break;
            }
            let outcomes = self.write_live(&left).await?;
            let again =
                left.into_iter().zip(outcomes).filter_map(|(write, outcome)| Some(LiveWrite { expected: outcome.conflict?, ..write }));
            left = again.collect();
        }
        if let Some(write) = left.first() {
            let key = self.keys().block(write.monitor, &write.region, write.hour);
            return Err(CacheError::Value { key, reason: "somebody else writes to a generation that is not shown".to_owned() });
        }
        for chunk in writes.chunks(CHUNK) {
            let mut pipe = redis::pipe();
            for write in chunk.iter().filter(|write| write.latest.is_some()) {
                let expires = (write.hour + LATEST_MS) / 1000;
                pipe.cmd("EXPIREAT").arg(self.keys().live(write.monitor)).arg(expires).arg("NX").ignore();
            }
            if !pipe.is_empty() {
                self.pipeline::<()>(&pipe).await?;
            }
        }
        Ok(())
    }

    /// The bytes of these blocks, in their order.
    pub async fn stored_blocks(&self, wanted: &[(MonitorId, Region, Millis)]) -> Result<Vec<Option<bytes::Bytes>>, CacheError> {
        let mut found = Vec::with_capacity(wanted.len());
        for chunk in wanted.chunks(CHUNK) {
            let mut command = redis::cmd("MGET");
            for (monitor, region, hour) in chunk {
                command.arg(self.keys().block(*monitor, region, *hour));
            }
            found.extend(self.query::<Vec<Option<bytes::Bytes>>>(&command).await?);
        }
        Ok(found)
    }

    /// Every latest result of this generation, some hundred monitors at a time: call until the cursor is 0 again.
    pub async fn stored_latest(&self, cursor: &mut u64) -> Result<Vec<StoredLatest>, CacheError> {
        let pattern = format!("{}*", self.keys().live_start());
        let (next, keys): (u64, Vec<String>) =
            self.query(redis::cmd("SCAN").arg(*cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(CHUNK)).await?;
        *cursor = next;
        let mut pipe = redis::pipe();
        for key in &keys {
            pipe.hgetall(key);
        }
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let hashes: Vec<std::collections::BTreeMap<String, bytes::Bytes>> = self.pipeline(&pipe).await?;
        let mut found = Vec::new();
        for (key, hash) in keys.iter().zip(hashes) {
            let Some(monitor) = key.rsplit(':').next().and_then(|id| id.parse().ok()).map(MonitorId) else { continue };
            let of = |(region, latest): (String, bytes::Bytes)| Some(StoredLatest { monitor, region: region.parse().ok()?, latest });
            found.extend(hash.into_iter().filter_map(of));
        }
        Ok(found)
    }

    /// Removes the live state of a generation that is not shown. Says how many keys.
    pub async fn forget_live_generation(&self, generation: &str) -> Result<u64, CacheError> {
        let old = self.keys().in_generation(generation);
        let mut removed = 0;
        for start in old.derived_starts() {
            let mut cursor = 0_u64;
            loop {
                let (next, keys): (u64, Vec<String>) =
                    self.query(redis::cmd("SCAN").arg(cursor).arg("MATCH").arg(format!("{start}*")).arg("COUNT").arg(CHUNK)).await?;
                if !keys.is_empty() {
                    removed += self.query::<u64>(redis::cmd("UNLINK").arg(&keys)).await?;
                }
                cursor = next;
                if cursor == 0 {
                    break;
                }
            }
        }
        Ok(removed)
    }
}

/// Which generation readers of this handle saw last.
#[derive(Debug, Clone)]
pub(crate) struct Followed(std::sync::Arc<std::sync::RwLock<Keys>>);

impl Followed {
    pub(crate) fn new(keys: &Keys) -> Self {
        Self(std::sync::Arc::new(std::sync::RwLock::new(keys.clone())))
    }

    pub(crate) fn keys(&self) -> Keys {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Another generation is shown now.
    pub(crate) fn follow(&self, generation: &str) {
        let mut keys = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        *keys = keys.in_generation(generation);
    }
}
