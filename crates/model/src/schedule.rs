//! When a monitor's slots fall: the same instants on every replica, spread by hash.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::clock::Millis;
use crate::ids::{MonitorId, Region, Shard};

/// How many shards a region's monitors hash to. Fixed: leases and progress are keyed by it.
pub const SHARDS: u16 = 64;

/// Shortest and longest interval of a monitor.
pub const MIN_INTERVAL_MS: Millis = 10_000;
pub const MAX_INTERVAL_MS: Millis = 24 * 3_600_000;

/// Seeds that keep the hashes apart: with one seed, a shard would hold only some phases.
const PHASE_SEED: u64 = 0x7068_6173_6500_0001;
const SHARD_SEED: u64 = 0x7368_6172_6400_0002;

/// One scheduled instant, in milliseconds since the Unix epoch.
pub type Slot = Millis;

/// The slots of one monitor in one region: `phase + n × interval`, counted from the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    pub interval_ms: Millis,
    pub phase_ms: Millis,
}

impl Schedule {
    /// `interval_ms` must be positive; monitors are validated to `MIN_INTERVAL_MS ..= MAX_INTERVAL_MS`.
    pub fn new(monitor: MonitorId, region: &Region, interval_ms: Millis) -> Self {
        let interval_ms = interval_ms.max(1);
        let mut input = Vec::with_capacity(48);
        input.extend_from_slice(monitor.0.as_bytes());
        input.extend_from_slice(region.as_str().as_bytes());
        let hash = xxh3_64_with_seed(&input, PHASE_SEED);
        // The remainder is below interval_ms, so it fits.
        let phase_ms = i64::try_from(hash % interval_ms.unsigned_abs()).unwrap_or(0);
        Self { interval_ms, phase_ms }
    }

    /// The first slot at or after `at`.
    pub fn at_or_after(self, at: Millis) -> Slot {
        let n = (at - self.phase_ms + self.interval_ms - 1).div_euclid(self.interval_ms);
        self.phase_ms + n * self.interval_ms
    }

    /// The first slot after `slot`.
    pub fn after(self, slot: Slot) -> Slot {
        self.at_or_after(slot + 1)
    }

    /// The last slot at or before `at`.
    pub fn at_or_before(self, at: Millis) -> Slot {
        let n = (at - self.phase_ms).div_euclid(self.interval_ms);
        self.phase_ms + n * self.interval_ms
    }

    /// Whether `slot` is one of this schedule's instants.
    pub fn contains(self, slot: Slot) -> bool {
        (slot - self.phase_ms).rem_euclid(self.interval_ms) == 0
    }

    /// How many slots fall in `[from, to)`.
    pub fn count(self, from: Millis, to: Millis) -> u64 {
        if to <= from {
            return 0;
        }
        let first = self.at_or_after(from);
        if first >= to {
            return 0;
        }
        u64::try_from((to - 1 - first) / self.interval_ms + 1).unwrap_or(0)
    }

    /// The slots in `[from, to)`, in order.
    pub fn slots(self, from: Millis, to: Millis) -> impl Iterator<Item = Slot> {
        let first = self.at_or_after(from);
        (0..).map(move |n| first + n * self.interval_ms).take_while(move |slot| *slot < to)
    }
}

/// A stretch of a monitor's life with one schedule: from `from` until the next segment.
/// The users service appends one whenever interval, regions or the pause switch change;
/// "slots due" is counted from these, so that nobody's silence can shrink it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleSegment {
    pub from: Millis,
    pub interval_ms: Millis,
    pub regions: Vec<Region>,
    /// False while paused: no slots are due.
    pub active: bool,
}

/// How many slots were due in `region` in `[from, to)`, over a monitor's schedule segments (sorted by `from`).
pub fn slots_due(monitor: MonitorId, region: &Region, segments: &[ScheduleSegment], from: Millis, to: Millis) -> u64 {
    segment_windows(segments, from, to)
        .filter(|(segment, ..)| segment.active && segment.regions.contains(region))
        .map(|(segment, start, end)| Schedule::new(monitor, region, segment.interval_ms).count(start, end))
        .sum()
}

/// Each segment with the part of `[from, to)` it rules.
pub fn segment_windows(segments: &[ScheduleSegment], from: Millis, to: Millis) -> impl Iterator<Item = (&ScheduleSegment, Millis, Millis)> {
    segments.iter().enumerate().filter_map(move |(i, segment)| {
        let start = segment.from.max(from);
        let end = segments.get(i + 1).map_or(to, |next| next.from.min(to));
        (start < end).then_some((segment, start, end))
    })
}

/// The shard of a monitor; the same in every region.
pub fn shard_of(monitor: MonitorId) -> Shard {
    let hash = xxh3_64_with_seed(monitor.0.as_bytes(), SHARD_SEED);
    Shard(u16::try_from(hash % u64::from(SHARDS)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn schedule() -> impl Strategy<Value = Schedule> {
        (any::<u128>(), MIN_INTERVAL_MS..MAX_INTERVAL_MS)
            .prop_map(|(id, interval)| Schedule::new(MonitorId(Uuid::from_u128(id)), &"local".parse().expect("a region"), interval))
    }

    proptest! {
        #[test]
        fn the_next_slot_is_a_slot_and_there_is_none_between(schedule in schedule(), at in 0_i64..4_000_000_000_000) {
            let slot = schedule.at_or_after(at);
            prop_assert!(slot >= at && slot < at + schedule.interval_ms);
            prop_assert!(schedule.contains(slot));
            prop_assert_eq!(schedule.after(slot), slot + schedule.interval_ms);
            prop_assert_eq!(schedule.at_or_before(slot), slot);
        }

        #[test]
        fn the_count_is_the_length_of_the_list(schedule in schedule(), from in 0_i64..4_000_000_000_000, span in 0_i64..200_000_000) {
            prop_assert_eq!(schedule.count(from, from + span), schedule.slots(from, from + span).count() as u64);
        }

        #[test]
        fn windows_add_up(schedule in schedule(), from in 0_i64..4_000_000_000_000, a in 0_i64..100_000_000, b in 0_i64..100_000_000) {
            prop_assert_eq!(schedule.count(from, from + a) + schedule.count(from + a, from + a + b), schedule.count(from, from + a + b));
        }
    }

    #[test]
    fn a_shard_holds_all_phases() {
        // One seed for both hashes would leave most of these buckets empty.
        let region: Region = "local".parse().expect("a region");
        let mut buckets = [0_u32; 60];
        for n in 0..200_000_u128 {
            let monitor = MonitorId(Uuid::from_u128(n));
            if shard_of(monitor) == Shard(3) {
                let second = Schedule::new(monitor, &region, 60_000).phase_ms / 1000;
                buckets[usize::try_from(second).expect("below 60")] += 1;
            }
        }
        assert!(buckets.iter().all(|count| *count > 20), "{buckets:?}");
    }

    #[test]
    fn a_pause_is_not_due() {
        let monitor = MonitorId(Uuid::from_u128(7));
        let region: Region = "local".parse().expect("a region");
        let segment = |from, active| ScheduleSegment { from, interval_ms: 10_000, regions: vec![region.clone()], active };
        let segments = [segment(0, true), segment(100_000, false), segment(200_000, true)];
        assert_eq!(slots_due(monitor, &region, &segments, 0, 300_000), 20);
        assert_eq!(slots_due(monitor, &"other".parse().expect("a region"), &segments, 0, 300_000), 0);
    }
}
