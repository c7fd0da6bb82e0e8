//! One flush: history to PostgreSQL, and whether everything before its positions is durable.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka::TopicPartitionOffset;
use store::history::{Flushed, HourBlock};
use store::{Store, StoreError};

use crate::dead::{Pending, arrived};

/// What is to be made durable, and the positions that may be committed then.
pub(crate) struct Flush {
    /// Of which history these blocks are.
    pub generation: Arc<str>,
    pub blocks: Vec<HourBlock>,
    pub letters: Vec<Pending>,
    pub positions: Vec<TopicPartitionOffset>,
}

/// What became of it.
pub(crate) struct FlushDone {
    /// To be flushed again where `result` is an error.
    pub blocks: Vec<HourBlock>,
    /// Dead letters that did not arrive.
    pub letters: Vec<Pending>,
    pub positions: Vec<TopicPartitionOffset>,
    pub result: Result<Flushed, StoreError>,
    pub took: Duration,
}

impl FlushDone {
    /// Whether the positions may be committed.
    pub fn is_durable(&self) -> bool {
        self.result.is_ok() && self.letters.is_empty()
    }
}

impl Flush {
    pub async fn run(self, store: Store) -> FlushDone {
        let began = Instant::now();
        service::crash_point!("processor::before_flush");
        let result = self.write(&store).await;
        service::crash_point!("processor::flushed");
        let letters = arrived(self.letters).await;
        service::crash_point!("processor::letters_arrived");
        FlushDone { blocks: self.blocks, letters, positions: self.positions, result, took: began.elapsed() }
    }

    async fn write(&self, store: &Store) -> Result<Flushed, StoreError> {
        if self.blocks.is_empty() {
            // Nothing new was read, but perhaps it was read for a history that was replaced since.
            if !self.positions.is_empty() {
                let by = store.history_generation().await?;
                if *by != *self.generation {
                    return Err(StoreError::Superseded { by });
                }
            }
            return Ok(Flushed::default());
        }
        store.ensure_history_days(self.blocks.iter().map(|block| block.key.hour)).await?;
        service::crash_point!("processor::days_made");
        store.flush_history_in(&self.generation, &self.blocks).await
    }
}
