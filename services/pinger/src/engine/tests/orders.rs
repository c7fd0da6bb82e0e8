//! Anything may happen to shards, monitors and the clock, in any order: each slot that was due has one record.

use proptest::prelude::*;

use super::accounts::{changed, due, records};
use super::*;

/// So much of the end is left out: what is due there may still be under way.
const MARGIN_MS: Millis = 40_000;

#[derive(Debug, Clone)]
enum Step {
    Pause,
    Resume,
    /// The lease is lost.
    Lose,
    /// It is acquired (again), with what progress says.
    Take,
    /// Somebody makes a monitor; we hear of it so much later.
    Make {
        interval_ms: Millis,
        late_ms: u64,
    },
    /// A monitor's schedule changes, or it is paused.
    Change {
        which: usize,
        interval_ms: Millis,
        active: bool,
        late_ms: u64,
    },
    /// The process stands still.
    Stall {
        ms: Millis,
    },
    /// The clock was ahead, as were those it is compared with.
    SetBack {
        ms: Millis,
    },
    /// It is off, and the others say so.
    Off {
        by: Millis,
        ms: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let interval = || prop::sample::select(vec![10_000, 20_000, 37_000]);
    let late = || prop::sample::select(vec![0_u64, 0, 9_000, 40_000]);
    prop_oneof![
        2 => Just(Step::Pause),
        3 => Just(Step::Resume),
        1 => Just(Step::Lose),
        2 => Just(Step::Take),
        2 => (interval(), late()).prop_map(|(interval_ms, late_ms)| Step::Make { interval_ms, late_ms }),
        5 => (0..60_usize, interval(), prop::bool::weighted(0.7), late())
            .prop_map(|(which, interval_ms, active, late_ms)| Step::Change { which, interval_ms, active, late_ms }),
        2 => (2_000..40_000_i64).prop_map(|ms| Step::Stall { ms }),
        1 => (2_000..40_000_i64).prop_map(|ms| Step::SetBack { ms }),
        1 => (prop::sample::select(vec![-400_000, -5_000, 5_000, 400_000]), 1_000..30_000_u64).prop_map(|(by, ms)| Step::Off { by, ms }),
    ]
}

/// A stretch of slots of a shard, or of all, that is excused.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    shard: Option<Shard>,
    /// Without the first, with the last.
    after: Millis,
    until: Millis,
}

struct Play {
    simulation: Simulation,
    monitors: Vec<Arc<Monitor>>,
    results: Vec<CheckResult>,
    epoch: u64,
    held: bool,
    /// How far our clock is off.
    off: Millis,
    /// What Redis has, by shard; it never goes back.
    written: Vec<Millis>,
    /// What it had when the shards were taken last.
    taken: Vec<Millis>,
    /// Where a slot may have more than one record: it came twice, or the one before may have run it unseen.
    twice: Vec<Stretch>,
    /// Where it may have none: it was heard of only after a take-over that it lies before, or the clock was set back to before what
    /// is written, and the monitor changed then.
    anothers: Vec<(MonitorId, Stretch)>,
}

impl Play {
    async fn new() -> Self {
        let monitors = old(6, 10_000);
        let simulation = Simulation::new(monitors.clone());
        simulation.take_all(Some(BEGIN)).await;
        let written = vec![BEGIN; usize::from(SHARDS)];
        let (taken, results, twice, anothers) = (written.clone(), Vec::new(), Vec::new(), Vec::new());
        Self { simulation, monitors, results, epoch: 1, held: true, off: 0, written, taken, twice, anothers }
    }

    /// The right time.
    fn now(&self) -> Millis {
        self.simulation.wall.now_ms() - self.off
    }

    async fn pass(&mut self, mut ms: u64) {
        while ms > 0 {
            let part = ms.min(1_500);
            self.simulation.compare(self.off);
            let results = self.simulation.pass(part).await;
            let now = self.now();
            assert!(results.iter().all(|result| result.slot <= now), "a record of the future");
            self.results.extend(results);
            ms -= part;
        }
        for (shard, _, until) in self.simulation.progress.advanced() {
            let written = &mut self.written[usize::from(shard.0)];
            *written = until.max(*written);
        }
    }

