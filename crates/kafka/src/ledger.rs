//! Which offsets may be committed: the position before the oldest record still in work, per partition.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::record::TopicPartitionOffset;

/// Contiguous progress per partition. Records may finish in any order; a position is committable
/// only when everything before it is done. Offsets may have holes (compaction, transactions).
#[derive(Debug, Default)]
pub struct OffsetLedger {
    partitions: HashMap<(Arc<str>, i32), Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    in_work: BTreeSet<i64>,
    /// One past the highest offset seen.
    next: i64,
    committed: i64,
}

impl Progress {
    fn watermark(&self) -> i64 {
        self.in_work.first().copied().unwrap_or(self.next)
    }
}

impl OffsetLedger {
    /// Notes that a record was taken into work.
    pub fn begin(&mut self, topic: &Arc<str>, partition: i32, offset: i64) {
        let progress = self.partitions.entry((Arc::clone(topic), partition)).or_default();
        progress.in_work.insert(offset);
        progress.next = progress.next.max(offset + 1);
    }

    /// Notes that a record's effect is durable.
    pub fn finish(&mut self, topic: &Arc<str>, partition: i32, offset: i64) {
        if let Some(progress) = self.partitions.get_mut(&(Arc::clone(topic), partition)) {
            progress.in_work.remove(&offset);
        }
    }

    /// The positions that moved since [`Self::committed`] was last told.
    pub fn committable(&self) -> Vec<TopicPartitionOffset> {
        self.partitions
            .iter()
            .filter(|(_, progress)| progress.watermark() > progress.committed)
            .map(|((topic, partition), progress)| TopicPartitionOffset {
                topic: Arc::clone(topic),
                partition: *partition,
                offset: progress.watermark(),
            })
            .collect()
    }

    /// Notes that these positions were committed.
    pub fn committed(&mut self, positions: &[TopicPartitionOffset]) {
        for position in positions {
            if let Some(progress) = self.partitions.get_mut(&(Arc::clone(&position.topic), position.partition)) {
                progress.committed = progress.committed.max(position.offset);
            }
        }
    }

    /// Forgets partitions that were revoked: their offsets are another member's now.
    pub fn forget(&mut self, partitions: &[(Arc<str>, i32)]) {
        for partition in partitions {
            self.partitions.remove(partition);
        }
    }

    /// Records in work over all partitions.
    pub fn in_work(&self) -> usize {
        self.partitions.values().map(|progress| progress.in_work.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_moves_only_past_finished_records() {
        let topic: Arc<str> = "t".into();
        let mut ledger = OffsetLedger::default();
        for offset in [10, 11, 15, 16] {
            ledger.begin(&topic, 0, offset);
        }
        ledger.finish(&topic, 0, 11);
        ledger.finish(&topic, 0, 16);
        assert_eq!(ledger.committable()[0].offset, 10);
        ledger.finish(&topic, 0, 10);
        assert_eq!(ledger.committable()[0].offset, 15);
        ledger.committed(&ledger.committable());
        assert!(ledger.committable().is_empty());
        ledger.finish(&topic, 0, 15);
        assert_eq!(ledger.committable()[0].offset, 17);
        assert_eq!(ledger.in_work(), 0);
        ledger.forget(&[(topic, 0)]);
        assert!(ledger.committable().is_empty());
    }
}
