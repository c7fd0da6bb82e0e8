//! The fold: results in, blocks and latest results out. Pure state without I/O, so that the live
//! processor and a replay share it. Order and repetition of the results do not matter.

mod cell;
mod latest;
mod regions;
mod unwritten;

use std::collections::{HashMap, hash_map};
use std::sync::Arc;

use cache::{Cache, LiveResult};
use model::history::{Block, BlockKey, Entry, hour_of};
use model::{CheckResult, Millis, MonitorId, Outcome, Region};
use store::history::HourBlock;

use cell::Cell;
use latest::Latest;
pub use regions::RegionId;
use regions::Regions;

/// Ids are made by us, so nobody can choose keys that collide.
type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// A block's key with its region interned: no allocation per result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    monitor: MonitorId,
    hour: Millis,
    region: RegionId,
}

/// Blocks in memory, and which of them PostgreSQL and Redis do not have yet.
#[derive(Default)]
pub struct Fold {
    regions: Regions,
    blocks: Map<Key, Cell>,
    latest: Map<(MonitorId, RegionId), Latest>,
    /// Cells with `unflushed` set, each once.
    unflushed: Vec<Key>,
    /// Cells with `unwritten` set, each once.
    unwritten: Vec<Key>,
    /// Latest results with `unwritten` set, each once.
    latest_unwritten: Vec<(MonitorId, RegionId)>,
}

impl Fold {
    /// Folds one result in.
    pub fn apply(&mut self, result: CheckResult, now: Millis) {
        let outcome = if result.suspect { Outcome::Unknown } else { result.outcome };
        let region = self.regions.intern(&result.region);
        let hour = hour_of(result.slot);
        let key = Key { monitor: result.monitor, hour, region };
        let cell = self.blocks.entry(key).or_default();
        cell.touched = now;
        if Arc::make_mut(&mut cell.block).insert(Entry::new(result.slot - hour, outcome, result.latency_us)) {
            if !std::mem::replace(&mut cell.unflushed, true) {
                self.unflushed.push(key);
            }
            if !std::mem::replace(&mut cell.unwritten, true) {
                self.unwritten.push(key);
            }
        }
        let place = (result.monitor, region);
        let live = LiveResult::from(result);
        match self.latest.entry(place) {
            hash_map::Entry::Vacant(vacant) => {
                vacant.insert(Latest { live, unwritten: true });
                self.latest_unwritten.push(place);
            }
            hash_map::Entry::Occupied(mut known) if known.get().is_older_than(&live) => {
                let waits = std::mem::replace(known.get_mut(), Latest { live, unwritten: true }).unwritten;
                if !waits {
                    self.latest_unwritten.push(place);
                }
            }
            hash_map::Entry::Occupied(_) => {}
        }
    }

    /// Takes the blocks PostgreSQL does not have. What becomes of them is told by [`Self::flushed`] or [`Self::not_flushed`].
    pub fn take_unflushed(&mut self) -> Vec<HourBlock> {
        let mut taken = Vec::with_capacity(self.unflushed.len());
        for key in std::mem::take(&mut self.unflushed) {
            if let Some(cell) = self.blocks.get_mut(&key) {
                cell.unflushed = false;
                taken.push(HourBlock { key: self.regions.key(&key), block: Arc::clone(&cell.block) });
            }
        }
        taken
    }

    /// Takes every block and forgets it; the latest results stay.
    pub fn take_blocks(&mut self) -> Vec<HourBlock> {
        self.unflushed.clear();
        self.unwritten.clear();
        let blocks = std::mem::take(&mut self.blocks);
        blocks.into_iter().map(|(key, cell)| HourBlock { key: self.regions.key(&key), block: cell.block }).collect()
    }

    /// The block in memory.
    pub fn block(&self, key: &BlockKey) -> Option<&Block> {
        let region = self.regions.known(&key.region)?;
        Some(&*self.blocks.get(&Key { monitor: key.monitor, hour: key.hour, region })?.block)
    }

