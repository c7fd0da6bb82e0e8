//! Simulated hours: time stands still but for the timers, and the targets are of the kind that is
//! refused without a packet, so every check ends at once.

mod accounts;
mod backlog;
mod orders;
mod panics;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, Ordering};

use egress::{Egress, EgressConfig};
use kafka::{KafkaConfig, Producer};
use model::schedule::shard_of;
use model::{Cause, CheckResult, MonitorId, Outcome, Schedule, ScheduleSegment, WorkspaceId};
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::probe::Pings;
use crate::spool::{Sender, Spool};

/// The start of every simulation, Unix ms.
const BEGIN: Millis = 1_700_000_000_000;

/// Never sends: the results go to the tests. One for all, as it takes a while to end.
static PRODUCER: LazyLock<Producer> = LazyLock::new(|| Producer::new(&KafkaConfig::new("127.0.0.1:1", "test")).expect("a producer"));

/// The wall clock: tokio's, and what it was set by.
#[derive(Clone)]
struct Wall {
    began: Instant,
    set_by: Arc<AtomicI64>,
}

impl Clock for Wall {
    fn now_ms(&self) -> Millis {
        BEGIN + i64::try_from(self.began.elapsed().as_millis()).expect("small") + self.set_by.load(Ordering::SeqCst)
    }
}

struct Listed {
    monitors: Vec<Arc<Monitor>>,
    changes: mpsc::UnboundedReceiver<Change>,
}

impl Source for Listed {
    fn monitors(&self) -> Arc<[Arc<Monitor>]> {
        self.monitors.clone().into()
    }

    async fn next(&mut self) -> Option<Change> {
        self.changes.recv().await
    }
}

/// A running engine.
struct Simulation {
    wall: Wall,
    progress: Arc<Progress>,
    reference: Arc<Reference>,
    commands: mpsc::Sender<Command>,
    changes: mpsc::UnboundedSender<Change>,
    results: mpsc::UnboundedReceiver<CheckResult>,
    stop: CancellationToken,
    engine: tokio::task::JoinHandle<()>,
    _spool: tempfile::TempDir,
}

fn monitor(n: u128, interval_ms: Millis, from: Millis, revision: i64) -> Arc<Monitor> {
    let spec = json!({"name": "m", "interval_seconds": interval_ms / 1000, "timeout_ms": 1000, "regions": ["local"],
        "probe": {"kind": "tcp", "host": "10.0.0.1", "port": 1}});
    let spec: model::MonitorSpec = serde_json::from_value(spec).expect("a spec");
    let segments = vec![ScheduleSegment { from, interval_ms, regions: spec.regions.clone(), active: true }];
    let (id, workspace) = (MonitorId(Uuid::from_u128(n)), WorkspaceId(Uuid::nil()));
    Arc::new(Monitor { id, workspace, revision, created_at: from, updated_at: from, spec, segments })
}

/// Monitors that exist since long ago.
fn old(count: u128, interval_ms: Millis) -> Vec<Arc<Monitor>> {
    (0..count).map(|n| monitor(n, interval_ms, BEGIN - 86_400_000, 1)).collect()
}

fn region() -> Region {
    "local".parse().expect("a region")
}

/// An engine that does not run, with what it works on.
struct Parts {
    wall: Wall,
    progress: Arc<Progress>,
    reference: Arc<Reference>,
    results: mpsc::UnboundedReceiver<CheckResult>,
    engine: Engine,
    missed: missed::Reports,
    spool: tempfile::TempDir,
}

impl Parts {
    fn new() -> Self {
        let limits = Limits { concurrency: 100_000, host_concurrency: 100_000 };
        Self::of(limits, &EgressConfig::default(), Arc::clone)
    }

