//! What PostgreSQL knows of the last hours, in the shape of live state: for when Redis is away.

use std::sync::Arc;

use model::history::{HOUR_MS, hour_of};
use model::uptime::Sample;
use model::{Millis, Monitor};

use crate::api::LatestResult;
use crate::app::App;
use crate::live::LiveRow;

/// One row per monitor. Without verdicts: states follow from fresh results alone, and are unknown where
/// the last flush is too old. Where PostgreSQL is away too, the rows are empty.
pub(crate) async fn recent_rows(app: &App, monitors: &[Arc<Monitor>], now: Millis) -> Vec<LiveRow> {
    let mut rows = vec![LiveRow::default(); monitors.len()];
    let ids: Vec<_> = monitors.iter().map(|monitor| monitor.id).collect();
    let blocks = match app.store().blocks_of(&ids, hour_of(now) - HOUR_MS, now + HOUR_MS).await {
        Ok(blocks) => blocks,
        Err(error) => {
            tracing::warn!(%error, "recent history cannot be read either");
            return rows;
        }
    };
    for (key, block) in blocks {
        let Some(i) = ids.iter().position(|id| *id == key.monitor) else { continue };
        let row = &mut rows[i];
        row.day.merge(&block.counts());
        if let Some(newest) = block.samples(key.hour).next_back() {
            row.latest.retain(|(region, known)| *region != key.region || known.slot > newest.slot);
            row.latest.push((key.region.clone(), latest(newest)));
        }
        if monitors[i].spec.regions.contains(&key.region) {
            row.samples.extend(block.samples(key.hour));
        }
    }
    for row in &mut rows {
        row.samples.sort_unstable_by_key(|sample| sample.slot);
    }
    rows
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
