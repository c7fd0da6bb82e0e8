//! What Redis does not have: taken, and told what became of it.

use bytes::Bytes;
use cache::{Cache, LiveWrite};
use model::history::{Block, BlockKey};
use model::{Millis, MonitorId};

use super::regions::RegionId;
use super::{Fold, Map};

impl Fold {
    /// Takes at most `limit` blocks and latest results Redis does not have. What becomes of them is told
    /// by [`Self::written`], [`Self::conflicted`] or [`Self::not_written`].
    pub fn take_unwritten(&mut self, now: Millis, limit: usize) -> Vec<LiveWrite> {
        let mut writes = Vec::new();
        let mut at: Map<(MonitorId, RegionId), usize> = Map::default();
        let first = self.unwritten.len().saturating_sub(limit);
        for key in self.unwritten.drain(first..) {
            let Some(cell) = self.blocks.get_mut(&key) else { continue };
            cell.unwritten = false;
            let write = if Cache::keeps_block(key.hour, now) {
                cell.write(self.regions.key(&key))
            } else if Cache::keeps_counts(key.hour, now) && !cell.unflushed {
                cell.write_counts(self.regions.key(&key))
            } else {
                // History alone, or not even certain before it is flushed.
                continue;
            };
            at.insert((key.monitor, key.region), writes.len());
            writes.push(write);
        }
        let first = self.latest_unwritten.len().saturating_sub(limit);
        for place in self.latest_unwritten.drain(first..) {
            let Some(latest) = self.latest.get_mut(&place) else { continue };
            latest.unwritten = false;
            let index = *at.entry(place).or_insert_with(|| {
                writes.push(latest.write(place.0, self.regions.region(place.1)));
                writes.len() - 1
            });
            if let Some(write) = writes.get_mut(index) {
                write.latest = latest.json();
            }
        }
        writes
    }

    /// Redis holds this block now.
    pub fn written(&mut self, write: &LiveWrite) {
        if write.block.is_empty() {
            return;
        }
        let key = self.regions.intern_key(&key_of(write));
        if let Some(cell) = self.blocks.get_mut(&key) {
            cell.known = write.block.clone();
        }
    }

    /// Redis holds another block: learn it and write again. Bytes that are no block are written over.
    pub fn conflicted(&mut self, write: &LiveWrite, found: Bytes) {
        let block_key = key_of(write);
        let key = self.regions.intern_key(&block_key);
        match Block::decode(&found) {
            Ok(block) => {
                self.learn(&block_key, &block);
            }
            Err(error) => tracing::error!(monitor = %write.monitor, %error, "a block in Redis cannot be read and is written over"),
        }
        let cell = self.blocks.entry(key).or_default();
        cell.known = found;
        if !std::mem::replace(&mut cell.unwritten, true) {
            self.unwritten.push(key);
        }
    }

    /// Redis was not reached: these are still to be written.
    pub fn not_written(&mut self, writes: &[LiveWrite]) {
        for write in writes {
            let key = self.regions.intern_key(&key_of(write));
            if write.counts.total() > 0
                && let Some(cell) = self.blocks.get_mut(&key)
                && !std::mem::replace(&mut cell.unwritten, true)
            {
                self.unwritten.push(key);
            }
            let place = (key.monitor, key.region);
            if write.latest.is_some()
                && let Some(latest) = self.latest.get_mut(&place)
                && !std::mem::replace(&mut latest.unwritten, true)
            {
                self.latest_unwritten.push(place);
            }
        }
    }

    /// Redis was emptied: everything in memory is to be written again.
    pub fn forget_written(&mut self) {
        for (key, cell) in &mut self.blocks {
            cell.known = Bytes::new();
            if !std::mem::replace(&mut cell.unwritten, true) {
                self.unwritten.push(*key);
            }
        }
        for (place, latest) in &mut self.latest {
            if !std::mem::replace(&mut latest.unwritten, true) {
                self.latest_unwritten.push(*place);
            }
        }
    }
}

fn key_of(write: &LiveWrite) -> BlockKey {
    BlockKey { monitor: write.monitor, region: write.region.clone(), hour: write.hour }
}
