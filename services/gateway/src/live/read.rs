//! Live state of a page of monitors from Redis, in one round trip, and what it means.

use cache::{BoardKey, BoardRow, CacheError, Depth};
use model::alerting::Shown;
use model::history::{Block, HOUR_MS, hour_of};
use model::uptime::{Counts, Sample};
use model::{Millis, Monitor, Region};
use std::sync::Arc;

use super::status::Seen;
use crate::api::LatestResult;
use crate::app::App;

/// The day shown beside a monitor: this clock hour and the 23 before it.
const DAY_HOURS: Millis = 24;

/// Live state of one monitor.
#[derive(Debug, Clone, Default)]
pub(crate) struct LiveRow {
    pub latest: Vec<(Region, LatestResult)>,
    pub verdict: Option<Shown>,
    /// Recorded since [`day_start`], over all regions.
    pub day: Counts,
    /// Of this hour and the one before, over the regions in force, by slot.
    pub samples: Vec<Sample>,
}

/// Where the day shown beside a monitor begins.
pub(crate) fn day_start(now: Millis) -> Millis {
    hour_of(now) - (DAY_HOURS - 1) * HOUR_MS
}

impl LiveRow {
    pub(crate) fn seen(&self) -> Vec<Seen> {
        let seen = self.latest.iter().map(|(region, latest)| Seen {
            region: region.clone(),
            slot: latest.slot,
            outcome: latest.outcome,
            cause: latest.cause,
            latency_us: latest.latency_us,
        });
        seen.collect()
    }

    fn parse(monitor: &Monitor, row: &BoardRow, hours: &[(Region, Millis)], now: Millis) -> Self {
        let mut parsed = Self { latest: latest(row), verdict: verdict(row), ..Self::default() };
        let day = day_start(now);
        for (field, counts) in &row.hours {
            let hour = field.rsplit_once(':').and_then(|(_, hour)| hour.parse::<Millis>().ok());
            if hour.is_some_and(|hour| hour >= day)
                && let Some(counts) = cache::decode_counts(counts)
            {
                parsed.day.merge(&counts);
            }
        }
        for ((_, hour), bytes) in hours.iter().zip(&row.blocks) {
            match bytes.as_deref().map(Block::decode) {
                Some(Ok(block)) => parsed.samples.extend(block.samples(*hour)),
                Some(Err(error)) => tracing::error!(monitor = %monitor.id, %error, "a current block in Redis cannot be read"),
                None => {}
            }
        }
        parsed.samples.sort_unstable_by_key(|sample| sample.slot);
        parsed
    }
}

fn latest(row: &BoardRow) -> Vec<(Region, LatestResult)> {
    row.live.iter().filter_map(|(region, json)| Some((region.parse().ok()?, serde_json::from_slice(json).ok()?))).collect()
}

fn verdict(row: &BoardRow) -> Option<Shown> {
    serde_json::from_slice(row.verdict.as_deref()?).ok()
}

/// How much of the recent past is read along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum With {
    /// Counts of the day.
    Day,
    /// And the checks of the last one to two hours.
    Samples,
}

/// One row for each monitor, in order.
pub(crate) async fn rows(app: &App, monitors: &[Arc<Monitor>], with: With, now: Millis) -> Result<Vec<LiveRow>, CacheError> {
    let blocks = |monitor: &Monitor| match with {
        With::Day => Vec::new(),
        With::Samples => recent_hours(monitor, now),
    };
    let keys: Vec<BoardKey> = monitors.iter().map(|monitor| BoardKey { monitor: monitor.id, blocks: blocks(monitor) }).collect();
    let rows = app.cache().boards(&keys, Depth::Whole).await?;
    Ok(monitors.iter().zip(rows).zip(&keys).map(|((monitor, row), key)| LiveRow::parse(monitor, &row, &key.blocks, now)).collect())
}

/// This hour and the one before, in each region in force.
fn recent_hours(monitor: &Monitor, now: Millis) -> Vec<(Region, Millis)> {
    let hour = hour_of(now);
    monitor.spec.regions.iter().flat_map(|region| [(region.clone(), hour - HOUR_MS), (region.clone(), hour)]).collect()
}

/// Verdicts and newest results alone, for [`super::Catalog::refresh`].
pub(crate) async fn states(app: &App, monitors: &[Arc<Monitor>]) -> Result<Vec<(Option<Shown>, Vec<Seen>)>, CacheError> {
    let keys: Vec<BoardKey> = monitors.iter().map(|monitor| BoardKey { monitor: monitor.id, blocks: Vec::new() }).collect();
    let rows = app.cache().boards(&keys, Depth::State).await?;
    let parsed = rows.into_iter().map(|row| LiveRow { latest: latest(&row), verdict: verdict(&row), ..LiveRow::default() });
    Ok(parsed.map(|row| (row.verdict.clone(), row.seen())).collect())
}
