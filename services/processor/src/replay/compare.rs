//! Comparing what stands with what the log says, while results keep coming. What stands must hold
//! everything before the offsets that were committed when the comparison began, and nothing that is not
//! in the log at its end; in between lies what the processors have folded and not flushed yet.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use cache::Cache;
use model::history::{Block, BlockKey, Entry, HOUR_MS};
use model::{Millis, MonitorId, Region};
use store::history::{BlockCursor, Snapshot};

use super::report::{Found, Place};
use super::stage::day_of;
use super::{Phase, Replay, ReplayError};
use crate::fold::Fold;

/// Monitors per page.
const PAGE: i64 = 500;
/// Redis is written beside the flush and may lag: so often it is looked at again, so long apart.
const LOOKS: usize = 4;
const PAUSE: Duration = Duration::from_secs(1);

/// A block in Redis: what was committed of it, and the bytes that are there.
struct LiveBlock {
    key: BlockKey,
    committed: Block,
    found: Option<Bytes>,
}

impl Replay<'_> {
    pub(super) async fn compare(&mut self) -> Result<(), ReplayError> {
        self.progress(Phase::Comparing);
        let now = self.clock.now_ms();
        self.report.covered_from = self.log.covered_from(now);
        if self.behind <= super::MAX_BEHIND {
            // The processors went on while the log was read.
            let goals = self.ends().await?;
            let committed = self.committed(&goals).await?;
            self.read_to(&committed, None).await?;
            self.settle_tail(None).await?;
        }
        let blocks = self.live_blocks(now).await?;
        let latest = self.live_results().await?;
        // Looked at from now on, however much is written meanwhile.
        let mut rebuild = self.rebuild.take().ok_or(ReplayError::Busy)?;
        let mut snapshot = rebuild.snapshot().await?;
        self.touched = snapshot.touched().await?;
        // Whatever the snapshot shows had been in the log before.
        let ends = self.ends().await?;
        let mut recent = Fold::default();
        self.read_to(&ends, Some(&mut recent)).await?;
        self.progress(Phase::Comparing);
        self.compare_history(&mut snapshot, &recent).await?;
        snapshot.end().await?;
        self.rebuild = Some(rebuild);
        self.settle_tail(None).await?;
        self.compare_live(blocks, &recent, now).await?;
        self.compare_latest(&latest, &recent);
        self.report.found.sort_by(|a, b| (a.place, &a.key).cmp(&(b.place, &b.key)));
        Ok(())
    }

    async fn compare_history(&mut self, snapshot: &mut Snapshot<'_>, recent: &Fold) -> Result<(), ReplayError> {
        let covered = self.report.covered_from;
        let first = snapshot.oldest_rebuilt().await?.unwrap_or(covered).min(covered).max(self.intake().oldest());
        for day in snapshot.days(day_of(first)).await? {
            self.report.blocks += snapshot.rebuilt(day).await?;
            let (report, different) = (&mut self.report, &mut self.different);
            snapshot
                .differences(day, |difference| {
                    let rebuilt = difference.rebuilt.unwrap_or_default();
                    let known = recent.block(&difference.key);
                    let whole = difference.key.hour >= covered;
                    if rebuilt.is_empty() && known.is_none() && !whole {
                        return; // Older than the log, and kept.
                    }
                    different.insert(day);
                    let same = difference.live.as_ref() == Some(&rebuilt);
                    let live = difference.live.unwrap_or_default();
                    let (place, key) = (Place::History, difference.key);
                    match judge(place, &key, &live, &rebuilt, known, whole) {
                        Some(found) => report.note(found),
                        // The same block with other columns beside it.
                        None if same => report.note(Found { place, key, lacking: 0, surplus: 0, wrong: rebuilt.entries().len() }),
                        None if whole || known.is_some() => report.unsettled += 1,
                        None => {}
                    }
                })
                .await?;
        }
        Ok(())
    }

    /// The current blocks in Redis, with what was staged of them.
    async fn live_blocks(&self, now: Millis) -> Result<Vec<LiveBlock>, ReplayError> {
        let shown = self.cache.in_generation(&self.cache.live_generation().await?);
        let mut cursor = BlockCursor::since(now - 3 * HOUR_MS);
        let mut all = Vec::new();
        loop {
            let page = self.staging.next_blocks(&mut cursor, PAGE).await?;
            if page.is_empty() {
                return Ok(all);
            }
            let page: Vec<_> =
                page.into_iter().filter(|(key, _)| key.hour >= self.report.covered_from && Cache::keeps_block(key.hour, now)).collect();
            let found = stored(&shown, page.iter().map(|(key, _)| key)).await?;
            all.extend(page.into_iter().zip(found).map(|((key, committed), found)| LiveBlock { key, committed, found }));
        }
    }

    async fn compare_live(&mut self, mut blocks: Vec<LiveBlock>, recent: &Fold, now: Millis) -> Result<(), ReplayError> {
        self.report.blocks += blocks.len() as u64;
        for look in 1..=LOOKS {
            let mut suspects = Vec::new();
            for one in blocks {
                let live = one.found.as_ref().and_then(|bytes| Block::decode(bytes).ok()).unwrap_or_default();
                let Some(found) = judge(Place::LiveBlock, &one.key, &live, &one.committed, recent.block(&one.key), true) else {
                    continue;
                };
                // What is lacking may be on its way; what is wrong stays wrong. Its end may have come meanwhile, too.
                if !Cache::keeps_block(one.key.hour, self.clock.now_ms().max(now) + 60_000) {
                    continue;
                }
                if found.lacking == 0 || look == LOOKS {
                    self.report.note(found);
                } else {
                    suspects.push(one);
                }
            }
            if suspects.is_empty() {
                break;
            }
            tokio::time::sleep(PAUSE).await;
            let shown = self.cache.in_generation(&self.cache.live_generation().await?);
            let again = stored(&shown, suspects.iter().map(|one| &one.key)).await?;
            // Only what was lacking is looked for again: what came since the end of the log is no surplus.
            blocks = suspects
                .into_iter()
                .zip(again)
                .map(|(one, found)| LiveBlock { found: found.map(|bytes| only_known(&bytes, &one, recent)), ..one })
                .collect();
        }
        Ok(())
    }

    async fn live_results(&self) -> Result<HashMap<(MonitorId, Region), Bytes>, ReplayError> {
        let shown = self.cache.in_generation(&self.cache.live_generation().await?);
        let (mut all, mut cursor) = (HashMap::new(), 0);
        loop {
            let page = shown.stored_latest(&mut cursor).await?;
            all.extend(page.into_iter().map(|stored| ((stored.monitor, stored.region), stored.latest)));
            if cursor == 0 {
                return Ok(all);
            }
        }
    }

    /// Latest results of monitors that reported nothing lately must be those of the log, byte for byte.
    fn compare_latest(&mut self, latest: &HashMap<(MonitorId, Region), Bytes>, recent: &Fold) {
        let mut all = Vec::new();
        for (monitor, region, live) in self.fold.latest() {
            if recent.latest_of(monitor, &region).is_some() {
                continue;
            }
            let place = (monitor, region);
            let stored = latest.get(&place);
            let same = serde_json::to_vec(live).is_ok_and(|json| stored.is_some_and(|stored| *stored == json));
            if !same {
                let key = BlockKey::of(place.0, place.1, live.slot);
                let (lacking, wrong) = (usize::from(stored.is_none()), usize::from(stored.is_some()));
                all.push(Found { place: Place::LiveResult, key, lacking, surplus: 0, wrong });
            }
        }
        for found in all {
            self.report.note(found);
        }
    }
}

