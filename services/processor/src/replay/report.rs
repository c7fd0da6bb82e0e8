//! What a replay tells while it runs and when it is done.

use std::time::Duration;

use model::Millis;
use model::history::BlockKey;
use store::history::{Applied, Checksum};

/// No more differences than these are listed; all are counted.
const LISTED: usize = 1000;

/// Where a replay is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Reading,
    Comparing,
    /// Live state of the new generation is written to Redis.
    Staging,
    /// The lock is held; nothing is committed yet.
    Swapping,
    /// Committed: roll-ups are recomputed, and what was replaced is removed.
    Tidying,
}

#[derive(Debug, Clone, Copy)]
pub struct Progress {
    pub phase: Phase,
    /// Records read, of `total`.
    pub read: u64,
    pub total: u64,
    pub took: Duration,
}

/// Where a difference was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A row of PostgreSQL.
    History,
    /// A block in Redis.
    LiveBlock,
    /// A latest result in Redis.
    LiveResult,
}

/// A difference between what stands and what the log says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub place: Place,
    pub key: BlockKey,
    /// Checks of the log that what stands lacks.
    pub lacking: usize,
    /// Checks that the log knows nothing of.
    pub surplus: usize,
    /// Checks that are there with another outcome or latency.
    pub wrong: usize,
}

/// What was put in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swapped {
    pub generation: String,
    pub applied: Applied,
    /// Of the days that were touched: of what stands now, and equally of what was rebuilt.
    pub checksum: Checksum,
    /// How long flushes had to wait.
    pub locked: Duration,
    /// Latest results older than the log, taken over from what stood.
    pub carried: u64,
}

#[derive(Debug, Clone, Default)]
pub struct Report {
    pub records: u64,
    pub unreadable: u64,
    pub too_old: u64,
    /// How far the processors were behind the log at the beginning.
    pub behind: u64,
    pub took: Duration,
    /// How long reading, folding and staging took; comparing and swapping come on top.
    pub reading: Duration,
    /// From this hour on the log holds everything; hours before are merged, never taken away.
    pub covered_from: Millis,
    /// Blocks rebuilt and compared.
    pub blocks: u64,
    /// Blocks whose newest results the processors have not flushed yet.
    pub unsettled: u64,
    /// The first of them.
    pub found: Vec<Found>,
    pub differences: u64,
    pub swapped: Option<Swapped>,
}

impl Report {
    pub(super) fn note(&mut self, found: Found) {
        self.differences += 1;
        if self.found.len() < LISTED {
            self.found.push(found);
        }
    }
}
