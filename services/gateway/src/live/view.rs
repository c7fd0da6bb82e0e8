//! A monitor as people see it, from its configuration and its live row. Pure.

use model::alerting::Shown;
use model::uptime::{Tally, due, grace_ms, is_fresh, regions_of};
use model::{Millis, Monitor};

use super::read::{LiveRow, day_start};
use super::status::{Seen, status};
use crate::api::{Beat, MonitorState, MonitorView, RegionView, Uptime};
use crate::auth::Secrets;

/// Sparkline points in a list, where a hundred of them add up, and of a single monitor.
pub(crate) const LIST_BEATS: usize = 30;
pub(crate) const VIEW_BEATS: usize = 60;
/// What is younger may not be in PostgreSQL yet, which is half a minute behind Redis: no reason to call it missed.
const UNFLUSHED_MS: Millis = 60_000;

/// The whole view, as far as the reader may see it.
pub(crate) fn monitor_view(monitor: &Monitor, row: &LiveRow, beats: usize, secrets: Secrets, now: Millis) -> MonitorView {
    let status = status(monitor, row.verdict.as_ref(), &row.seen(), now);
    MonitorView {
        id: monitor.id,
        revision: monitor.revision,
        created_at: monitor.created_at,
        updated_at: monitor.updated_at,
        spec: secrets.spec(&monitor.spec),
        target: secrets.target(&monitor.spec.probe),
        kind: monitor.spec.probe.kind().to_owned(),
        as_of: if row.stale { status.last_check } else { Some(now) },
        stale: row.stale,
        status,
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

/// Up to when all that was due is known, while live state is away, of whatever has fresh results: to the next slot after each, but
/// not beyond now. Where no result is fresh, as far as anything is known. Of paused monitors nothing is due.
pub(crate) fn as_of<'a>(known: impl Iterator<Item = (&'a Monitor, &'a [Seen])>, now: Millis) -> Option<Millis> {
    let (mut fresh, mut newest) = (None, None);
    for (monitor, seen) in known.filter(|(monitor, _)| !monitor.spec.paused) {
        let interval = Millis::from(monitor.spec.interval_seconds) * 1000;
        for one in seen.iter().filter(|one| monitor.spec.regions.contains(&one.region)) {
            let complete = now.min(one.slot + interval);
            newest = newest.max(Some(complete));
            if is_fresh(monitor, one.slot, now) {
                fresh = Some(fresh.map_or(complete, |known: Millis| known.min(complete)));
            }
        }
    }
    fresh.or(newest)
}

fn day(monitor: &Monitor, row: &LiveRow, now: Millis) -> Uptime {
    let settled = now - grace_ms(monitor.spec.timeout_ms) - if row.stale { UNFLUSHED_MS } else { 0 };
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

#[cfg(test)]
mod tests {
    use model::{MonitorSpec, Outcome};
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::api::LatestResult;

    const NOW: Millis = 1_800_000_000_000;

    fn monitor(seconds: u32, paused: bool) -> Monitor {
        let spec: MonitorSpec = serde_json::from_value(json!({"name": "m", "regions": ["eu", "us"], "interval_seconds": seconds,
            "timeout_ms": 1000, "probe": {"kind": "icmp", "host": "h.example"}, "paused": paused}))
        .expect("a spec");
        let (id, workspace) = (Uuid::from_u128(1).into(), Uuid::from_u128(2).into());
        Monitor { id, workspace, revision: 1, created_at: 0, updated_at: 0, spec, segments: Vec::new() }
    }

    /// Regions with the age of their newest result, in seconds.
    fn row(latest: &[(&str, Millis)]) -> LiveRow {
        let result = |age: Millis| -> LatestResult {
            let slot = NOW - age * 1000;
            serde_json::from_value(json!({"slot": slot, "outcome": Outcome::Up, "started_at": slot, "revision": 1})).expect("a result")
        };
        let latest = latest.iter().map(|(region, age)| (region.parse().expect("a region"), result(*age))).collect();
        LiveRow { latest, stale: true, ..LiveRow::default() }
    }

    fn age(rows: &[(Monitor, LiveRow)]) -> Option<Millis> {
        let known: Vec<_> = rows.iter().map(|(monitor, row)| (monitor, row.seen())).collect();
        as_of(known.iter().map(|(monitor, seen)| (*monitor, seen.as_slice())), NOW).map(|at| (NOW - at) / 1000)
    }

    #[test]
    fn what_is_known_is_as_old_as_what_is_due_soonest_after_it() {
        let often = || (monitor(10, false), row(&[("eu", 33), ("us", 25)]));
        // Nothing was due since: as of now.
        let hourly = || (monitor(3600, false), row(&[("eu", 3000)]));
        assert_eq!(age(&[hourly()]), Some(0));
        assert_eq!(age(&[often(), hourly()]), Some(23));
        // What is too old is unknown and says so itself, as do regions that are asked no more and monitors that are paused.
        let silent = || (monitor(10, false), row(&[("eu", 7000)]));
        let others = [(monitor(10, false), row(&[("elsewhere", 7000)])), (monitor(10, true), row(&[("eu", 7000)]))];
        assert_eq!(age(&[silent(), often(), hourly()]), Some(23));
        assert_eq!(age(&[others[0].clone(), others[1].clone(), hourly()]), Some(0));
        // Nothing else is known.
        assert_eq!(age(&[silent(), others[0].clone(), others[1].clone()]), Some(6990));
        assert_eq!(age(&others), None);
    }

    #[test]
    fn one_monitor_is_as_old_as_its_newest_check() {
        let (of_ours, row) = (monitor(3600, false), row(&[("eu", 3000), ("us", 4000)]));
        let view = |row: &LiveRow| monitor_view(&of_ours, row, VIEW_BEATS, Secrets::Shown, NOW);
        let stale = view(&row);
        assert_eq!((stale.as_of, stale.stale), (Some(NOW - 3_000_000), true));
        let live = view(&LiveRow { stale: false, ..row.clone() });
        assert_eq!((live.as_of, live.stale), (Some(NOW), false));
        assert_eq!(view(&LiveRow { stale: true, ..LiveRow::default() }).as_of, None);
    }
}
