//! Single checks, newest first, page by page.

use model::history::hour_of;
use model::{Millis, Monitor, Region, Slot};
use serde::{Deserialize, Serialize};

use super::gather::gather_blocks;
use crate::api::{Check, CheckPage};
use crate::app::App;
use crate::error::ApiResult;
use crate::input::Cursor;
use crate::live::{self, With};

const HOUR_MS: Millis = 3_600_000;
/// The longest stretch read at once: what 1000 checks of a daily monitor would need is not worth one read.
const MAX_STRETCH_MS: Millis = 48 * HOUR_MS;

/// The last check of a page: the next one begins after it, newest first, regions in order within a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CheckPosition(Slot, Region);

/// At most `limit` checks of `[from, to)` after `after`.
pub(crate) async fn checks(
    app: &App,
    monitor: &Monitor,
    region: Option<&Region>,
    (from, to): (Millis, Millis),
    limit: usize,
    after: Option<CheckPosition>,
) -> ApiResult<CheckPage> {
    let from = from.max(super::gather::blocks_since(app.now(), app.retention_days().saturating_add(1)));
    let mut end = after.as_ref().map_or(to, |after| to.min(after.0 + 1));
    let mut found: Vec<Check> = Vec::new();
    let mut stale = false;
    let mut stretch = first_stretch(monitor, limit);
    // One more than asked for tells whether there is another page.
    while end > from && found.len() <= limit {
        let start = from.max(hour_of(end - 1) - stretch);
        let gathered = gather_blocks(app, monitor, region, (start, end)).await?;
        stale |= gathered.stale;
        for ((hour, region), block) in gathered.blocks.iter().rev() {
            let inside = block.samples(*hour).rev().filter(|sample| sample.slot >= start && sample.slot < end);
            found.extend(inside.map(|sample| Check {
                slot: sample.slot,
                region: region.clone(),
                outcome: sample.outcome,
                latency_us: sample.latency_us,
                cause: None,
                detail: None,
                status: None,
                phases: None,
            }));
        }
        if let Some(after) = &after {
            found.retain(|check| (std::cmp::Reverse(check.slot), &check.region) > (std::cmp::Reverse(after.0), &after.1));
        }
        end = start;
        stretch = (stretch * 2).min(MAX_STRETCH_MS);
    }
    // Stretches come newest first, but regions are interleaved within each.
    found.sort_by(|a, b| b.slot.cmp(&a.slot).then_with(|| a.region.cmp(&b.region)));
    let more = found.len() > limit;
    found.truncate(limit);
    let next_cursor = found.last().filter(|_| more).and_then(|last| Cursor::encode(&CheckPosition(last.slot, last.region.clone())));
    app.reasons().explain(monitor.id, &mut found);
    if after.is_none() {
        explain_newest(app, monitor, &mut found).await;
    }
    Ok(CheckPage { checks: found, next_cursor, stale })
}

/// The hours that hold `limit` checks, if none is missing.
fn first_stretch(monitor: &Monitor, limit: usize) -> Millis {
    let regions = Millis::try_from(monitor.spec.regions.len().max(1)).unwrap_or(1);
    let needed = Millis::try_from(limit).unwrap_or(1000) * Millis::from(monitor.spec.interval_seconds) * 1000 / regions;
    (needed / HOUR_MS * HOUR_MS).clamp(0, MAX_STRETCH_MS)
}

/// Adds what only the newest result of each region knows.
async fn explain_newest(app: &App, monitor: &Monitor, checks: &mut [Check]) {
    let monitor = std::sync::Arc::new(monitor.clone());
    let Ok(rows) = live::rows(app, std::slice::from_ref(&monitor), With::Day, app.now()).await else { return };
    for (region, latest) in rows.into_iter().flat_map(|row| row.latest) {
        if let Some(check) = checks.iter_mut().find(|check| check.region == region && check.slot == latest.slot) {
            check.explain(&latest);
        }
    }
}
