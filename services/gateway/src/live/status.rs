//! The state people see: the alerter's verdict, as far as fresh results stand behind it. Pure.

use model::alerting::{Shown, ShownState};
use model::uptime::{grace_ms, is_fresh};
use model::{Cause, Millis, Monitor, Outcome, Region, Slot};

use crate::api::{State, Status};

/// The newest result of one region, as far as the state depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub region: Region,
    pub slot: Slot,
    pub outcome: Outcome,
    pub cause: Option<Cause>,
    pub latency_us: Option<u32>,
}

/// How many intervals a verdict may trail the newest result before it no longer speaks for it; two minutes at least, since one that
/// does not change is written to Redis every half minute and comes from there to the catalog every minute: until then a single
/// result must not speak in its place.
const TRAIL_INTERVALS: Millis = 3;
const LEAST_TRAIL_MS: Millis = 120_000;

/// A monitor's state at `now`. Regions that are no longer asked say nothing.
pub(crate) fn status(monitor: &Monitor, verdict: Option<&Shown>, seen: &[Seen], now: Millis) -> Status {
    let asked: Vec<&Seen> = seen.iter().filter(|one| monitor.spec.regions.contains(&one.region)).collect();
    let newest = asked.iter().copied().max_by_key(|one| one.slot);
    let (state, judged) = judge(monitor, verdict, newest, &asked, now);
    let known = matches!(state, State::Up | State::Degraded | State::Down);
    Status {
        state,
        since: judged.filter(|_| known).and_then(|verdict| verdict.since),
        incident: judged.and_then(|verdict| verdict.incident),
        cause: match state {
            State::Up | State::Paused | State::Pending => None,
            _ => judged.and_then(|verdict| verdict.cause).or_else(|| newest.and_then(|one| one.cause)),
        },
        last_check: newest.map(|one| one.slot),
        latency_us: newest.and_then(|one| one.latency_us),
    }
}

/// The state, and the verdict where it is the verdict's.
fn judge<'a>(
    monitor: &Monitor,
    verdict: Option<&'a Shown>,
    newest: Option<&Seen>,
    asked: &[&Seen],
    now: Millis,
) -> (State, Option<&'a Shown>) {
    if monitor.spec.paused {
        return (State::Paused, None);
    }
    let Some(newest) = newest else {
        return (if is_young(monitor, now) { State::Pending } else { State::Unknown }, None);
    };
    if !is_fresh(monitor, newest.slot, now) {
        return (State::Unknown, None);
    }
    let trail = (Millis::from(monitor.spec.interval_seconds) * 1000 * TRAIL_INTERVALS).max(LEAST_TRAIL_MS);
    let current = verdict.filter(|verdict| verdict.slot.is_some_and(|slot| newest.slot - slot <= trail));
    match current.map(|verdict| (verdict, verdict.state)) {
        Some((verdict, ShownState::Up)) => (State::Up, Some(verdict)),
        Some((verdict, ShownState::Degraded)) => (State::Degraded, Some(verdict)),
        Some((verdict, ShownState::Down)) => (State::Down, Some(verdict)),
        Some((verdict, ShownState::Unknown | ShownState::Insufficient)) => (State::Unknown, Some(verdict)),
        // No verdict, an old one, or one from before it was resumed: the results speak for themselves.
        Some((_, ShownState::Paused)) | None => (unjudged(monitor, asked, now), None),
    }
}

/// Without a verdict only unanimous fresh results count; whether one failure is an incident is not ours to say.
fn unjudged(monitor: &Monitor, asked: &[&Seen], now: Millis) -> State {
    let fresh = asked.iter().filter(|one| is_fresh(monitor, one.slot, now));
    let mut outcomes = fresh.map(|one| one.outcome).filter(|outcome| outcome.is_verdict());
    match outcomes.next() {
        Some(first) if outcomes.all(|outcome| outcome == first) => match first {
            Outcome::Up => State::Up,
            Outcome::Degraded => State::Degraded,
            _ => State::Down,
        },
        _ => State::Unknown,
    }
}

/// Whether its first result may still be on the way since it was created, changed or resumed.
fn is_young(monitor: &Monitor, now: Millis) -> bool {
    let since = monitor.segments.last().map_or(monitor.created_at, |segment| segment.from);
    now - since <= Millis::from(monitor.spec.interval_seconds) * 1000 + grace_ms(monitor.spec.timeout_ms)
}

#[cfg(test)]
mod tests {
    use model::{MonitorSpec, ScheduleSegment};
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    const NOW: Millis = 1_800_000_000_000;

