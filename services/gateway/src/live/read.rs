//! Live state of a page of monitors from Redis, in one round trip, and what it means.

use cache::{BoardKey, BoardRow, CacheError, Depth};
use model::alerting::Shown;
use model::history::{Block, HOUR_MS, hour_of};
use model::uptime::{Counts, Sample};
use model::{Millis, Monitor, Region};
use std::sync::Arc;

use super::status::Seen;
use super::view::LIST_BEATS;
use crate::api::LatestResult;
use crate::app::App;
use crate::history;

/// Redis keeps the blocks of this hour and of the three before it.
const BLOCK_HOURS: Millis = 4;

/// The day shown beside a monitor: this clock hour and the 23 before it.
const DAY_HOURS: Millis = 24;

/// Live state of one monitor.
#[derive(Debug, Clone, Default)]
pub(crate) struct LiveRow {
    pub latest: Vec<(Region, LatestResult)>,
    pub verdict: Option<Shown>,
    /// Recorded since [`day_start`], over all regions.
    pub day: Counts,
    /// The newest, over the regions in force, by slot: as many as a sparkline shows, or more.
    pub samples: Vec<Sample>,
    /// Not from Redis.
    pub stale: bool,
}

/// Where the day shown beside a monitor begins.
pub(crate) fn day_start(now: Millis) -> Millis {
    hour_of(now) - (DAY_HOURS - 1) * HOUR_MS
}

impl Seen {
    pub(crate) fn of(region: Region, latest: &LatestResult) -> Self {
        Self { region, slot: latest.slot, outcome: latest.outcome, cause: latest.cause, latency_us: latest.latency_us }
    }
}

impl LiveRow {
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.latest.iter().map(|(region, latest)| Seen::of(region.clone(), latest)).collect()
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
    /// And the newest checks, for a sparkline.
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
    let parsed = monitors.iter().zip(rows).zip(&keys).map(|((monitor, row), key)| LiveRow::parse(monitor, &row, &key.blocks, now));
    let mut rows: Vec<LiveRow> = parsed.collect();
    if with == With::Samples {
        add_older(app, monitors, &mut rows, now).await;
    }
    Ok(rows)
}

/// This hour and those before it that hold a sparkline, as far as Redis has them, in each region in force.
fn recent_hours(monitor: &Monitor, now: Millis) -> Vec<(Region, Millis)> {
    let first = sparkline_since(monitor, now);
    let hours = (0..).map(|n| first + n * HOUR_MS).take_while(|hour| *hour <= now);
    hours.flat_map(|hour| monitor.spec.regions.iter().map(move |region| (region.clone(), hour))).collect()
}

/// The first hour that is looked into for a sparkline; [`add_older`] knows those before it.
pub(crate) fn sparkline_since(monitor: &Monitor, now: Millis) -> Millis {
    hour_of(now) - hours_back(monitor).min(BLOCK_HOURS - 1) * HOUR_MS
}

/// How many hours before this one hold the points of a list's sparkline, if no check is missing.
fn hours_back(monitor: &Monitor) -> Millis {
    let regions = Millis::try_from(monitor.spec.regions.len().max(1)).unwrap_or(1);
    let points = Millis::try_from(LIST_BEATS).unwrap_or(0);
    // This hour may just have begun.
    points * Millis::from(monitor.spec.interval_seconds) * 1000 / regions / HOUR_MS + 1
}

/// What Redis keeps no longer, for monitors that are checked less than every six minutes or so.
pub(crate) async fn add_older(app: &App, monitors: &[Arc<Monitor>], rows: &mut [LiveRow], now: Millis) {
    let oldest = hour_of(now) - (BLOCK_HOURS - 1) * HOUR_MS;
    let beyond = monitors.iter().map(|monitor| (monitor, hours_back(monitor) - (BLOCK_HOURS - 1)));
    let (slow, wanted): (Vec<usize>, Vec<_>) = beyond.enumerate().filter(|(_, (_, hours))| *hours > 0).unzip();
    let older = history::older_samples(app, &wanted, (oldest, now), LIST_BEATS).await;
    for (i, older) in slow.into_iter().zip(older) {
        rows[i].samples.splice(0..0, older.iter().copied());
    }
}

/// Verdicts and newest results alone, for [`super::Catalog::refresh`].
pub(crate) async fn states(app: &App, monitors: &[Arc<Monitor>]) -> Result<Vec<(Option<Shown>, Vec<Seen>)>, CacheError> {
    let keys: Vec<BoardKey> = monitors.iter().map(|monitor| BoardKey { monitor: monitor.id, blocks: Vec::new() }).collect();
    let rows = app.cache().boards(&keys, Depth::State).await?;
    let parsed = rows.into_iter().map(|row| LiveRow { latest: latest(&row), verdict: verdict(&row), ..LiveRow::default() });
    Ok(parsed.map(|row| (row.verdict.clone(), row.seen())).collect())
}