async fn stored<'k>(shown: &Cache, keys: impl Iterator<Item = &'k BlockKey>) -> Result<Vec<Option<Bytes>>, ReplayError> {
    let wanted: Vec<_> = keys.map(|key| (key.monitor, key.region.clone(), key.hour)).collect();
    Ok(shown.stored_blocks(&wanted).await?)
}

/// A block without the slots that neither the committed part of the log nor its end knows.
fn only_known(bytes: &Bytes, one: &LiveBlock, recent: &Fold) -> Bytes {
    let Ok(block) = Block::decode(bytes) else { return bytes.clone() };
    let known = |entry: &&Entry| {
        let is = |block: &Block| at(block, **entry).is_some();
        is(&one.committed) || recent.block(&one.key).is_some_and(is)
    };
    block.entries().iter().filter(known).copied().collect::<Block>().encode().into()
}

/// What is wrong with `live`: it must hold all of `committed`, and where the log has the whole hour nothing
/// but that and what is in `recent`.
fn judge(place: Place, key: &BlockKey, live: &Block, committed: &Block, recent: Option<&Block>, whole: bool) -> Option<Found> {
    let (mut lacking, mut surplus, mut wrong) = (0, 0, 0);
    for entry in committed.entries() {
        match at(live, *entry) {
            None => lacking += 1,
            Some(stands) if stands.winner(*entry) != stands => wrong += 1,
            Some(_) => {}
        }
    }
    if whole {
        let mut all = committed.clone();
        if let Some(recent) = recent {
            all.merge(recent);
        }
        for stands in live.entries() {
            match at(&all, *stands) {
                None => surplus += 1,
                Some(entry) if entry.winner(*stands) != entry => wrong += 1,
                Some(_) => {}
            }
        }
    }
    (lacking + surplus + wrong > 0).then(|| Found { place, key: key.clone(), lacking, surplus, wrong })
}

/// The entry of the same slot.
fn at(block: &Block, entry: Entry) -> Option<Entry> {
    let entries = block.entries();
    let at = entries.binary_search_by_key(&entry.offset_ms(), |known| known.offset_ms()).ok()?;
    entries.get(at).copied()
}
