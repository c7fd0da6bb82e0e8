//! A window cut into equal buckets, each with its tally and latency percentiles.

use crate::clock::Millis;
use crate::ids::{MonitorId, Region};
use crate::outcome::Outcome;
use crate::schedule::{ScheduleSegment, Slot};

use super::counts::{Counts, Tally};
use super::due;

/// One recorded slot, as history keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    pub slot: Slot,
    pub outcome: Outcome,
    /// µs.
    pub latency_us: Option<u32>,
}

/// Percentiles and maximum of the latencies of a bucket, µs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Latencies {
    pub p50: Option<u32>,
    pub p95: Option<u32>,
    pub p99: Option<u32>,
    pub max: Option<u32>,
}

impl Latencies {
    /// Nearest-rank percentiles; sorts what it is given.
    pub fn of(latencies: &mut [u32]) -> Self {
        latencies.sort_unstable();
        let rank = |percent: usize| (!latencies.is_empty()).then(|| latencies[(latencies.len() * percent).div_ceil(100).max(1) - 1]);
        Self { p50: rank(50), p95: rank(95), p99: rank(99), max: latencies.last().copied() }
    }
}

/// What happened in `[from, to)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    pub from: Millis,
    pub to: Millis,
    pub tally: Tally,
    pub latencies: Latencies,
}

/// The edges of `n` buckets over `[from, to)`: `n + 1` instants, evenly spread, none twice.
/// Fewer buckets than asked for where the window has fewer milliseconds.
pub fn bucket_edges(from: Millis, to: Millis, n: u32) -> Vec<Millis> {
    let span = i128::from((to - from).max(1));
    let n = i128::from(n.max(1)).min(span);
    (0..=n)
        .map(|i| {
            // span × i / n ≤ span, which came from an i64.
            from + Millis::try_from(span * i / n).unwrap_or(0)
        })
        .collect()
}

/// Collects samples into buckets.
#[derive(Debug, Clone)]
pub struct Timeline {
    edges: Vec<Millis>,
    counts: Vec<Counts>,
    latencies: Vec<Vec<u32>>,
}

impl Timeline {
    pub fn new(from: Millis, to: Millis, buckets: u32) -> Self {
        Self::with_edges(bucket_edges(from, to, buckets))
    }

    /// Buckets between given edges, which must grow.
    pub fn with_edges(edges: Vec<Millis>) -> Self {
        let n = edges.len().saturating_sub(1);
        Self { edges, counts: vec![Counts::default(); n], latencies: vec![Vec::new(); n] }
    }

    /// Samples outside the window are left out.
    pub fn add(&mut self, sample: Sample) {
        if let Some(i) = self.position(sample.slot) {
            self.counts[i].add(sample.outcome);
            self.latencies[i].extend(sample.latency_us);
        }
    }

    /// Counts of a stretch that lies wholly in the bucket of `at`, where single samples are not at hand.
    pub fn add_counts(&mut self, at: Millis, counts: &Counts) {
        if let Some(i) = self.position(at) {
            self.counts[i].merge(counts);
        }
    }

    fn position(&self, at: Millis) -> Option<usize> {
        let after = self.edges.partition_point(|edge| *edge <= at);
        (after > 0 && after < self.edges.len()).then(|| after - 1)
    }

    /// Holds what was collected against what was due in `regions` until `settled`.
    pub fn finish(mut self, monitor: MonitorId, segments: &[ScheduleSegment], regions: &[Region], settled: Millis) -> Vec<Bucket> {
        let windows = self.edges.windows(2).map(|edge| (edge[0], edge[1]));
        windows
            .zip(&self.counts)
            .zip(&mut self.latencies)
            .map(|(((from, to), counts), latencies)| Bucket {
                from,
                to,
                tally: Tally::new(*counts, due(monitor, segments, regions, from, to, settled)),
                latencies: Latencies::of(latencies),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::schedule::Schedule;

    fn local() -> Region {
        "local".parse().expect("a region")
    }

    proptest! {
        #[test]
        fn edges_cover_the_window(from in 0_i64..4_000_000_000_000, span in 1_i64..40_000_000_000, n in 1_u32..500) {
            let edges = bucket_edges(from, from + span, n);
            prop_assert_eq!(edges[0], from);
            prop_assert_eq!(edges[edges.len() - 1], from + span);
            prop_assert!(edges.windows(2).all(|edge| edge[0] < edge[1]));
            prop_assert!(edges.len() <= n as usize + 1);
        }

        #[test]
        fn buckets_add_up_to_the_window(
            id in any::<u128>(), from in 1_700_000_000_000_i64..1_800_000_000_000, span in 1_i64..90_000_000,
            n in 1_u32..200, interval in 10_000_i64..100_000, lost in any::<u64>()
        ) {
            let (monitor, to) = (MonitorId(Uuid::from_u128(id)), from + span);
            let segments = [ScheduleSegment { from: 0, interval_ms: interval, regions: vec![local()], active: true }];
            let mut timeline = Timeline::new(from, to, n);
            let mut recorded = Counts::default();
            for (i, slot) in Schedule::new(monitor, &local(), interval).slots(from, to).enumerate() {
                if lost.rotate_left(u32::try_from(i % 64).expect("small")) & 1 == 0 {
                    timeline.add(Sample { slot, outcome: Outcome::Up, latency_us: Some(7) });
                    recorded.add(Outcome::Up);
                }
            }
            let buckets = timeline.finish(monitor, &segments, &[local()], to);
            let mut sum = Tally::default();
            for bucket in &buckets {
                sum.merge(&bucket.tally);
            }
            prop_assert_eq!(sum, Tally::new(recorded, due(monitor, &segments, &[local()], from, to, to)));
        }

        #[test]
        fn percentiles_are_among_what_was_measured(mut latencies in prop::collection::vec(any::<u32>(), 1..200)) {
            let found = Latencies::of(&mut latencies);
            let (p50, p95, p99, max) = (found.p50.expect("some"), found.p95.expect("some"), found.p99.expect("some"), found.max.expect("some"));
            prop_assert!(p50 <= p95 && p95 <= p99 && p99 <= max);
            prop_assert!([p50, p95, p99, max].iter().all(|one| latencies.contains(one)));
        }
    }

    #[test]
    fn a_sample_belongs_to_one_bucket_or_none() {
        let mut timeline = Timeline::new(0, 100, 2);
        for slot in [-1, 0, 49, 50, 99, 100] {
            timeline.add(Sample { slot, outcome: Outcome::Down, latency_us: None });
        }
        let buckets = timeline.finish(MonitorId(Uuid::nil()), &[], &[], 0);
        assert_eq!(buckets.iter().map(|bucket| bucket.tally.counts.down).collect::<Vec<_>>(), [2, 2]);
        assert_eq!(buckets[0].latencies, Latencies::default());
    }

    #[test]
    fn nearest_rank() {
        let mut latencies: Vec<u32> = (1..=100).rev().collect();
        assert_eq!(Latencies::of(&mut latencies), Latencies { p50: Some(50), p95: Some(95), p99: Some(99), max: Some(100) });
    }
}
