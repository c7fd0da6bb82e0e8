//! History, slot-addressed: one [`Block`] per monitor, region and hour holds (slot, outcome, latency)
//! of every check of that hour. Merging is a set union by slot with a fixed winner, hence idempotent,
//! commutative and associative; encoding is a function of the set, so equal histories are equal bytes.

mod block;
mod codec;
mod entry;

pub use block::Block;
pub use codec::BlockError;
pub use entry::Entry;

use crate::clock::Millis;
use crate::ids::{MonitorId, Region};
use crate::schedule::Slot;

/// The length of a block in milliseconds.
pub const HOUR_MS: Millis = 3_600_000;

/// Which block: `hour` is the Unix time in ms at which the hour begins.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlockKey {
    pub monitor: MonitorId,
    pub region: Region,
    pub hour: Millis,
}

impl BlockKey {
    /// The block that holds `slot`.
    pub fn of(monitor: MonitorId, region: Region, slot: Slot) -> Self {
        Self { monitor, region, hour: hour_of(slot) }
    }
}

/// The beginning of the hour that holds `slot`.
pub fn hour_of(slot: Slot) -> Millis {
    slot - slot.rem_euclid(HOUR_MS)
}

/// Fingerprint of an encoded block: two writers that agree on it agree on the bytes.
pub fn fingerprint(encoded: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(encoded)
}
