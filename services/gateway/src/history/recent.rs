//! What PostgreSQL knows of the last day, in the shape of live state: for when Redis is away.

use std::collections::HashMap;
use std::sync::Arc;

use model::history::HOUR_MS;
use model::uptime::{Sample, fresh_since};
use model::{Millis, Monitor, MonitorId, Region};
use store::StoreError;
use store::history::Recorded;

use crate::api::LatestResult;
use crate::app::App;
use crate::live::{LiveRow, Seen, With, add_older, day_start, sparkline_since};

/// One row per monitor. Without verdicts: states follow from fresh results alone. Where PostgreSQL is away too, the rows hold the
/// newest results this gateway heard of, and nothing else.
pub(crate) async fn recent_rows(app: &App, monitors: &[Arc<Monitor>], with: With, now: Millis) -> Vec<LiveRow> {
    let mut rows = vec![LiveRow { stale: true, ..LiveRow::default() }; monitors.len()];
    let places: HashMap<MonitorId, usize> = monitors.iter().enumerate().map(|(i, monitor)| (monitor.id, i)).collect();
    let day = day_start(now);
    match recorded(app, monitors, (day, now)).await {
        Ok(recorded) => {
            for one in recorded {
                let Some(row) = places.get(&one.key.monitor).map(|i| &mut rows[*i]) else { continue };
                row.day.merge(&one.counts);
                let newest = one.newest.samples(one.key.hour).next_back();
                row.latest.extend(newest.map(|newest| (one.key.region, latest(newest))));
            }
        }
        Err(error) => {
            tracing::warn!(%error, "recent history cannot be read either");
            for (monitor, row) in monitors.iter().zip(&mut rows) {
                row.latest = app.catalog().seen(monitor.id).into_iter().map(remembered).collect();
            }
            return rows;
        }
    }
    if with == With::Samples {
        add_samples(app, monitors, &places, &mut rows, now).await;
        add_older(app, monitors, &mut rows, now).await;
    }
    rows
}

/// The newest results alone, for [`crate::live::Catalog`]; none where PostgreSQL is away too.
pub(crate) async fn recent_states(app: &App, monitors: &[Arc<Monitor>], now: Millis) -> Option<Vec<(MonitorId, Seen)>> {
    match recorded(app, monitors, (now + HOUR_MS, now)).await {
        Ok(recorded) => {
            let newest = recorded.into_iter().filter_map(|one| {
                let sample = one.newest.samples(one.key.hour).next_back()?;
                Some((one.key.monitor, Seen::of(one.key.region, &latest(sample))))
            });
            Some(newest.collect())
        }
        Err(error) => {
            tracing::debug!(%error, "states could not be compared with PostgreSQL either");
            None
        }
    }
}

/// Counts since `from`, and the newest block of each region, as far back as either says something: to `from`, or as long as a result
/// of a rarely checked monitor is fresh.
async fn recorded(app: &App, monitors: &[Arc<Monitor>], (from, now): (Millis, Millis)) -> Result<Vec<Recorded>, StoreError> {
    let wanted: Vec<_> = monitors.iter().map(|monitor| (monitor.id, from.min(fresh_since(monitor, now)))).collect();
    app.store().recorded_of(&wanted, from, now + HOUR_MS).await
}

/// The hours a sparkline needs, as far as Redis would have them.
async fn add_samples(app: &App, monitors: &[Arc<Monitor>], places: &HashMap<MonitorId, usize>, rows: &mut [LiveRow], now: Millis) {
    let wanted: Vec<_> = monitors.iter().map(|monitor| (monitor.id, sparkline_since(monitor, now))).collect();
    let blocks = match app.store().newest_blocks_of(&wanted, now + HOUR_MS, i64::MAX).await {
        Ok(blocks) => blocks,
        Err(error) => {
            tracing::warn!(%error, "recent checks cannot be read; sparklines are shorter");
            return;
        }
    };
    for (key, block) in blocks {
        let Some(i) = places.get(&key.monitor) else { continue };
        if monitors[*i].spec.regions.contains(&key.region) {
            rows[*i].samples.extend(block.samples(key.hour));
        }
    }
    for row in rows {
        row.samples.sort_unstable_by_key(|sample| sample.slot);
    }
}

fn latest(sample: Sample) -> LatestResult {
    LatestResult {
        slot: sample.slot,
        outcome: sample.outcome,
        cause: None,
        detail: None,
        latency_us: sample.latency_us,
        phases: None,
        status: None,
        certificate_expires_at: None,
        started_at: sample.slot,
        revision: 0,
    }
}

fn remembered(seen: Seen) -> (Region, LatestResult) {
    let sample = Sample { slot: seen.slot, outcome: seen.outcome, latency_us: seen.latency_us };
    (seen.region, LatestResult { cause: seen.cause, ..latest(sample) })
}
