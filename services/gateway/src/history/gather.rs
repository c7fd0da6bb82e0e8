//! Everything recorded of a monitor in a window, from wherever it is.

use std::collections::BTreeMap;

use cache::{BoardKey, Depth};
use model::history::{Block, HOUR_MS, hour_of};
use model::uptime::regions_of;
use model::{Millis, Monitor, Region};
use store::history::Rollup;

use crate::app::App;
use crate::error::ApiResult;

const DAY_MS: Millis = 24 * HOUR_MS;
/// Redis keeps a block for three hours after its hour; PostgreSQL is half a minute behind, or more when it was away.
const REDIS_HOURS: Millis = 3;

/// What was found. `[from, to)` is the part of the window it is complete for.
#[derive(Debug)]
pub(crate) struct Gathered {
    pub from: Millis,
    pub to: Millis,
    /// Every region with history, or the one asked for.
    pub regions: Vec<Region>,
    /// By hour and region.
    pub blocks: BTreeMap<(Millis, Region), Block>,
    /// Of days whose blocks are gone already.
    pub rollups: Vec<Rollup>,
    /// A source of recent results could not be read.
    pub stale: bool,
}

/// The first instant whose blocks are certainly kept still.
pub(crate) fn blocks_since(now: Millis, retention_days: u32) -> Millis {
    // One day less than is kept: the oldest day may be dropped while we read.
    let day = now - now.rem_euclid(DAY_MS);
    day - Millis::from(retention_days.saturating_sub(1)) * DAY_MS
}

/// Blocks of `[from, to)`; older days as roll-ups, for which the window shrinks to whole days.
pub(crate) async fn gather(app: &App, monitor: &Monitor, region: Option<&Region>, (from, to): (Millis, Millis)) -> ApiResult<Gathered> {
    let now = app.now();
    let regions = match region {
        Some(region) => vec![region.clone()],
        None => regions_of(&monitor.segments),
    };
    let since = blocks_since(now, app.retention_days());
    let (whole_from, whole_to) = snap(from, to, since);
    let rollups = if whole_from < since.min(whole_to) {
        app.store().rollups(monitor.id, region, whole_from, since.min(whole_to)).await?
    } else {
        Vec::new()
    };
    let mut gathered = Gathered { from: whole_from, to: whole_to, regions, blocks: BTreeMap::new(), rollups, stale: false };
    read_blocks(app, monitor, region, &mut gathered, (whole_from.max(since), whole_to)).await?;
    Ok(gathered)
}

/// Blocks alone, without roll-ups: single checks of days that are gone are gone.
pub(crate) async fn gather_blocks(app: &App, monitor: &Monitor, region: Option<&Region>, window: (Millis, Millis)) -> ApiResult<Gathered> {
    let regions = region.map_or_else(|| regions_of(&monitor.segments), |region| vec![region.clone()]);
    let mut gathered = Gathered { from: window.0, to: window.1, regions, blocks: BTreeMap::new(), rollups: Vec::new(), stale: false };
    read_blocks(app, monitor, region, &mut gathered, window).await?;
    Ok(gathered)
}

/// Whole days where only roll-ups are left.
fn snap(from: Millis, to: Millis, since: Millis) -> (Millis, Millis) {
    let up = |at: Millis| at + (DAY_MS - at.rem_euclid(DAY_MS)) % DAY_MS;
    let from = if from < since { up(from).min(since) } else { from };
    let to = if to < since { to - to.rem_euclid(DAY_MS) } else { to };
    (from, to.max(from))
}

async fn read_blocks(
    app: &App,
    monitor: &Monitor,
    region: Option<&Region>,
    gathered: &mut Gathered,
    (from, to): (Millis, Millis),
) -> ApiResult<()> {
    if from >= to {
        return Ok(());
    }
    let now = app.now();
    let (stored, current) = tokio::join!(
        app.store().blocks(monitor.id, region, from, to),
        current_blocks(app, monitor, &gathered.regions, from.max(hour_of(now) - (REDIS_HOURS - 1) * HOUR_MS), to.min(now + HOUR_MS)),
    );
    match (stored, &current) {
        (Ok(stored), _) => {
            for (key, block) in stored {
                put(&mut gathered.blocks, (key.hour, key.region), &block);
            }
        }
        // Redis alone can answer for the last hours.
        (Err(error), Ok(_)) if from >= hour_of(now) - (REDIS_HOURS - 1) * HOUR_MS && error.is_retryable() => {
            tracing::warn!(%error, "history cannot be read; answering from live state");
            gathered.stale = true;
        }
        (Err(error), _) => return Err(error.into()),
    }
    match current {
        Ok(current) => current.into_iter().for_each(|(key, block)| put(&mut gathered.blocks, key, &block)),
        Err(error) => {
            tracing::warn!(%error, "current blocks cannot be read; history is as old as the last flush");
            gathered.stale = true;
        }
    }
    Ok(())
}

fn put(blocks: &mut BTreeMap<(Millis, Region), Block>, key: (Millis, Region), block: &Block) {
    blocks.entry(key).or_default().merge(block);
}

async fn current_blocks(
    app: &App,
    monitor: &Monitor,
    regions: &[Region],
    from: Millis,
    to: Millis,
) -> Result<Vec<((Millis, Region), Block)>, cache::CacheError> {
    let hours = (0..REDIS_HOURS).map(|n| hour_of(from) + n * HOUR_MS).filter(|hour| *hour < to);
    let wanted: Vec<(Region, Millis)> = hours.flat_map(|hour| regions.iter().map(move |region| (region.clone(), hour))).collect();
    if from >= to || wanted.is_empty() {
        return Ok(Vec::new());
    }
    let rows = app.cache().boards(&[BoardKey { monitor: monitor.id, blocks: wanted.clone() }], Depth::Whole).await?;
    let found = wanted.into_iter().zip(rows.into_iter().flat_map(|row| row.blocks));
    Ok(found
        .filter_map(|((region, hour), bytes)| match Block::decode(&bytes?) {
            Ok(block) => Some(((hour, region), block)),
            Err(error) => {
                tracing::error!(monitor = %monitor.id, %error, "a current block in Redis cannot be read");
                None
            }
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_days_without_blocks_are_snapped() {
        let since = 100 * DAY_MS;
        assert_eq!(snap(since + 5, since + 9, since), (since + 5, since + 9));
        assert_eq!(snap(90 * DAY_MS + 5, since + 9, since), (91 * DAY_MS, since + 9));
        assert_eq!(snap(90 * DAY_MS, 95 * DAY_MS + 7, since), (90 * DAY_MS, 95 * DAY_MS));
        // Less than one whole day: nothing is left to say.
        assert_eq!(snap(90 * DAY_MS + 5, 90 * DAY_MS + 9, since), (91 * DAY_MS, 91 * DAY_MS));
        assert_eq!(snap(since - 5, since + 9, since), (since, since + 9));
    }

    #[test]
    fn blocks_are_kept_for_whole_days() {
        let now = 1000 * DAY_MS + 7;
        assert_eq!(blocks_since(now, 30), 971 * DAY_MS);
        assert_eq!(blocks_since(now, 0), 1000 * DAY_MS);
    }
}
