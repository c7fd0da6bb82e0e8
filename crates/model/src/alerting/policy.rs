//! What the fold needs to know of a monitor's settings.

use crate::clock::Millis;
use crate::ids::Region;
use crate::monitor::Monitor;
use crate::schedule::Slot;

/// A result older than this behind the newest evidence is late, whatever the interval.
const LATE_AFTER_MS: Millis = 5 * 60_000;

/// When an incident of one monitor opens and closes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Consecutive down slots that make a region down; at least 1.
    pub failures_to_open: u8,
    /// Consecutive up slots that make it up again; at least 1.
    pub successes_to_close: u8,
    /// Where the monitor is checked from. Results of other regions are ignored.
    pub regions: Vec<Region>,
    /// How many of them must be down; 1 ..= `regions.len()`.
    pub quorum: usize,
    pub interval_ms: Millis,
    pub timeout_ms: Millis,
    /// False while paused: nothing is judged.
    pub active: bool,
}

impl Policy {
    /// The policy in force by a monitor's settings.
    pub fn of(monitor: &Monitor) -> Self {
        let spec = &monitor.spec;
        let regions = spec.regions.clone();
        let majority = regions.len() / 2 + 1;
        let quorum = spec.alert.regions_down.map_or(majority, usize::from).clamp(1, regions.len().max(1));
        Self {
            failures_to_open: spec.alert.failures_to_open.max(1),
            successes_to_close: spec.alert.successes_to_close.max(1),
            regions,
            quorum,
            interval_ms: Millis::from(spec.interval_seconds) * 1000,
            timeout_ms: Millis::from(spec.timeout_ms),
            active: !spec.paused,
        }
    }

    /// Whether evidence of `slot` is fresh when judged at `as_of`: two and a half intervals (regions
    /// have phases of their own, one slot may be missed) and the time a check may take.
    pub fn is_fresh(&self, slot: Slot, as_of: Millis) -> bool {
        slot >= as_of - (self.interval_ms * 5 / 2 + self.timeout_ms)
    }

    /// Whether a result of `slot` is late beside the newest evidence. A late result is counted, and
    /// never opens an incident by itself.
    pub fn is_late(&self, slot: Slot, newest: Slot) -> bool {
        slot < newest - (self.interval_ms * 3).max(LATE_AFTER_MS)
    }

    /// How many samples in a row settle a region whatever came before them.
    pub(super) fn settling(&self) -> usize {
        usize::from(self.failures_to_open.max(self.successes_to_close))
    }
}
