//! Uptime and timelines of any window.

use model::uptime::{Counts, Latencies, Sample, Tally, Timeline as Buckets, bucket_edges, due, grace_ms};
use model::{Millis, Monitor, Region};

use super::gather::{Gathered, gather};
use crate::api::{Bucket, Timeline, UptimeWindow};
use crate::app::App;
use crate::error::ApiResult;

const DAY_MS: Millis = 24 * 3_600_000;

/// Counts and ratios of a window.
pub(crate) async fn uptime(app: &App, monitor: &Monitor, region: Option<&Region>, window: (Millis, Millis)) -> ApiResult<UptimeWindow> {
    let found = gather(app, monitor, region, window).await?;
    let mut recorded = Counts::default();
    for sample in samples(&found) {
        recorded.add(sample.outcome);
    }
    for rollup in &found.rollups {
        recorded.merge(&rollup.counts);
    }
    let settled = app.now() - grace_ms(monitor.spec.timeout_ms);
    let due = due(monitor.id, &monitor.segments, &found.regions, found.from, found.to, settled);
    Ok(UptimeWindow { from: found.from, to: found.to, stale: found.stale, uptime: Tally::new(recorded, due).into() })
}

/// A window in buckets. Where it reaches back beyond single checks, buckets are whole days.
pub(crate) async fn timeline(
    app: &App,
    monitor: &Monitor,
    region: Option<&Region>,
    window: (Millis, Millis),
    buckets: u32,
) -> ApiResult<Timeline> {
    let found = gather(app, monitor, region, window).await?;
    let edges =
        if found.rollups.is_empty() { bucket_edges(found.from, found.to, buckets) } else { day_edges(found.from, found.to, buckets) };
    let mut collected = Buckets::with_edges(edges);
    for sample in samples(&found) {
        // How long a failure took says nothing about how fast the target is.
        let answered = matches!(sample.outcome, model::Outcome::Up | model::Outcome::Degraded);
        collected.add(Sample { latency_us: sample.latency_us.filter(|_| answered), ..sample });
    }
    for rollup in &found.rollups {
        collected.add_counts(rollup.day, &rollup.counts);
    }
    let settled = app.now() - grace_ms(monitor.spec.timeout_ms);
    let mut finished = collected.finish(monitor.id, &monitor.segments, &found.regions, settled);
    for bucket in &mut finished {
        let days = found.rollups.iter().filter(|rollup| rollup.day >= bucket.from && rollup.day < bucket.to);
        bucket.latencies = days.fold(bucket.latencies, |all, rollup| worst(all, rollup.latencies));
    }
    let buckets = finished.into_iter().map(bucket).collect();
    Ok(Timeline { from: found.from, to: found.to, buckets, stale: found.stale })
}

fn samples(found: &Gathered) -> impl Iterator<Item = Sample> + '_ {
    let inside = |sample: &Sample| sample.slot >= found.from && sample.slot < found.to;
    found.blocks.iter().flat_map(|((hour, _), block)| block.samples(*hour)).filter(inside)
}

/// Percentiles of days cannot be added up; the worst of them is an upper bound that hides nothing.
fn worst(a: Latencies, b: Latencies) -> Latencies {
    Latencies { p50: a.p50.max(b.p50), p95: a.p95.max(b.p95), p99: a.p99.max(b.p99), max: a.max.max(b.max) }
}

/// At most `n` buckets of the same number of whole days; the last may be shorter.
fn day_edges(from: Millis, to: Millis, n: u32) -> Vec<Millis> {
    let first = from - from.rem_euclid(DAY_MS);
    let days = (to - first + DAY_MS - 1).div_euclid(DAY_MS).max(1);
    let step = (days + Millis::from(n) - 1).div_euclid(Millis::from(n.max(1))).max(1) * DAY_MS;
    let mut edges: Vec<Millis> = std::iter::successors(Some(first), |edge| Some(edge + step)).take_while(|edge| *edge < to).collect();
    if let Some(start) = edges.first_mut() {
        *start = from;
    }
    edges.push(to);
    edges
}

fn bucket(bucket: model::uptime::Bucket) -> Bucket {
    let counts = bucket.tally.counts;
    Bucket {
        from: bucket.from,
        to: bucket.to,
        due: bucket.tally.due,
        up: counts.up,
        degraded: counts.degraded,
        down: counts.down,
        unknown: counts.unknown,
        missed: counts.missed,
        maintenance: counts.maintenance,
        p50_us: bucket.latencies.p50,
        p95_us: bucket.latencies.p95,
        p99_us: bucket.latencies.p99,
        max_us: bucket.latencies.max,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn day_edges_cover_the_window_with_whole_days(from_day in 18_000_i64..20_000, span in 1_i64..400 * DAY_MS, n in 1_u32..500) {
            let (from, to) = (from_day * DAY_MS, from_day * DAY_MS + span);
            let edges = day_edges(from, to, n);
            prop_assert_eq!((edges[0], edges[edges.len() - 1]), (from, to));
            prop_assert!(edges.windows(2).all(|edge| edge[0] < edge[1]));
            prop_assert!(edges.len() <= n as usize + 1);
            prop_assert!(edges[..edges.len() - 1].iter().all(|edge| edge % DAY_MS == 0));
        }
    }
}