    /// `clock_of_probes` makes what probes go by of the wall clock.
    fn of(limits: Limits, egress: &EgressConfig, clock_of_probes: impl Fn(&Arc<dyn Clock>) -> Arc<dyn Clock>) -> Self {
        let wall = Wall { began: Instant::now(), set_by: Arc::default() };
        let clock: Arc<dyn Clock> = Arc::new(wall.clone());
        let metrics = Metrics::register(&prometheus::Registry::new()).expect("metrics");
        let progress = Arc::new(Progress::default());
        let producer = PRODUCER.clone();
        let spool_dir = tempfile::tempdir().expect("a directory");
        let sender = Sender { producer: producer.clone(), topic: "t".into(), region: region(), pinger: "p".to_owned() };
        let (spool, _) = Spool::open(spool_dir.path(), 1 << 30, sender, Arc::clone(&progress), metrics.clone()).expect("a spool");
        let (seen, results) = mpsc::unbounded_channel();
        let (reporter, _) = Reporter::new("t", producer, spool, Arc::clone(&progress), metrics.clone());
        let egress = Egress::new(egress).expect("egress");
        let sight = Sight::new(egress.clone(), Vec::new(), Arc::clone(&clock), metrics.clone());
        let reference = Arc::new(Reference::new(metrics.clone()));
        let tools = Tools {
            prober: Prober { egress, pings: Arc::new(Pings::default()), clock: clock_of_probes(&clock) },
            reporter: reporter.observed(seen),
            region: region(),
            pinger: "p".to_owned(),
            confirm: Confirm::default(),
            reference: Arc::clone(&reference),
            metrics,
            clock,
            sight,
        };
        let (engine, missed) = Engine::new(tools, Arc::clone(&progress), limits);
        Self { wall, progress, reference, results, engine, missed, spool: spool_dir }
    }
}

/// All shards are taken.
fn all_shards(epoch: u64, progress: Option<Millis>) -> Command {
    Command::Take((0..SHARDS).map(|shard| Acquired { shard: Shard(shard), epoch, progress }).collect())
}

impl Simulation {
    fn new(monitors: Vec<Arc<Monitor>>) -> Self {
        Self::of(Parts::new(), monitors)
    }

    fn of(parts: Parts, monitors: Vec<Arc<Monitor>>) -> Self {
        let Parts { wall, progress, reference, results, engine, missed, spool } = parts;
        let (commands, heard) = mpsc::channel(256);
        let (changes, changed_monitors) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        tokio::spawn(missed.run());
        let engine = tokio::spawn(engine.run(Listed { monitors, changes: changed_monitors }, heard, stop.clone()));
        Self { wall, progress, reference, commands, changes, results, stop, engine, _spool: spool }
    }

    async fn take_all(&self, progress: Option<Millis>) {
        self.take(1, progress).await;
    }

    async fn take(&self, epoch: u64, progress: Option<Millis>) {
        self.commands.send(all_shards(epoch, progress)).await.expect("the engine runs");
    }

    /// Lets simulated time pass; answers the results of it, closing their slots as Kafka's acks would.
    async fn pass(&mut self, ms: u64) -> Vec<CheckResult> {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        let mut results = Vec::new();
        while let Ok(result) = self.results.try_recv() {
            self.progress.close(shard_of(result.monitor), result.epoch, result.slot);
            results.push(result);
        }
        results
    }

    async fn end(self) {
        self.stop.cancel();
        self.engine.await.expect("the engine ends");
    }
}

fn run(results: &[CheckResult]) -> Vec<&CheckResult> {
    results.iter().filter(|result| result.outcome != Outcome::Missed).collect()
}

fn missed(results: &[CheckResult]) -> Vec<&CheckResult> {
    results.iter().filter(|result| result.outcome == Outcome::Missed).collect()
}

fn per_monitor(results: &[&CheckResult]) -> BTreeMap<MonitorId, Vec<Slot>> {
    let mut slots = BTreeMap::<_, Vec<_>>::new();
    for result in results {
        slots.entry(result.monitor).or_default().push(result.slot);
    }
    slots
}