    /// The newest result of every monitor in every region.
    pub fn latest(&self) -> impl Iterator<Item = (MonitorId, Region, &LiveResult)> {
        self.latest.iter().map(|((monitor, region), latest)| (*monitor, self.regions.region(*region), &latest.live))
    }

    /// The newest result of a monitor in a region.
    pub fn latest_of(&self, monitor: MonitorId, region: &Region) -> Option<&LiveResult> {
        Some(&self.latest.get(&(monitor, self.regions.known(region)?))?.live)
    }

    /// PostgreSQL has these blocks, and of some held more (`grown`): learn it, and let Redis have it too. Of an hour
    /// whose block Redis keeps no more, the counts are certain only now; says whether there are any for it to have.
    pub fn flushed(&mut self, blocks: &[HourBlock], grown: &[HourBlock], now: Millis) -> bool {
        for HourBlock { key, block } in grown {
            self.learn(key, block);
        }
        let mut any = false;
        for HourBlock { key, block } in blocks {
            if Cache::keeps_block(key.hour, now) || !Cache::keeps_counts(key.hour, now) {
                continue;
            }
            any = true;
            let key = self.regions.intern_key(key);
            let cell = self.blocks.entry(key).or_insert_with(|| Cell { block: Arc::clone(block), ..Cell::default() });
            cell.touched = now;
            if !std::mem::replace(&mut cell.unwritten, true) {
                self.unwritten.push(key);
            }
        }
        any
    }

    /// The flush failed: these are still to be flushed.
    pub fn not_flushed(&mut self, blocks: &[HourBlock]) {
        for HourBlock { key, block } in blocks {
            let key = self.regions.intern_key(key);
            let cell = self.blocks.entry(key).or_default();
            Arc::make_mut(&mut cell.block).merge(block);
            if !std::mem::replace(&mut cell.unflushed, true) {
                self.unflushed.push(key);
            }
        }
    }

    /// Lets go of blocks that PostgreSQL and Redis have and that nobody touched since `idle_since`,
    /// except those of the hour of `now` and the one before. Redis may be away for long: of the hours whose
    /// blocks it keeps no more, what it could not take goes, too, once PostgreSQL has it (`flushing`: perhaps it does not
    /// yet). Says whether it thus lacks counts.
    pub fn evict(&mut self, now: Millis, idle_since: Millis, flushing: bool) -> bool {
        let recent = hour_of(now) - model::history::HOUR_MS;
        let (mut dropped, mut lacks) = (false, false);
        self.blocks.retain(|key, cell| {
            let counts = Cache::keeps_counts(key.hour, now);
            let waits = cell.unwritten && (Cache::keeps_block(key.hour, now) || (counts && flushing));
            let stays = waits || cell.unflushed || cell.touched > idle_since || key.hour >= recent;
            dropped |= !stays && cell.unwritten;
            lacks |= !stays && cell.unwritten && counts;
            stays
        });
        if dropped {
            self.unwritten.retain(|key| self.blocks.contains_key(key));
        }
        // A deleted monitor's latest result.
        self.latest.retain(|_, latest| latest.unwritten || latest.live.slot > now - 8 * 24 * model::history::HOUR_MS);
        lacks
    }

    /// Blocks in memory, unflushed blocks, and whatever Redis does not have.
    pub fn sizes(&self) -> (usize, usize, usize) {
        (self.blocks.len(), self.unflushed.len(), self.unwritten.len() + self.latest_unwritten.len())
    }

    fn learn(&mut self, key: &BlockKey, block: &Block) {
        let key = self.regions.intern_key(key);
        let cell = self.blocks.entry(key).or_default();
        if Arc::make_mut(&mut cell.block).merge(block) && !std::mem::replace(&mut cell.unwritten, true) {
            self.unwritten.push(key);
        }
    }
}

#[cfg(test)]
mod tests;
