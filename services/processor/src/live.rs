//! One write of live state to Redis.

use std::time::{Duration, Instant};

use bytes::Bytes;
use cache::{Cache, CacheError, LiveOutcome, LiveWrite};
use model::{Millis, MonitorId, Region};

use crate::fold::Fold;
use crate::metrics::Metrics;

/// Results older than this are history, not news: they are stored and not published.
const NEWS_MS: Millis = 120_000;

pub(crate) struct LiveDone {
    pub writes: Vec<LiveWrite>,
    pub result: Result<Vec<LiveOutcome>, CacheError>,
    pub took: Duration,
}

/// Stores, then publishes what became the latest.
pub(crate) async fn write(cache: Cache, writes: Vec<LiveWrite>, now: Millis) -> LiveDone {
    let began = Instant::now();
    service::crash_point!("processor::before_live");
    let result = cache.write_live(&writes).await;
    service::crash_point!("processor::live_written");
    if let Ok(outcomes) = &result {
        let news: Vec<(MonitorId, Region, Bytes)> = writes
            .iter()
            .zip(outcomes)
            // The write may be that of an older hour.
            .filter(|(_, outcome)| outcome.latest_stored)
            .filter_map(|(write, _)| Some((write.monitor, write.region.clone(), write.latest.clone()?)))
            .filter(|(_, _, latest)| slot(latest).is_none_or(|slot| slot > now - NEWS_MS))
            .collect();
        if let Err(error) = cache.publish_results(&news).await {
            // Followers read the state afresh from time to time.
            tracing::debug!(%error, "updates were not published");
        }
    }
    service::crash_point!("processor::told");
    LiveDone { writes, result, took: began.elapsed() }
}

/// The slot that leads the JSON.
fn slot(latest: &[u8]) -> Option<Millis> {
    std::str::from_utf8(latest.get(8..21)?).ok()?.parse().ok()
}

/// Says which keys of live state held something else. Nobody has to do anything: what they had replaced is restored.
pub(crate) fn tell_removed(writes: &[LiveWrite], outcomes: &[LiveOutcome], metrics: &Metrics) {
    for (LiveWrite { monitor, region, .. }, _) in writes.iter().zip(outcomes).filter(|(_, outcome)| outcome.removed) {
        metrics.live_removed.inc();
        tracing::error!(%monitor, %region, "a key of live state in Redis was of another type and was removed; who else writes there?");
    }
}

/// How a write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settled {
    Complete,
    /// Redis held other blocks; they are merged and written again.
    InPart,
    Failed,
}

impl LiveDone {
    /// Tells the fold.
    pub fn settle(self, fold: &mut Fold, metrics: &Metrics) -> Settled {
        metrics.live_seconds.observe(self.took.as_secs_f64());
        match self.result {
            Ok(outcomes) => {
                tell_removed(&self.writes, &outcomes, metrics);
                let mut settled = Settled::Complete;
                for (write, outcome) in self.writes.iter().zip(outcomes) {
                    match outcome.conflict {
                        None => fold.written(write),
                        Some(found) => {
                            settled = Settled::InPart;
                            metrics.live_conflicts.inc();
                            fold.conflicted(write, found);
                        }
                    }
                }
                settled
            }
            Err(error) => {
                metrics.live_failures.inc();
                tracing::warn!(%error, items = self.writes.len(), "live state was not written to Redis; it is written again");
                fold.not_written(&self.writes);
                Settled::Failed
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_slot_is_read_where_it_stands() {
        assert_eq!(super::slot(br#"{"slot":1772323200000,"outcome":"up"}"#), Some(1_772_323_200_000));
        assert_eq!(super::slot(b"{}"), None);
    }
}