#[tokio::test(start_paused = true)]
async fn every_slot_of_an_hour_runs_once_and_on_time() {
    let monitors: Vec<_> = (0..60)
        .map(|n| monitor(n, [10_000, 37_000, 60_000, 600_000][usize::try_from(n % 4).expect("small")], BEGIN - 86_400_000, 1))
        .collect();
    let mut simulation = Simulation::new(monitors.clone());
    simulation.take_all(Some(BEGIN)).await;
    let results = simulation.pass(3_600_000).await;
    for result in &results {
        assert!((0..=2).contains(&(result.started_at - result.slot)), "{} ms late", result.started_at - result.slot);
    }
    let found = per_monitor(&run(&results));
    for monitor in monitors {
        let schedule = Schedule::new(monitor.id, &region(), i64::from(monitor.spec.interval_seconds) * 1000);
        let expected: Vec<Slot> = schedule.slots(BEGIN + 1, BEGIN + 3_600_000).collect();
        assert_eq!(found.get(&monitor.id).cloned().unwrap_or_default(), expected);
    }
    let advanced = simulation.progress.advanced();
    assert_eq!(advanced.len(), usize::from(SHARDS));
    assert!(advanced.iter().all(|(.., until)| *until >= BEGIN + 3_598_000), "{advanced:?}");
    simulation.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_start_without_memory_checks_all_within_an_interval_and_without_a_rush() {
    let count = 30_000;
    let mut simulation = Simulation::new(old(count, 60_000));
    simulation.take_all(None).await;
    let results = simulation.pass(62_000).await;
    let run = run(&results);
    assert_eq!(per_monitor(&run).len(), usize::try_from(count).expect("small"), "all are checked once");
    let mut seconds = BTreeMap::<i64, usize>::new();
    for result in &run {
        *seconds.entry((result.started_at - BEGIN) / 1000).or_default() += 1;
    }
    // 500 per second are usual; chance makes single seconds vary by a tenth.
    let peak = seconds.values().max().copied().unwrap_or_default();
    assert!(peak <= 500 * 13 / 10, "{peak} checks in one second");
    simulation.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_take_over_runs_the_newest_slot_and_accounts_for_the_others() {
    let mut simulation = Simulation::new(old(20, 10_000));
    simulation.take_all(Some(BEGIN - 35_000)).await;
    let results = simulation.pass(5_000).await;
    let found = per_monitor(&results.iter().collect::<Vec<_>>());
    for monitor in old(20, 10_000) {
        let schedule = Schedule::new(monitor.id, &region(), 10_000);
        let mut slots = found.get(&monitor.id).cloned().unwrap_or_default();
        slots.sort_unstable();
        slots.dedup();
        let expected: Vec<Slot> = schedule.slots(BEGIN - 34_999, BEGIN + 4_999).collect();
        assert_eq!(slots, expected, "each slot since the last progress has a record");
        let newest = schedule.at_or_before(BEGIN);
        let made_up: Vec<Slot> =
            run(&results).iter().filter(|one| one.monitor == monitor.id && one.slot <= BEGIN).map(|one| one.slot).collect();
        // Not worth it where the next slot is about to come.
        let expected = if newest + 10_000 > BEGIN + 500 { vec![newest] } else { Vec::new() };
        assert_eq!(made_up, expected);
    }
    assert!(missed(&results).iter().all(|result| result.cause == Some(Cause::NotRun) && result.attempts == 0));
    let advanced = simulation.progress.advanced();
    assert!(advanced.iter().all(|(.., until)| *until > BEGIN), "{advanced:?}");
    simulation.end().await;
}

#[tokio::test(start_paused = true)]
async fn progress_waits_for_what_is_not_on_the_log() {
    let mut simulation = Simulation::new(old(5, 10_000));
    simulation.take_all(Some(BEGIN)).await;
    // Results come and nobody closes their slots.
    tokio::time::sleep(Duration::from_secs(30)).await;
    let first =
        (0..5_u128).map(|n| Schedule::new(MonitorId(Uuid::from_u128(n)), &region(), 10_000).at_or_after(BEGIN + 1)).min().expect("five");
    let held_back: Vec<_> = simulation.progress.advanced().into_iter().filter(|(.., until)| *until < BEGIN + 20_000).collect();
    assert!(!held_back.is_empty() && held_back.iter().all(|(.., until)| *until >= first - 1000));
    simulation.pass(1).await;
    assert!(simulation.progress.advanced().iter().all(|(.., until)| *until >= BEGIN + 29_000));
    simulation.end().await;
}

#[tokio::test(start_paused = true)]
async fn after_a_stall_each_monitor_is_made_up_for_at_most_once() {
    let mut simulation = Simulation::new(old(200, 20_000));
    simulation.take_all(Some(BEGIN)).await;
    simulation.pass(60_000).await;
    // The process is stopped for 50 s: the wall clock goes on, no timer fires.
    simulation.wall.set_by.fetch_add(50_000, Ordering::SeqCst);
    let stalled = simulation.wall.now_ms();
    let results = simulation.pass(22_000).await;
    let made_up = per_monitor(&run(&results).into_iter().filter(|result| result.slot <= stalled).collect::<Vec<_>>());
    assert!(made_up.values().all(|slots| slots.len() == 1), "{made_up:?}");
    let again = per_monitor(&run(&results));
    assert_eq!(again.len(), 200, "every monitor runs again within one interval");
    for monitor in old(200, 20_000) {
        let schedule = Schedule::new(monitor.id, &region(), 20_000);
        for slot in schedule.slots(stalled - 49_000, stalled) {
            assert!(results.iter().any(|result| result.monitor == monitor.id && result.slot == slot), "a slot of the stall has no record");
        }
    }
    simulation.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_back_is_followed() {
    let mut simulation = Simulation::new(old(50, 10_000));
    simulation.take_all(Some(BEGIN)).await;
    simulation.pass(60_000).await;
    simulation.wall.set_by.fetch_sub(600_000, Ordering::SeqCst);
    let set = simulation.wall.now_ms();
    let results = simulation.pass(21_000).await;
    let found = per_monitor(&run(&results));
    assert_eq!(found.len(), 50);
    for (monitor, slots) in found {
        let schedule = Schedule::new(monitor, &region(), 10_000);
        assert!(slots.iter().all(|slot| schedule.contains(*slot)));
        assert!(slots.iter().filter(|slot| **slot > set && **slot < set + 20_000).count() >= 1, "{slots:?}");
    }
    simulation.end().await;
}

#[tokio::test(start_paused = true)]
async fn changes_are_followed_without_a_second_run_of_a_slot() {
    let mut simulation = Simulation::new(Vec::new());
    simulation.take_all(None).await;
    simulation.pass(5_000).await;
    let now = simulation.wall.now_ms();
    let send = |simulation: &Simulation, change| simulation.changes.send(change).expect("the engine runs");

    send(&simulation, Change::Upserted(monitor(1, 10_000, now, 1)));
    let created = simulation.pass(500).await;
    assert_eq!(created.len(), 1, "checked at once");
    assert!(created[0].slot <= now && created[0].started_at - now < 500);

    // Another name, same schedule: nothing runs twice.
    send(&simulation, Change::Upserted(monitor(1, 10_000, now, 2)));
    let results = simulation.pass(30_000).await;
    let slots: Vec<Slot> = results.iter().map(|result| result.slot).collect();
    assert_eq!(slots.len(), 3);
    assert!(slots.is_sorted() && slots[0] > created[0].slot && results.iter().all(|result| result.revision == 2));

    // An older revision changes nothing; another interval does.
    send(&simulation, Change::Upserted(monitor(1, 60_000, now, 1)));
    assert_eq!(simulation.pass(10_000).await.len(), 1);
    let changed = simulation.wall.now_ms();
    send(&simulation, Change::Upserted(monitor(1, 60_000, changed, 3)));
    let results = simulation.pass(61_000).await;
    assert_eq!(results.iter().filter(|result| result.slot > changed).count(), 1);

    send(&simulation, Change::Deleted { id: MonitorId(Uuid::from_u128(1)), revision: 4 });
    assert_eq!(simulation.pass(120_000).await, []);
    simulation.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_is_given_up_is_not_checked_and_taken_back_not_doubled() {
    let mut simulation = Simulation::new(old(40, 10_000));
    simulation.take_all(Some(BEGIN)).await;
    simulation.pass(20_000).await;
    for shard in (0..SHARDS).map(Shard) {
        simulation.commands.send(Command::Pause(shard)).await.expect("the engine runs");
        simulation.commands.send(Command::Drop(shard)).await.expect("the engine runs");
    }
    assert_eq!(simulation.pass(30_000).await, []);
    let now = simulation.wall.now_ms();
    simulation.take(2, Some(now - 1)).await;
    let results = simulation.pass(30_000).await;
    let found = per_monitor(&run(&results));
    assert_eq!(found.len(), 40);
    for slots in found.values() {
        assert_eq!(slots.len(), 3, "{slots:?}");
    }
    assert!(results.iter().all(|result| result.epoch == 2));
    simulation.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_monitor_that_is_gone_holds_no_progress_back() {
    let mut simulation = Simulation::new(old(2_000, 60_000));
    // Made up for at a pace: most still wait when their monitors go.
    simulation.take_all(Some(BEGIN - 60_000)).await;
    simulation.pass(1_000).await;
    for n in 0..2_000 {
        simulation.changes.send(Change::Deleted { id: MonitorId(Uuid::from_u128(n)), revision: 2 }).expect("the engine runs");
    }
    simulation.pass(60_000).await;
    let advanced = simulation.progress.advanced();
    assert_eq!(advanced.len(), usize::from(SHARDS));
    assert!(advanced.iter().all(|(.., until)| *until > BEGIN + 55_000), "{advanced:?}");
    simulation.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_back_forgets_no_slot_that_was_to_be_made_up_for() {
    let mut simulation = Simulation::new(old(2_000, 60_000));
    simulation.take_all(Some(BEGIN - 60_000)).await;
    let mut results = simulation.pass(1_000).await;
    simulation.wall.set_by.fetch_sub(30_000, Ordering::SeqCst);
    // What lies ahead by now comes again.
    results.extend(simulation.pass(35_000).await);
    for monitor in old(2_000, 60_000) {
        let newest = Schedule::new(monitor.id, &region(), 60_000).at_or_before(BEGIN);
        assert!(results.iter().any(|result| result.monitor == monitor.id && result.slot == newest), "a slot has no record");
    }
    simulation.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_take_over_accounts_for_the_slots_of_an_earlier_schedule() {
    // Every 10 s until 20 s ago, every 60 s since.
    let (changed, progress) = (BEGIN - 20_000, BEGIN - 50_000);
    let mut monitor = Arc::unwrap_or_clone(monitor(7, 60_000, changed, 2));
    monitor.segments.insert(0, ScheduleSegment { from: BEGIN - 86_400_000, interval_ms: 10_000, ..monitor.segments[0].clone() });
    let mut simulation = Simulation::new(vec![Arc::new(monitor)]);
    simulation.take_all(Some(progress)).await;
    let results = simulation.pass(2_000).await;
    let earlier: Vec<Slot> = Schedule::new(MonitorId(Uuid::from_u128(7)), &region(), 10_000).slots(progress + 1, changed).collect();
    let mut found: Vec<Slot> = missed(&results).iter().map(|result| result.slot).filter(|slot| *slot < changed).collect();
    found.sort_unstable();
    assert_eq!(found, earlier);
    simulation.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_monitor_heard_of_late_has_a_record_of_each_slot_since_it_was_made() {
    let mut simulation = Simulation::new(Vec::new());
    simulation.take_all(None).await;
    simulation.pass(30_000).await;
    let (now, made) = (simulation.wall.now_ms(), simulation.wall.now_ms() - 25_000);
    simulation.changes.send(Change::Upserted(monitor(1, 5_000, made, 1))).expect("the engine runs");
    let results = simulation.pass(1).await;
    let expected: Vec<Slot> = Schedule::new(MonitorId(Uuid::from_u128(1)), &region(), 5_000).slots(made, now + 1).collect();
    let mut found: Vec<Slot> = results.iter().map(|result| result.slot).collect();
    found.extend(simulation.pass(500).await.iter().map(|result| result.slot).filter(|slot| *slot <= now));
    found.sort_unstable();
    found.dedup();
    assert_eq!(found, expected);
    simulation.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_schedule_heard_of_very_late_has_a_record_of_each_slot_since_the_shard_is_ours() {
    let mut simulation = Simulation::new(old(1, 20_000));
    simulation.take_all(None).await;
    let taken = simulation.wall.now_ms();
    let mut results = simulation.pass(300_000).await;
    // Made long before the shard was ours, and heard of only now.
    simulation.changes.send(Change::Upserted(monitor(0, 10_000, BEGIN - 600_000, 2))).expect("the engine runs");
    let now = simulation.wall.now_ms();
    results.extend(simulation.pass(9_000).await);
    let found: Vec<Slot> = results.iter().map(|result| result.slot).filter(|slot| *slot <= now).collect();
    let schedule = Schedule::new(MonitorId(Uuid::from_u128(0)), &region(), 10_000);
    for slot in schedule.slots(taken, now) {
        assert!(found.contains(&slot), "a slot has no record");
    }
    assert!(missed(&results).iter().all(|result| result.slot >= taken), "what others ran before is theirs");
    simulation.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_is_not_handed_over_after_all_goes_on_without_a_hole() {
    let mut simulation = Simulation::new(old(200, 5_000));
    simulation.take_all(Some(BEGIN)).await;
    let mut results = simulation.pass(20_000).await;
    for shard in (0..SHARDS).map(Shard) {
        simulation.commands.send(Command::Pause(shard)).await.expect("the engine runs");
    }
    let paused = simulation.pass(7_000).await;
    assert!(paused.len() < 5, "{} checks", paused.len());
    simulation.changes.send(Change::Upserted(monitor(1_000, 5_000, simulation.wall.now_ms(), 1))).expect("the engine runs");
    results.extend(paused);
    results.extend(simulation.pass(500).await);
    for shard in (0..SHARDS).map(Shard) {
        simulation.commands.send(Command::Resume(shard)).await.expect("the engine runs");
    }
    results.extend(simulation.pass(20_000).await);
    let found = per_monitor(&results.iter().collect::<Vec<_>>());
    for monitor in old(200, 5_000) {
        let expected: Vec<Slot> = Schedule::new(monitor.id, &region(), 5_000).slots(BEGIN + 1, BEGIN + 47_000).collect();
        let mut slots = found.get(&monitor.id).cloned().unwrap_or_default();
        slots.retain(|slot| *slot < BEGIN + 47_000);
        slots.sort_unstable();
        assert_eq!(slots, expected);
    }
    assert!(found.get(&MonitorId(Uuid::from_u128(1_000))).is_some_and(|slots| slots.len() >= 3), "what came meanwhile is checked, too");
    assert!(simulation.progress.advanced().iter().all(|(.., until)| *until >= BEGIN + 46_000));
    simulation.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_new_monitor_shortly_before_its_slot_misses_none_from_before_it_was_made() {
    let mut simulation = Simulation::new(Vec::new());
    simulation.take_all(None).await;
    simulation.pass(30_000).await;
    let schedule = Schedule::new(MonitorId(Uuid::from_u128(1)), &region(), 10_000);
    let next = schedule.after(simulation.wall.now_ms() + 1_000);
    simulation.pass((next - 200 - simulation.wall.now_ms()).unsigned_abs()).await;
    simulation.changes.send(Change::Upserted(monitor(1, 10_000, simulation.wall.now_ms(), 1))).expect("the engine runs");
    let results = simulation.pass(1_000).await;
    assert_eq!(results.iter().map(|result| (result.slot, result.outcome == Outcome::Missed)).collect::<Vec<_>>(), [(next, false)]);
    simulation.pass(2_000).await;
    assert!(simulation.progress.advanced().iter().all(|(.., until)| *until > next), "nothing is held back");
    simulation.end().await;
}
