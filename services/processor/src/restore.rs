//! Redis lost what it held (FLUSHALL, a new instance): live state comes back from PostgreSQL, and what
//! is in memory is written again.

use std::sync::Arc;

use bytes::Bytes;
use cache::{Cache, CacheError, LiveResult, LiveWrite, redis};
use model::Millis;
use model::history::{Block, BlockKey, HOUR_MS};
use store::Store;
use store::history::BlockCursor;

use crate::live::tell_removed;
use crate::metrics::Metrics;

/// Monitors per page.
const PAGE: i64 = 500;
/// How often a block is merged with what another process wrote meanwhile.
const ATTEMPTS: usize = 5;

#[derive(Debug, thiserror::Error)]
pub(crate) enum RestoreError {
    #[error(transparent)]
    Cache(#[from] CacheError),
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// Others write the same blocks all the time.
    #[error("{0} blocks were changed by others each time they were to be written")]
    Contended(usize),
}

/// What Redis says of itself.
pub(crate) struct Look {
    pub generation: String,
    /// What it is called once a restore that begins now has ended.
    pub whole: String,
    /// It is called so already.
    pub is_whole: bool,
}

/// Asks Redis what it is; tells it first where it `lacks` what only a restore brings. That voids the
/// restores under way, too, as theirs is another name then.
pub(crate) async fn look(cache: &Cache, lacks: bool) -> Result<Look, CacheError> {
    if lacks {
        cache.query::<()>(redis::cmd("INCR").arg(cache.keys().owed())).await?;
    }
    let generation = cache.generation().await?;
    let names = (cache.keys().restored(), cache.keys().owed());
    let (restored, owed): (Option<String>, Option<String>) = cache.query(redis::cmd("MGET").arg(names.0).arg(names.1)).await?;
    let whole = owed.map_or_else(|| generation.clone(), |owed| format!("{generation}/{owed}"));
    Ok(Look { is_whole: restored.as_ref() == Some(&whole), generation, whole })
}

/// Writes the last 26 hours of PostgreSQL to Redis, which is `whole` then. Safe beside live writers: blocks are
/// merged, and counts never go back.
pub(crate) async fn restore(store: Store, cache: Cache, whole: String, now: Millis, metrics: Metrics) -> Result<u64, RestoreError> {
    let mut cursor = BlockCursor::since(now - 26 * HOUR_MS);
    let mut restored = 0;
    loop {
        let page = store.next_blocks(&mut cursor, PAGE).await?;
        if page.is_empty() {
            break;
        }
        restored += page.len() as u64;
        write_page(&cache, page, now, &metrics).await?;
    }
    cache.query::<()>(redis::cmd("SET").arg(cache.keys().restored()).arg(&whole)).await?;
    Ok(restored)
}

async fn write_page(cache: &Cache, page: Vec<(BlockKey, Block)>, now: Millis, metrics: &Metrics) -> Result<(), RestoreError> {
    let mut writes: Vec<(Arc<Block>, LiveWrite)> = Vec::new();
    for (key, block) in page {
        let latest = block.samples(key.hour).next_back().and_then(|sample| {
            serde_json::to_vec(&LiveResult {
                slot: sample.slot,
                outcome: sample.outcome,
                cause: None,
                detail: None,
                latency_us: sample.latency_us,
                status: None,
                certificate_expires_at: None,
                started_at: sample.slot,
                revision: 0,
            })
            .ok()
        });
        let write = LiveWrite {
            monitor: key.monitor,
            region: key.region,
            hour: key.hour,
            expected: Bytes::new(),
            block: if Cache::keeps_block(key.hour, now) { block.encode().into() } else { Bytes::new() },
            counts: block.counts(),
            latest: latest.map(Bytes::from),
        };
        writes.push((Arc::new(block), write));
    }
    for _ in 0..ATTEMPTS {
        let only: Vec<LiveWrite> = writes.iter().map(|(_, write)| write.clone()).collect();
        let outcomes = cache.write_live(&only).await?;
        tell_removed(&only, &outcomes, metrics);
        writes = writes.into_iter().zip(outcomes).filter_map(|((block, write), outcome)| again(block, write, outcome.conflict)).collect();
        if writes.is_empty() {
            return Ok(());
        }
    }
    Err(RestoreError::Contended(writes.len()))
}

/// The write to repeat after a conflict, if what was found lacks something.
fn again(mut block: Arc<Block>, mut write: LiveWrite, conflict: Option<Bytes>) -> Option<(Arc<Block>, LiveWrite)> {
    let found = conflict?;
    let theirs = Block::decode(&found).unwrap_or_default();
    Arc::make_mut(&mut block).merge(&theirs);
    let bytes = block.encode();
    if bytes == found {
        return None;
    }
    write.expected = found;
    write.counts = block.counts();
    write.block = bytes.into();
    Some((block, write))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Outcome;

    #[test]
    fn a_conflict_is_merged_once_and_dropped_when_nothing_is_missing() {
        let block = |minutes: std::ops::Range<i64>| -> Block {
            minutes.map(|minute| model::history::Entry::new(minute * 60_000, Outcome::Up, None)).collect()
        };
        let write = LiveWrite {
            monitor: model::MonitorId(uuid::Uuid::from_u128(1)),
            region: "local".parse().expect("a region"),
            hour: 0,
            expected: Bytes::new(),
            block: block(0..5).encode().into(),
            counts: block(0..5).counts(),
            latest: None,
        };
        assert!(again(Arc::new(block(0..5)), write.clone(), None).is_none(), "no conflict");
        assert!(again(Arc::new(block(0..5)), write.clone(), Some(block(0..9).encode().into())).is_none(), "Redis has more");
        let (_, repeated) = again(Arc::new(block(0..5)), write, Some(block(3..9).encode().into())).expect("to be merged");
        assert_eq!(repeated.block, block(0..9).encode());
        assert_eq!(repeated.expected, block(3..9).encode());
        assert_eq!(repeated.counts.up, 9);
    }
}
