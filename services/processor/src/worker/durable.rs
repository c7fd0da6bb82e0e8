//! Which offsets may be committed: what is committed is not read again, so both PostgreSQL and Redis are to
//! have everything before it.

use std::collections::VecDeque;

use kafka::{Partition, TopicPartitionOffset};

/// So many flushes wait for Redis one by one; while it is away for longer, only the latest is kept.
const WAITING: usize = 32;

#[derive(Default)]
pub(super) struct Durable {
    /// Batches folded so far.
    folded: u64,
    /// How many of them the flush under way makes durable.
    flushing: u64,
    /// How many of them the write to Redis under way leaves nothing of.
    writing: Option<u64>,
    /// How many of them Redis has.
    in_redis: u64,
    /// What PostgreSQL has, after how many batches.
    waiting: VecDeque<(u64, Vec<TopicPartitionOffset>)>,
}

impl Durable {
    pub fn folded(&mut self) {
        self.folded += 1;
    }

    pub fn flush_begins(&mut self) {
        self.flushing = self.folded;
    }

    /// The flush under way succeeded; Redis is still to have the same.
    pub fn flushed(&mut self, positions: Vec<TopicPartitionOffset>) {
        if self.waiting.len() >= WAITING {
            self.waiting.pop_back();
        }
        self.waiting.push_back((self.flushing, positions));
    }

    /// The flush under way brought to light what Redis is to have, too: no write that began before carries it.
    pub fn more_to_write(&mut self) {
        self.in_redis = self.in_redis.min(self.flushing.saturating_sub(1));
        self.writing = None;
    }

    /// A write to Redis begins; `all`: nothing is left that it does not carry.
    pub fn write_begins(&mut self, all: bool) {
        self.writing = all.then_some(self.folded);
    }

    /// The write ended; `complete`: Redis took everything in it.
    pub fn write_ended(&mut self, complete: bool) {
        if let Some(folded) = self.writing.take().filter(|_| complete) {
            self.in_redis = folded;
        }
    }

    /// Redis has everything that was folded.
    pub fn nothing_unwritten(&mut self) {
        self.in_redis = self.folded;
    }

    /// It was emptied, also of what the write under way carries.
    pub fn redis_lost(&mut self) {
        (self.in_redis, self.writing) = (0, None);
    }

    pub fn is_waited_for(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The furthest positions that both have, once.
    pub fn take(&mut self) -> Option<Vec<TopicPartitionOffset>> {
        let ready = self.waiting.iter().take_while(|(folded, _)| *folded <= self.in_redis).count();
        self.waiting.drain(..ready).next_back().map(|(_, positions)| positions)
    }

    /// These partitions are another member's to commit.
    pub fn forget(&mut self, partitions: &[Partition]) {
        for (_, positions) in &mut self.waiting {
            positions.retain(|at| !partitions.iter().any(|(topic, n)| *n == at.partition && *topic == at.topic));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: i64) -> Vec<TopicPartitionOffset> {
        vec![TopicPartitionOffset { topic: "results".into(), partition: 0, offset }]
    }

    #[test]
    fn a_flush_waits_for_the_write_that_carries_the_same() {
        let mut durable = Durable::default();
        durable.folded();
        durable.write_begins(true);
        durable.folded();
        durable.flush_begins();
        durable.flushed(at(2));
        // The write under way began before the second batch.
        durable.write_ended(true);
        assert_eq!(durable.take(), None);
        durable.write_begins(false);
        durable.write_ended(true);
        assert_eq!(durable.take(), None, "a part");
        durable.write_begins(true);
        durable.write_ended(false);
        assert_eq!(durable.take(), None, "refused");
        durable.write_begins(true);
        durable.write_ended(true);
        assert_eq!(durable.take(), Some(at(2)));
        assert_eq!(durable.take(), None);
    }

    #[test]
    fn what_a_flush_brought_to_light_is_written_before_it_is_committed() {
        let mut durable = Durable::default();
        durable.folded();
        durable.flush_begins();
        durable.write_begins(true);
        durable.write_ended(true);
        durable.write_begins(true);
        durable.more_to_write();
        durable.flushed(at(1));
        durable.write_ended(true);
        assert_eq!(durable.take(), None, "that write had begun before");
        durable.write_begins(true);
        durable.write_ended(true);
        assert_eq!(durable.take(), Some(at(1)));
    }

    #[test]
    fn of_many_flushes_the_latest_counts_and_none_of_a_lost_partition() {
        let mut durable = Durable::default();
        for offset in 1..=100 {
            durable.folded();
            durable.flush_begins();
            durable.flushed(at(offset));
        }
        assert!(durable.waiting.len() <= WAITING);
        durable.nothing_unwritten();
        assert_eq!(durable.take(), Some(at(100)));
        durable.folded();
        durable.flush_begins();
        durable.flushed(at(101));
        durable.forget(&[("results".into(), 0)]);
        durable.nothing_unwritten();
        assert_eq!(durable.take(), Some(Vec::new()));
    }
}
