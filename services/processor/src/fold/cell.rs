//! A block in memory and who has it already.

use std::sync::Arc;

use bytes::Bytes;
use cache::LiveWrite;
use model::Millis;
use model::history::{Block, BlockKey};

#[derive(Default)]
pub(super) struct Cell {
    /// Shared with a flush under way; copied only when touched meanwhile.
    pub block: Arc<Block>,
    /// PostgreSQL lacks something of it.
    pub unflushed: bool,
    /// Redis lacks something of it.
    pub unwritten: bool,
    /// The bytes Redis is believed to hold; empty for none.
    pub known: Bytes,
    pub touched: Millis,
}

impl Cell {
    pub fn write(&self, key: BlockKey) -> LiveWrite {
        LiveWrite {
            monitor: key.monitor,
            region: key.region,
            hour: key.hour,
            expected: self.known.clone(),
            block: self.block.encode().into(),
            counts: self.block.counts(),
            latest: None,
        }
    }

    /// As [`Self::write`], for an hour whose block Redis keeps no more.
    pub fn write_counts(&self, key: BlockKey) -> LiveWrite {
        let (expected, block) = (Bytes::new(), Bytes::new());
        LiveWrite { monitor: key.monitor, region: key.region, hour: key.hour, expected, block, counts: self.block.counts(), latest: None }
    }
}
