//! Checks that are too old for Redis, for the sparklines of monitors that are checked rarely: once an hour from PostgreSQL.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::history::{HOUR_MS, hour_of};
use model::uptime::Sample;
use model::{Millis, Monitor, MonitorId};

use crate::app::App;

/// A list is not held up for them.
const DEADLINE: Duration = Duration::from_millis(800);
/// PostgreSQL is not asked again for so long when it did not answer.
const REST_MS: Millis = 30_000;
/// Monitors whose checks are kept; beyond, those whose hour is over go first, and then new ones are not kept.
const MAX_KEPT: usize = 20_000;

/// What was read last of a monitor.
#[derive(Debug, Clone)]
struct Kept {
    revision: i64,
    /// From here on it is read again.
    until: Millis,
    /// By slot.
    samples: Arc<[Sample]>,
}

/// Older checks by monitor.
#[derive(Debug, Default)]
pub(crate) struct Older(Mutex<HashMap<MonitorId, Kept>>);

impl Older {
    fn get(&self, monitor: &Monitor, now: Millis) -> Option<Arc<[Sample]>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept.get(&monitor.id).filter(|known| known.revision == monitor.revision && now < known.until)?;
        Some(Arc::clone(&known.samples))
    }

    fn put(&self, monitor: &Monitor, until: Millis, samples: Arc<[Sample]>, now: Millis) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT {
            kept.retain(|_, known| now < known.until);
        }
        if kept.len() < MAX_KEPT || kept.contains_key(&monitor.id) {
            kept.insert(monitor.id, Kept { revision: monitor.revision, until, samples });
        }
    }
}

/// Up to `points` checks before the hour `end` of each monitor in the regions in force, by slot; those beside it say how many hours
/// of history hold them. One query for all that are not known. Where PostgreSQL is away: none.
pub(crate) async fn older_samples(
    app: &App,
    monitors: &[(&Arc<Monitor>, Millis)],
    (end, now): (Millis, Millis),
    points: usize,
) -> Vec<Arc<[Sample]>> {
    let mut found: Vec<Option<Arc<[Sample]>>> = monitors.iter().map(|(monitor, _)| app.older().get(monitor, now)).collect();
    let unknown = monitors.iter().zip(&found).filter(|(_, found)| found.is_none());
    let wanted: Vec<(MonitorId, Millis)> = unknown.map(|((monitor, hours), _)| (monitor.id, end - hours * HOUR_MS)).collect();
    if !wanted.is_empty() {
        let limit = i64::try_from(points).unwrap_or(i64::MAX);
        let answer = tokio::time::timeout(DEADLINE, app.store().newest_blocks_of(&wanted, end, limit)).await;
        let (until, blocks) = match answer {
            Ok(Ok(blocks)) => (hour_of(now) + HOUR_MS, blocks),
            Ok(Err(error)) => {
                tracing::warn!(%error, "older checks cannot be read; sparklines are shorter");
                (now + REST_MS, Vec::new())
            }
            Err(_) => {
                tracing::warn!("older checks are not read in time; sparklines are shorter");
                (now + REST_MS, Vec::new())
            }
        };
        let mut read: HashMap<MonitorId, Vec<Sample>> = HashMap::new();
        let regions: HashMap<MonitorId, &Monitor> = monitors.iter().map(|(monitor, _)| (monitor.id, monitor.as_ref())).collect();
        for (key, block) in blocks {
            if regions.get(&key.monitor).is_some_and(|monitor| monitor.spec.regions.contains(&key.region)) {
                read.entry(key.monitor).or_default().extend(block.samples(key.hour));
            }
        }
        for ((monitor, _), found) in monitors.iter().zip(&mut found).filter(|(_, found)| found.is_none()) {
            let mut samples = read.remove(&monitor.id).unwrap_or_default();
            samples.sort_unstable_by_key(|sample| sample.slot);
            let samples: Arc<[Sample]> = samples.split_off(samples.len().saturating_sub(points)).into();
            app.older().put(monitor, until, Arc::clone(&samples), now);
            *found = Some(samples);
        }
    }
    found.into_iter().map(Option::unwrap_or_default).collect()
}
