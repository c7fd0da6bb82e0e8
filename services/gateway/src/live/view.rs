//! A monitor as people see it, from its configuration and its live row. Pure.

use model::alerting::Shown;
use model::uptime::{Tally, due, grace_ms, is_fresh, regions_of};
use model::{Millis, Monitor};

use super::read::{LiveRow, day_start};
use super::status::status;
use crate::api::{Beat, MonitorState, MonitorView, RegionView, Uptime};
use crate::auth::Secrets;

/// Sparkline points in a list, where a hundred of them add up, and of a single monitor.
pub(crate) const LIST_BEATS: usize = 30;
pub(crate) const VIEW_BEATS: usize = 60;

/// The whole view, as far as the reader may see it.
pub(crate) fn monitor_view(monitor: &Monitor, row: &LiveRow, beats: usize, secrets: Secrets, now: Millis) -> MonitorView {
    MonitorView {
        id: monitor.id,
        revision: monitor.revision,
        created_at: monitor.created_at,
        updated_at: monitor.updated_at,
        spec: secrets.spec(&monitor.spec),
        target: secrets.target(&monitor.spec.probe),
        kind: monitor.spec.probe.kind().to_owned(),
        status: status(monitor, row.verdict.as_ref(), &row.seen(), now),
        day: day(monitor, row, now),
        sparkline: sparkline(row, beats),
        regions: regions(monitor, row, now),
        warnings: Vec::new(),
    }
}

/// The few words of a status page.
pub(crate) fn monitor_state(monitor: &Monitor, row: &LiveRow, now: Millis) -> MonitorState {
    let day = day(monitor, row, now);
    MonitorState {
        id: monitor.id,
        name: monitor.spec.name.clone(),
        status: status(monitor, row.verdict.as_ref(), &row.seen(), now),
        uptime: day.uptime,
        coverage: day.coverage,
    }
}

fn day(monitor: &Monitor, row: &LiveRow, now: Millis) -> Uptime {
    let settled = now - grace_ms(monitor.spec.timeout_ms);
    let due = due(monitor.id, &monitor.segments, &regions_of(&monitor.segments), day_start(now), now, settled);
    Tally::new(row.day, due).into()
}

fn sparkline(row: &LiveRow, beats: usize) -> Vec<Beat> {
    let newest = row.samples.len().saturating_sub(beats);
    row.samples[newest..].iter().map(|sample| Beat { slot: sample.slot, latency_us: sample.latency_us, outcome: sample.outcome }).collect()
}

fn regions(monitor: &Monitor, row: &LiveRow, now: Millis) -> Vec<RegionView> {
    let one = |region: &model::Region| {
        let latest = row.latest.iter().find(|(known, _)| known == region).map(|(_, latest)| latest.clone());
        let stale = !latest.as_ref().is_some_and(|latest| is_fresh(monitor, latest.slot, now));
        RegionView { region: region.clone(), latest, stale }
    };
    monitor.spec.regions.iter().map(one).collect()
}

impl From<Tally> for Uptime {
    fn from(tally: Tally) -> Self {
        let counts = tally.counts;
        Self {
            uptime: tally.uptime(),
            coverage: tally.coverage(),
            due: tally.due,
            up: counts.up,
            degraded: counts.degraded,
            down: counts.down,
            unknown: counts.unknown,
            missed: counts.missed,
            maintenance: counts.maintenance,
        }
    }
}

impl crate::api::VerdictItem {
    /// A verdict as the stream tells it.
    pub(crate) fn of(monitor: &Monitor, verdict: &Shown, state: crate::api::State) -> Self {
        Self { monitor: monitor.id, state, since: verdict.since, slot: verdict.slot, incident: verdict.incident, cause: verdict.cause }
    }
}
