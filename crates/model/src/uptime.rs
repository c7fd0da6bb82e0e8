//! Uptime and coverage: what was recorded, held against what was due.
//!
//! What is due comes from the configuration ([`crate::schedule`]), never from events, so nobody's
//! silence shrinks a denominator: a slot without a record is missed.

mod counts;
mod timeline;

pub use counts::{Counts, Tally};
pub use timeline::{Bucket, Latencies, Sample, Timeline, bucket_edges};

use crate::clock::Millis;
use crate::ids::{MonitorId, Region};
use crate::monitor::Monitor;
use crate::schedule::{ScheduleSegment, slots_due};

/// How long after its deadline a slot's result may still be on its way, in milliseconds.
const ON_ITS_WAY_MS: Millis = 5_000;

/// A monitor without a result for this many intervals says nothing about its target any more.
const FRESH_INTERVALS: Millis = 3;

/// How young a slot without a record must be to count as "not yet" rather than as missed, in milliseconds.
pub fn grace_ms(timeout_ms: u32) -> Millis {
    Millis::from(timeout_ms) + ON_ITS_WAY_MS
}

/// Whether a result of `slot` still says something at `now`.
pub fn is_fresh(monitor: &Monitor, slot: Millis, now: Millis) -> bool {
    slot >= fresh_since(monitor, now)
}

/// The oldest slot whose result still says something at `now`.
pub fn fresh_since(monitor: &Monitor, now: Millis) -> Millis {
    let interval = Millis::from(monitor.spec.interval_seconds) * 1000;
    now - FRESH_INTERVALS * interval - grace_ms(monitor.spec.timeout_ms)
}

/// Every region the segments name, sorted; history is looked for in these.
pub fn regions_of(segments: &[ScheduleSegment]) -> Vec<Region> {
    let mut regions: Vec<Region> = segments.iter().flat_map(|segment| segment.regions.iter().cloned()).collect();
    regions.sort();
    regions.dedup();
    regions
}

/// Slots due in `[from, to)` over `regions`, as far as they are settled by `settled` (now − grace).
pub fn due(monitor: MonitorId, segments: &[ScheduleSegment], regions: &[Region], from: Millis, to: Millis, settled: Millis) -> u64 {
    regions.iter().map(|region| slots_due(monitor, region, segments, from, to.min(settled))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_regions_of_all_times_count() {
        let region = |name: &str| -> Region { name.parse().expect("a region") };
        let segment = |regions: Vec<Region>| ScheduleSegment { from: 0, interval_ms: 10_000, regions, active: true };
        let segments = [segment(vec![region("b"), region("a")]), segment(vec![region("b")])];
        assert_eq!(regions_of(&segments), [region("a"), region("b")]);
    }

    #[test]
    fn a_slot_in_its_grace_is_not_due() {
        let monitor = MonitorId(uuid::Uuid::from_u128(9));
        let region: Region = "local".parse().expect("a region");
        let segments = [ScheduleSegment { from: 0, interval_ms: 10_000, regions: vec![region.clone()], active: true }];
        let all = due(monitor, &segments, std::slice::from_ref(&region), 0, 100_000, 200_000);
        let settled = due(monitor, &segments, std::slice::from_ref(&region), 0, 100_000, 50_000);
        assert_eq!((all, settled), (10, 5));
    }
}
