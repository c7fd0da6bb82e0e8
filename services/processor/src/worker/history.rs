//! Flushing history and committing what is durable.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka::{KafkaError, TopicPartitionOffset};
use service::Error;
use store::StoreError;

use super::{FLUSH_BLOCKS, FLUSH_RESULTS, MAX_LETTERS, Worker, join};
use crate::flush::{Flush, FlushDone};

/// After a failed flush the next waits this long.
const RETRY: Duration = Duration::from_secs(1);
/// How long a rebalance or a drain waits for the flush under way and the last one.
const LAST_FLUSH: Duration = Duration::from_millis(4500);

impl Worker {
    /// Starts a flush if one is due (or wanted) and none is under way.
    pub(super) fn start_flush(&mut self, now: bool) {
        if self.flush.is_some() || (!now && (!self.is_due() || Instant::now() < self.flush_not_before)) {
            return;
        }
        // The commit waits for Redis, too: it is to have this now, whatever the pace.
        self.live_paced = None;
        self.start_live();
        self.durable.flush_begins();
        let blocks = self.fold.take_unflushed();
        let letters = std::mem::take(&mut self.dead).into_iter().map(|letter| letter.resend(&self.letters)).collect();
        let moved = self.positions.iter().filter(|(partition, offset)| self.committed.get(*partition) != Some(*offset));
        let positions =
            moved.map(|((topic, partition), offset)| TopicPartitionOffset { topic: topic.clone(), partition: *partition, offset: *offset });
        let flush = Flush { generation: Arc::clone(&self.generation), blocks, letters, positions: positions.collect() };
        self.unflushed_results = 0;
        self.unflushed_since = None;
        self.flush = Some(tokio::spawn(flush.run(self.store.clone())));
    }

    fn is_due(&self) -> bool {
        self.unflushed_since.is_some_and(|since| since.elapsed() >= self.settings.flush_after)
            || self.unflushed_results >= FLUSH_RESULTS
            || self.fold.sizes().1 >= FLUSH_BLOCKS
            || self.dead.len() >= MAX_LETTERS
    }

    pub(super) async fn flush_done(&mut self, done: FlushDone) {
        self.metrics.flush_seconds.observe(done.took.as_secs_f64());
        #[expect(clippy::cast_precision_loss, reason = "a number of blocks")]
        self.metrics.flush_blocks.observe(done.blocks.len() as f64);
        let durable = done.is_durable();
        match &done.result {
            Ok(flushed) => {
                if self.fold.flushed(&done.blocks, &flushed.grown, self.clock.now_ms()) {
                    self.durable.more_to_write();
                }
            }
            // A replay replaced it: what is in memory is of no use any more.
            Err(StoreError::Superseded { .. }) => self.superseded = true,
            Err(error) => {
                self.metrics.flush_failures.inc();
                tracing::warn!(%error, blocks = done.blocks.len(), "history was not flushed; it is flushed again");
                self.fold.not_flushed(&done.blocks);
            }
        }
        self.dead.extend(done.letters);
        if durable {
            self.durable.flushed(done.positions);
            self.commit_durable().await;
        } else {
            self.flush_not_before = Instant::now() + RETRY;
            self.unflushed_since.get_or_insert_with(Instant::now);
        }
    }

    /// Commits what both PostgreSQL and Redis have, or Redis says that it lacks.
    pub(super) async fn commit_durable(&mut self) {
        if !self.redis.owes()
            && let Some(positions) = self.durable.take()
        {
            self.commit(positions).await;
        }
    }

    async fn commit(&mut self, positions: Vec<TopicPartitionOffset>) {
        service::crash_point!("processor::before_offsets");
        match self.consumer.commit(&positions).await {
            Ok(()) => {
                service::crash_point!("processor::offsets_committed");
                for position in positions {
                    let partition = (position.topic, position.partition);
                    // A partition revoked meanwhile is another member's.
                    if self.positions.contains_key(&partition) {
                        self.committed.insert(partition, position.offset);
                    }
                }
            }
            Err(error) => {
                // Re-reading costs work, never truth; the next flush commits again.
                tracing::warn!(%error, "offsets were not committed");
                if !matches!(error, KafkaError::NotOwner(_)) {
                    self.unflushed_since.get_or_insert_with(Instant::now);
                }
            }
        }
    }

    /// Waits for the flush under way, then flushes, writes and commits the rest; bounded. An error is a panic: what
    /// that flush or write took is lost to this process, which must commit nothing more. Whoever comes next reads it again.
    pub(super) async fn flush_now(&mut self) -> Result<(), Error> {
        let work = async {
            for _ in 0..2 {
                self.start_flush(true);
                // At once: neither waits for the other.
                self.write_live_now().await?;
                let done = join(&mut self.flush).await?;
                self.flush_done(done).await;
            }
            Ok(())
        };
        tokio::time::timeout(LAST_FLUSH, work).await.unwrap_or_else(|_| {
            tracing::warn!("the last flush took too long; the next owner reads the records again");
            Ok(())
        })
    }
}