    fn region(name: &str) -> Region {
        name.parse().expect("a region")
    }

    fn monitor(paused: bool) -> Monitor {
        let spec: MonitorSpec = serde_json::from_value(json!({
            "name": "a", "probe": {"kind": "http", "url": "http://a.b"}, "interval_seconds": 10, "timeout_ms": 1000,
            "regions": ["eu", "us"], "paused": paused
        }))
        .expect("a spec");
        let segment = ScheduleSegment { from: NOW - 1_000_000, interval_ms: 10_000, regions: spec.regions.clone(), active: !paused };
        Monitor {
            id: Uuid::from_u128(1).into(),
            workspace: Uuid::from_u128(2).into(),
            revision: 1,
            created_at: NOW - 1_000_000,
            updated_at: NOW - 1_000_000,
            spec,
            segments: vec![segment],
        }
    }

    fn seen(name: &str, age: Millis, outcome: Outcome) -> Seen {
        Seen { region: region(name), slot: NOW - age, outcome, cause: None, latency_us: Some(7) }
    }

    fn verdict(state: ShownState, age: Millis) -> Shown {
        Shown { state, since: Some(5), slot: Some(NOW - age), incident: None, cause: None, regions_down: Vec::new() }
    }

    fn state(monitor: &Monitor, verdict: Option<&Shown>, seen: &[Seen]) -> State {
        status(monitor, verdict, seen, NOW).state
    }

    #[test]
    fn never_up_without_a_fresh_result() {
        let (up, monitor) = (verdict(ShownState::Up, 0), monitor(false));
        assert_eq!(state(&monitor, Some(&up), &[]), State::Unknown);
        assert_eq!(state(&monitor, Some(&up), &[seen("eu", 60_000, Outcome::Up)]), State::Unknown);
        assert_eq!(state(&monitor, Some(&up), &[seen("elsewhere", 1000, Outcome::Up)]), State::Unknown);
        assert_eq!(state(&monitor, Some(&up), &[seen("eu", 1000, Outcome::Up)]), State::Up);
    }

    #[test]
    fn the_verdict_speaks_while_it_keeps_up() {
        let monitor = monitor(false);
        let fresh = [seen("eu", 1000, Outcome::Down), seen("us", 1000, Outcome::Down)];
        // The first failure of two: the verdict still says up, and so do we.
        assert_eq!(state(&monitor, Some(&verdict(ShownState::Up, 1000)), &fresh), State::Up);
        // Nor does it take the verdict's place while that is only not yet told anew: not here, nor before an incident is closed.
        assert_eq!(state(&monitor, Some(&verdict(ShownState::Up, 100_000)), &fresh), State::Up);
        let risen = fresh.clone().map(|one| Seen { outcome: Outcome::Up, ..one });
        assert_eq!(state(&monitor, Some(&verdict(ShownState::Down, 100_000)), &risen), State::Down);
        // A verdict that fell behind no longer speaks.
        assert_eq!(state(&monitor, Some(&verdict(ShownState::Up, 125_000)), &fresh), State::Down);
        assert_eq!(state(&monitor, Some(&verdict(ShownState::Insufficient, 1000)), &fresh), State::Unknown);
        assert_eq!(state(&monitor, Some(&verdict(ShownState::Paused, 1000)), &fresh), State::Down);
    }

    #[test]
    fn without_a_verdict_only_unanimity_counts() {
        let monitor = monitor(false);
        let two = |a, b| [seen("eu", 1000, a), seen("us", 1000, b)];
        assert_eq!(state(&monitor, None, &two(Outcome::Up, Outcome::Up)), State::Up);
        assert_eq!(state(&monitor, None, &two(Outcome::Up, Outcome::Down)), State::Unknown);
        assert_eq!(state(&monitor, None, &two(Outcome::Up, Outcome::Missed)), State::Up);
        assert_eq!(state(&monitor, None, &two(Outcome::Unknown, Outcome::Missed)), State::Unknown);
    }

    #[test]
    fn paused_and_pending() {
        let fresh = [seen("eu", 1000, Outcome::Up)];
        assert_eq!(state(&monitor(true), Some(&verdict(ShownState::Up, 0)), &fresh), State::Paused);
        let mut young = monitor(false);
        young.segments[0].from = NOW - 5000;
        assert_eq!(state(&young, None, &[]), State::Pending);
        let shown = status(&young, None, &[], NOW);
        assert_eq!((shown.since, shown.last_check, shown.cause), (None, None, None));
    }
}
