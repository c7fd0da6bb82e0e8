//! Redis lost what it held (FLUSHALL, a new instance): live state comes back from PostgreSQL, and what
//! is in memory is written again.

use std::sync::Arc;

use bytes::Bytes;
use cache::{Cache, CacheError, HourCounts, LiveResult, LiveWrite, redis};
use model::Millis;
use model::history::{Block, BlockKey, HOUR_MS};
use store::Store;
use store::history::BlockCursor;

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
}

/// The generation Redis has, and whether live state was restored into it.
pub(crate) async fn look(cache: &Cache) -> Result<(String, bool), CacheError> {
    let generation = cache.generation().await?;
    let restored: Option<String> = cache.query(redis::cmd("GET").arg(cache.keys().restored())).await?;
    let complete = restored.as_ref() == Some(&generation);
    Ok((generation, complete))
}

/// Writes the last 26 hours of PostgreSQL to Redis. Safe beside live writers: blocks are merged.
pub(crate) async fn restore(store: Store, cache: Cache, generation: String, now: Millis) -> Result<u64, RestoreError> {
    let mut cursor = BlockCursor::since(now - 26 * HOUR_MS);
    let mut restored = 0;
    loop {
        let page = store.next_blocks(&mut cursor, PAGE).await?;
        if page.is_empty() {
            break;
        }
        restored += page.len() as u64;
        write_page(&cache, page, now).await?;
    }
    cache.query::<()>(redis::cmd("SET").arg(cache.keys().restored()).arg(&generation)).await?;
    Ok(restored)
}

async fn write_page(cache: &Cache, page: Vec<(BlockKey, Block)>, now: Millis) -> Result<(), CacheError> {
    let mut hours = Vec::new();
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
        let keeps = Cache::keeps_block(key.hour, now);
        if !keeps {
            hours.push(HourCounts { monitor: key.monitor, region: key.region.clone(), hour: key.hour, counts: block.counts() });
        }
        let write = LiveWrite {
            monitor: key.monitor,
            region: key.region,
            hour: key.hour,
            expected: Bytes::new(),
            block: if keeps { block.encode().into() } else { Bytes::new() },
            counts: block.counts(),
            latest: latest.map(Bytes::from),
        };
        writes.push((Arc::new(block), write));
    }
    cache.write_hours(&hours).await?;
    for _ in 0..ATTEMPTS {
        let only: Vec<LiveWrite> = writes.iter().map(|(_, write)| write.clone()).collect();
        let outcomes = cache.write_live(&only).await?;
        writes = writes.into_iter().zip(outcomes).filter_map(|((block, write), outcome)| again(block, write, outcome.conflict)).collect();
        if writes.is_empty() {
            break;
        }
    }
    Ok(())
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
