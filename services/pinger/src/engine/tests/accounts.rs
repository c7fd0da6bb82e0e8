//! Each slot that was due has one record, whatever happened between: hand-overs, changes heard of late, clocks that were off.

use model::schedule::segment_windows;

use super::*;
use crate::reference::Source as Other;

/// So much of the end is left out: what is due there may still be under way.
const MARGIN_MS: Millis = 15_000;

/// The next revision of a monitor, with another segment from `from` on.
pub(super) fn changed(monitor: &Monitor, from: Millis, interval_ms: Millis, active: bool) -> Arc<Monitor> {
    let mut next = monitor.clone();
    next.revision += 1;
    next.spec.paused = !active;
    next.segments.push(ScheduleSegment { from, interval_ms, active, ..next.segments[0].clone() });
    Arc::new(next)
}

/// What the configuration says was due in `[from, to)`.
pub(super) fn due(monitor: &Monitor, from: Millis, to: Millis) -> Vec<Slot> {
    segment_windows(&monitor.segments, from, to)
        .filter(|(segment, ..)| segment.active)
        .flat_map(|(segment, start, end)| Schedule::new(monitor.id, &region(), segment.interval_ms).slots(start, end))
        .collect()
}

/// How many records each slot has.
pub(super) fn records(monitor: &Monitor, results: &[CheckResult]) -> BTreeMap<Slot, usize> {
    let mut records = BTreeMap::new();
    for result in results.iter().filter(|result| result.monitor == monitor.id) {
        *records.entry(result.slot).or_default() += 1;
    }
    records
}

/// What was due in `[from, to)` and has not exactly one record, with how many it has.
fn wrong(monitor: &Monitor, results: &[CheckResult], from: Millis, to: Millis) -> Vec<(Slot, usize)> {
    let records = records(monitor, results);
    let counted = due(monitor, from, to).into_iter().map(|slot| (slot, records.get(&slot).copied().unwrap_or_default()));
    counted.filter(|(_, count)| *count != 1).collect()
}

impl Simulation {
    pub(super) async fn tell_all(&self, command: impl Fn(Shard) -> Command) {
        for shard in (0..SHARDS).map(Shard) {
            self.commands.send(command(shard)).await.expect("the engine runs");
        }
    }

    pub(super) fn hear(&self, monitor: &Arc<Monitor>) {
        self.changes.send(Change::Upserted(Arc::clone(monitor))).expect("the engine runs");
    }

    fn hear_all(&self, monitors: &[Arc<Monitor>]) {
        for monitor in monitors {
            self.hear(monitor);
        }
    }

    pub(super) fn set_clock(&self, by: Millis) {
        self.wall.set_by.fetch_add(by, Ordering::SeqCst);
    }

