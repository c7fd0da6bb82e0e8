//! Writing the new generation: blocks to the staging tables, live state to keys nobody reads yet.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use bytes::Bytes;
use cache::{Cache, LiveResult, LiveWrite};
use model::history::{BlockKey, HOUR_MS, hour_of};
use model::uptime::Counts;
use model::{Millis, MonitorId, Region};
use store::history::{BlockCursor, HourBlock};
use store::{Store, StoreError};

use super::{Phase, Replay, ReplayError};

/// Monitors per page.
const PAGE: i64 = 500;
/// Latest results per write.
const RESULTS: usize = 4000;
/// Redis keeps counts of so many hours.
const HOURS: Millis = 26;

impl Replay<'_> {
    /// Begins to write what is in memory to the staging tables, once the write before is done.
    pub(super) async fn stage_blocks(&mut self) -> Result<(), ReplayError> {
        self.settle_writing().await?;
        let blocks = self.fold.take_blocks();
        if !blocks.is_empty() {
            let staging = self.staging.clone();
            self.writing = Some(tokio::spawn(async move { write(&staging, blocks).await.map(drop) }));
        }
        Ok(())
    }

    async fn settle_writing(&mut self) -> Result<(), ReplayError> {
        if let Some(writing) = self.writing.take() {
            writing.await??;
        }
        Ok(())
    }

    /// Everything read is staged after this.
    pub(super) async fn settle(&mut self) -> Result<(), ReplayError> {
        let began = Instant::now();
        self.stage_blocks().await?;
        self.settle_writing().await?;
        self.report.reading += began.elapsed();
        if let Some(rebuild) = &mut self.rebuild {
            rebuild.analyze().await?;
        }
        Ok(())
    }

    /// As [`Self::settle`] for the few results of the last moments; with their live state where `cache` is given.
    pub(super) async fn settle_tail(&mut self, cache: Option<&Cache>) -> Result<(), ReplayError> {
        let blocks = self.fold.take_blocks();
        let places: HashSet<(MonitorId, Region)> = blocks.iter().map(|block| (block.key.monitor, block.key.region.clone())).collect();
        let began = Instant::now();
        let blocks = write(&self.staging, blocks).await?;
        self.report.reading += began.elapsed();
        self.staged.extend(blocks.iter().map(|block| day_of(block.key.hour)));
        let Some(cache) = cache else { return Ok(()) };
        self.stage_live_blocks(cache, &blocks).await?;
        let latest = places.iter().filter_map(|(monitor, region)| Some((*monitor, region.clone(), self.fold.latest_of(*monitor, region)?)));
        let writes: Vec<LiveWrite> = latest.filter_map(|(monitor, region, live)| latest_write(monitor, region, live)).collect();
        Ok(cache.stage_live(&writes).await?)
    }

    /// Writes live state of the whole generation. Says how many latest results were carried over.
    pub(super) async fn stage_live(&mut self, cache: &Cache) -> Result<u64, ReplayError> {
        let now = self.clock.now_ms();
        self.seed(now).await?;
        let mut cursor = BlockCursor::since(now - HOURS * HOUR_MS);
        loop {
            let page = self.staging.next_blocks(&mut cursor, PAGE).await?;
            if page.is_empty() {
                break;
            }
            let page: Vec<HourBlock> = page.into_iter().map(|(key, block)| HourBlock { key, block: block.into() }).collect();
            self.stage_live_blocks(cache, &page).await?;
            self.progress(Phase::Staging);
        }
        let writes: Vec<LiveWrite> = self.fold.latest().filter_map(|(monitor, region, live)| latest_write(monitor, region, live)).collect();
        for chunk in writes.chunks(RESULTS) {
            cache.stage_live(chunk).await?;
        }
        self.carry_over(cache).await
    }

    /// Redis also shows hours of which the log does not hold everything: they come from what stands.
    async fn seed(&self, now: Millis) -> Result<(), ReplayError> {
        let covered = self.report.covered_from;
        let mut cursor = BlockCursor::since(now - HOURS * HOUR_MS);
        while hour_of(now - HOURS * HOUR_MS) < covered {
            let page = self.live.next_blocks(&mut cursor, PAGE).await?;
            if page.is_empty() {
                break;
            }
            let page = page.into_iter().filter(|(key, _)| key.hour < covered);
            write(&self.staging, page.map(|(key, block)| HourBlock { key, block: block.into() }).collect()).await?;
        }
        Ok(())
    }

    async fn stage_live_blocks(&self, cache: &Cache, blocks: &[HourBlock]) -> Result<(), ReplayError> {
        let now = self.clock.now_ms();
        let mut writes = Vec::new();
        // Oldest first: the newest hour decides how long a key lives.
        let mut sorted: Vec<&HourBlock> = blocks.iter().collect();
        sorted.sort_by_key(|block| block.key.hour);
        for HourBlock { key, block } in sorted {
            let counts = block.counts();
            if Cache::keeps_block(key.hour, now) {
                writes.push(LiveWrite { block: block.encode().into(), counts, ..empty_write(key.clone()) });
            } else if Cache::keeps_counts(key.hour, now) {
                writes.push(LiveWrite { counts, ..empty_write(key.clone()) });
            }
        }
        Ok(cache.stage_live(&writes).await?)
    }

    /// The latest result of a monitor may be older than the log: it is taken over.
    async fn carry_over(&self, cache: &Cache) -> Result<u64, ReplayError> {
        let shown = self.cache.in_generation(&self.cache.live_generation().await?);
        let (mut cursor, mut carried) = (0, 0);
        loop {
            let page = shown.stored_latest(&mut cursor).await?;
            let unknown = page.into_iter().filter(|stored| self.fold.latest_of(stored.monitor, &stored.region).is_none());
            let writes: Vec<LiveWrite> = unknown
                .filter_map(|stored| {
                    let live: LiveResult = serde_json::from_slice(&stored.latest).ok()?;
                    let old = live.slot < self.report.covered_from;
                    let key = BlockKey::of(stored.monitor, stored.region, live.slot);
                    old.then(|| LiveWrite { latest: Some(stored.latest), ..empty_write(key) })
                })
                .collect();
            carried += writes.len() as u64;
            cache.stage_live(&writes).await?;
            if cursor == 0 {
                return Ok(carried);
            }
        }
    }
}

pub(super) fn day_of(at: Millis) -> Millis {
    at - at.rem_euclid(24 * HOUR_MS)
}

/// Merges blocks into the staging tables; what stands there then, of each of them.
pub(super) async fn write(staging: &Store, blocks: Vec<HourBlock>) -> Result<Vec<HourBlock>, StoreError> {
    let flushed = staging.flush_history(&blocks).await?;
    if flushed.grown.is_empty() {
        return Ok(blocks);
    }
    let mut grown: HashMap<BlockKey, HourBlock> = flushed.grown.into_iter().map(|block| (block.key.clone(), block)).collect();
    Ok(blocks.into_iter().map(|block| grown.remove(&block.key).unwrap_or(block)).collect())
}

fn latest_write(monitor: MonitorId, region: Region, live: &LiveResult) -> Option<LiveWrite> {
    let latest = serde_json::to_vec(live).ok().map(Bytes::from);
    let key = BlockKey::of(monitor, region, live.slot);
    latest.is_some().then(|| LiveWrite { latest, ..empty_write(key) })
}

fn empty_write(key: BlockKey) -> LiveWrite {
    LiveWrite {
        monitor: key.monitor,
        region: key.region,
        hour: key.hour,
        expected: Bytes::new(),
        block: Bytes::new(),
        counts: Counts::default(),
        latest: None,
    }
}