    async fn play(&mut self, step: Step) {
        match step {
            Step::Pause if self.held => self.simulation.tell_all(Command::Pause).await,
            Step::Resume if self.held => self.simulation.tell_all(Command::Resume).await,
            Step::Lose if self.held => {
                self.simulation.tell_all(Command::Drop).await;
                self.held = false;
            }
            Step::Take if !self.held => self.take().await,
            Step::Make { interval_ms, late_ms } => {
                let id = 100 + self.monitors.len();
                let made = monitor(u128::try_from(id).expect("small"), interval_ms, self.now(), 1);
                self.monitors.push(Arc::clone(&made));
                self.hear(&made, late_ms).await;
            }
            Step::Change { which, interval_ms, active, late_ms } => {
                let known = &self.monitors[which % self.monitors.len()];
                let now = self.now();
                // Not before the last change, where the clock was set back.
                if known.segments.iter().all(|segment| segment.from < now) {
                    let next = changed(known, now, interval_ms, active);
                    *self.monitors.iter_mut().find(|monitor| monitor.id == next.id).expect("it is there") = Arc::clone(&next);
                    self.hear(&next, late_ms).await;
                }
            }
            Step::Stall { ms } => self.simulation.set_clock(ms),
            Step::SetBack { ms } => {
                let before = self.now();
                self.simulation.set_clock(-ms);
                self.twice.push(Stretch { shard: None, after: before - ms, until: before });
            }
            Step::Off { by, ms } => {
                self.off = by;
                self.simulation.set_clock(by);
                self.pass(ms).await;
                self.off = 0;
                self.simulation.set_clock(-by);
            }
            Step::Pause | Step::Resume | Step::Lose | Step::Take => {}
        }
    }

    async fn take(&mut self) {
        self.epoch += 1;
        self.held = true;
        self.taken.clone_from(&self.written);
        let (now, epoch) = (self.now(), self.epoch);
        let shards = (0..SHARDS).map(Shard).zip(self.written.iter().copied());
        self.twice.extend(shards.clone().map(|(shard, after)| Stretch { shard: Some(shard), after, until: now }));
        let all = shards.map(|(shard, progress)| Acquired { shard, epoch, progress: Some(progress) }).collect();
        self.simulation.commands.send(Command::Take(all)).await.expect("the engine runs");
    }

    async fn hear(&mut self, monitor: &Arc<Monitor>, late_ms: u64) {
        let after = monitor.segments.last().expect("one").from - 1;
        let shard = usize::from(shard_of(monitor.id).0);
        let written = self.written[shard];
        self.pass(late_ms).await;
        let taken = if self.held { self.taken[shard] } else { self.written[shard] };
        self.anothers.push((monitor.id, Stretch { shard: None, after, until: written.max(taken) }));
        self.simulation.hear(monitor);
    }

    fn judge(&self) {
        let end = self.now() - MARGIN_MS;
        for monitor in &self.monitors {
            let records = records(monitor, &self.results);
            let within = |stretch: &Stretch, slot: Slot| {
                stretch.shard.is_none_or(|shard| shard == shard_of(monitor.id)) && slot > stretch.after && slot <= stretch.until
            };
            for slot in due(monitor, BEGIN + 1, end) {
                let count = records.get(&slot).copied().unwrap_or_default();
                let excused = self.anothers.iter().any(|(id, stretch)| *id == monitor.id && within(stretch, slot));
                assert!(count > 0 || excused, "{slot} has no record: {:?}", monitor.segments);
                assert!(count < 2 || self.twice.iter().any(|stretch| within(stretch, slot)), "{slot} has {count}: {:?}", monitor.segments);
            }
            let made = monitor.segments[0].from;
            let missed = missed(&self.results).into_iter().filter(|result| result.monitor == monitor.id);
            assert!(missed.into_iter().all(|result| result.slot >= made), "missed before it was made");
        }
        let advanced = self.simulation.progress.advanced();
        assert!(advanced.iter().all(|(.., until)| *until >= self.now() - 2_000), "something is never closed: {advanced:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_slot_has_one_record_whatever_happens(steps in prop::collection::vec((step(), 1..20_000_u64), 1..14)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
        runtime.block_on(async {
            let mut play = Play::new().await;
            play.pass(1_000).await;
            for (step, then_ms) in steps {
                play.play(step).await;
                play.pass(then_ms).await;
            }
            play.play(Step::Resume).await;
            play.play(Step::Take).await;
            play.pass(70_000).await;
            play.judge();
            play.simulation.end().await;
        });
    }
}