    /// The other clocks show ours less `off`.
    pub(super) fn compare(&self, off: Millis) {
        let now = std::time::Instant::now();
        for source in [Other::Redis, Other::Users] {
            self.reference.heard(source, self.wall.now_ms() - off, now, now);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_changes_while_its_shard_is_paused_leaves_no_hole() {
    let mut simulation = Simulation::new(old(50, 10_000));
    simulation.take_all(Some(BEGIN)).await;
    let mut results = simulation.pass(20_000).await;
    simulation.tell_all(Command::Pause).await;
    results.extend(simulation.pass(13_000).await);
    let now = simulation.wall.now_ms();
    let monitors: Vec<_> = old(50, 10_000).iter().map(|monitor| changed(monitor, now, 15_000, true)).collect();
    simulation.hear_all(&monitors);
    results.extend(simulation.pass(1_000).await);
    simulation.tell_all(Command::Resume).await;
    results.extend(simulation.pass(60_000).await);
    for monitor in monitors {
        assert_eq!(wrong(&monitor, &results, BEGIN + 1, BEGIN + 94_000 - MARGIN_MS), []);
    }
    simulation.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_back_while_a_shard_is_paused_leaves_no_hole() {
    let monitors = old(50, 10_000);
    let mut simulation = Simulation::new(monitors.clone());
    simulation.take_all(Some(BEGIN)).await;
    let mut results = simulation.pass(20_000).await;
    simulation.tell_all(Command::Pause).await;
    results.extend(simulation.pass(13_000).await);
    simulation.set_clock(-3_000);
    results.extend(simulation.pass(1_500).await);
    simulation.tell_all(Command::Resume).await;
    results.extend(simulation.pass(60_000).await);
    for monitor in monitors {
        assert_eq!(wrong(&monitor, &results, BEGIN + 1, BEGIN + 91_500 - MARGIN_MS), []);
    }
    assert!(simulation.progress.advanced().iter().all(|(.., until)| *until > BEGIN + 90_000));
    simulation.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_came_due_in_a_stall_that_ends_with_a_clock_set_back_has_a_record() {
    let monitors = old(50, 10_000);
    let mut simulation = Simulation::new(monitors.clone());
    simulation.take_all(Some(BEGIN)).await;
    let mut results = simulation.pass(20_000).await;
    // The process stands still for 30 s; the clock is 5 s behind afterwards.
    tokio::time::advance(Duration::from_secs(30)).await;
    simulation.set_clock(-5_000);
    results.extend(simulation.pass(40_000).await);
    for monitor in monitors {
        assert_eq!(wrong(&monitor, &results, BEGIN + 1, BEGIN + 85_000 - MARGIN_MS), []);
    }
    simulation.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_to_be_made_up_for_outlives_a_change_of_its_schedule() {
    let monitors = old(2_000, 60_000);
    let mut simulation = Simulation::new(monitors.clone());
    // At a pace: most still wait when their schedule changes, or is paused by its owner.
    simulation.take_all(Some(BEGIN - 60_000)).await;
    let mut results = simulation.pass(1_000).await;
    let now = simulation.wall.now_ms();
    let next: Vec<_> = monitors.iter().enumerate().map(|(n, monitor)| changed(monitor, now, 50_000, n % 2 == 0)).collect();
    simulation.hear_all(&next);
    results.extend(simulation.pass(60_000).await);
    for monitor in &next {
        assert_eq!(wrong(monitor, &results, BEGIN - 59_999, now), []);
    }
    let paused: Vec<MonitorId> = next.iter().filter(|monitor| monitor.spec.paused).map(|monitor| monitor.id).collect();
    let late: Vec<_> = run(&results).into_iter().filter(|result| result.slot < now && result.revision == 2).collect();
    assert!(late.len() > 500, "{} are run after the change", late.len());
    assert!(late.iter().all(|result| result.interval_ms == 60_000 && !paused.contains(&result.monitor)));
    assert!(simulation.progress.advanced().iter().all(|(.., until)| *until > BEGIN + 55_000), "nothing is held back");
    simulation.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_segment_heard_of_late_misses_only_what_was_not_run() {
    let mut simulation = Simulation::new(old(60, 20_000));
    simulation.take_all(Some(BEGIN)).await;
    let mut results = simulation.pass(120_000).await;
    // A region more, or another interval: told 75 s late.
    let next = |n: usize, monitor: &Arc<Monitor>| changed(monitor, BEGIN + 45_000, [20_000, 10_000, 40_000][n % 3], true);
    let monitors: Vec<_> = old(60, 20_000).iter().enumerate().map(|(n, monitor)| next(n, monitor)).collect();
    simulation.hear_all(&monitors);
    results.extend(simulation.pass(90_000).await);
    for monitor in &monitors {
        assert_eq!(wrong(monitor, &results, BEGIN + 1, BEGIN + 210_000 - MARGIN_MS), []);
    }
    let heard = BEGIN + 120_000;
    assert!(missed(&results).iter().all(|result| result.interval_ms == 10_000 && result.slot <= heard), "the others were run");
    simulation.end().await;
}

#[tokio::test(start_paused = true)]
async fn two_changes_heard_of_at_once_leave_no_hole_between() {
    let monitors = old(40, 60_000);
    let mut simulation = Simulation::new(monitors.clone());
    simulation.take_all(Some(BEGIN)).await;
    let mut results = simulation.pass(100_000).await;
    let twice = |monitor: &Arc<Monitor>| changed(&changed(monitor, BEGIN + 20_000, 10_000, true), BEGIN + 70_000, 30_000, true);
    let monitors: Vec<_> = monitors.iter().map(twice).collect();
    simulation.hear_all(&monitors);
    results.extend(simulation.pass(60_000).await);
    for monitor in &monitors {
        assert_eq!(wrong(monitor, &results, BEGIN + 1, BEGIN + 160_000 - MARGIN_MS), []);
    }
    simulation.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_monitor_paused_while_nobody_held_its_shard_has_a_record_of_its_last_slots() {
    let paused: Vec<_> = old(40, 10_000).iter().map(|monitor| changed(monitor, BEGIN - 15_000, 10_000, false)).collect();
    let mut simulation = Simulation::new(paused.clone());
    // The one before died 40 s ago.
    simulation.take_all(Some(BEGIN - 40_000)).await;
    let results = simulation.pass(30_000).await;
    for monitor in &paused {
        assert_eq!(wrong(monitor, &results, BEGIN - 39_999, BEGIN + 30_000), []);
    }
    assert_eq!(run(&results), Vec::<&CheckResult>::new());
    assert!(results.iter().all(|result| result.slot < BEGIN - 15_000), "nothing is due since");
    assert!(simulation.progress.advanced().iter().all(|(.., until)| *until > BEGIN + 28_000), "nothing is held back");
    simulation.end().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_recorded_while_the_clock_is_off_whatever_is_told() {
    let mut simulation = Simulation::new(old(50, 10_000));
    simulation.take_all(Some(BEGIN)).await;
    let mut results = Vec::new();
    for _ in 0..20 {
        simulation.compare(0);
        results.extend(simulation.pass(1_000).await);
    }
    simulation.tell_all(Command::Pause).await;
    simulation.set_clock(600_000);
    simulation.compare(600_000);
    // Not handed over after all, and changed, too.
    simulation.tell_all(Command::Resume).await;
    let monitors: Vec<_> = old(50, 10_000).iter().map(|monitor| changed(monitor, BEGIN + 18_000, 20_000, true)).collect();
    simulation.hear_all(&monitors);
    results.extend(simulation.pass(15_000).await);
    assert!(results.iter().all(|result| result.slot <= BEGIN + 20_000), "none is of the future");
    simulation.set_clock(-600_000);
    for _ in 0..60 {
        simulation.compare(0);
        results.extend(simulation.pass(1_000).await);
    }
    for monitor in &monitors {
        assert_eq!(wrong(monitor, &results, BEGIN + 1, BEGIN + 95_000 - MARGIN_MS), []);
    }
    simulation.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_run_without_redis_is_not_missed_when_it_returns_with_an_old_progress() {
    let monitors = old(40, 10_000);
    let mut simulation = Simulation::new(monitors.clone());
    // Alone: nobody says what was before.
    simulation.take_all(None).await;
    let mut results = simulation.pass(60_000).await;
    simulation.tell_all(Command::Drop).await;
    simulation.take(2, Some(BEGIN - 90_000)).await;
    results.extend(simulation.pass(40_000).await);
    for monitor in &monitors {
        assert_eq!(wrong(monitor, &results, BEGIN + 1, BEGIN + 100_000 - MARGIN_MS), []);
        let records = records(monitor, &results);
        assert!(due(monitor, BEGIN - 89_999, BEGIN).iter().all(|slot| records.contains_key(slot)), "what nobody ran is missed");
    }
    assert!(missed(&results).iter().all(|result| result.slot <= BEGIN));
    simulation.end().await;
}
