//! The heart: what is due on the shards held, run on time. One task owns all of it; checks are tasks
//! of their own only while they run.

mod admission;
mod dispatch;
mod due;
mod missed;
mod overdue;
mod table;
#[cfg(test)]
mod tests;
mod timeline;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use cache::Acquired;
use directory::Change;
use futures::FutureExt as _;
use model::schedule::SHARDS;
use model::{Clock, Millis, Monitor, Region, Shard, Slot};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::check::Confirm;
use crate::metrics::Metrics;
use crate::probe::Prober;
use crate::progress::Progress;
use crate::reference::Reference;
use crate::report::Reporter;
use crate::sight::Sight;
use crate::source::Source;
use admission::Admission;
use table::{Table, Update};
use timeline::{Pace, Timeline};

/// Changes of monitors taken in between two looks at what is due.
const CHANGES_AT_ONCE: usize = 64;
/// Slots that may wait for room.
const MOST_WAITING: usize = 50_000;
/// The wall clock is looked at this often even if nothing is due: it may have been set.
const LOOK: Duration = Duration::from_secs(1);
/// A step of the wall clock back by more than this is followed.
const STEP_MS: Millis = 1_000;

/// A change of the shards held, told by the lease loop.
#[derive(Debug)]
pub enum Command {
    Take(Vec<Acquired>),
    /// Nothing more is opened; what is open is still run, and counts for it.
    Pause(Shard),
    /// Not handed over after all: what came due meanwhile is made up for.
    Resume(Shard),
    Drop(Shard),
}

/// What all checks share.
pub struct Tools {
    pub prober: Prober,
    pub reporter: Reporter,
    pub region: Region,
    /// Names this pinger in results.
    pub pinger: String,
    pub confirm: Confirm,
    pub metrics: Metrics,
    pub clock: Arc<dyn Clock>,
    pub sight: Sight,
    pub reference: Arc<Reference>,
}

/// A check that ended.
#[derive(Debug, Clone, Copy)]
struct Done {
    index: u32,
    generation: u32,
    slot: Slot,
    host: u64,
    up: bool,
}

/// A shard that is ours.
#[derive(Debug, Clone, Copy)]
struct Held {
    epoch: u64,
    /// Slots from here on are ours.
    from: Millis,
    /// The table's when it was taken: what was queued later was opened under this epoch.
    generation: u32,
    /// On its way to another pinger: nothing more is opened.
    paused: bool,
}

impl Held {
    /// Whether something queued under this generation was opened since the shard was taken.
    fn opened(&self, generation: u32) -> bool {
        // Generations wrap.
        generation.wrapping_sub(self.generation).cast_signed() > 0
    }
}

/// Limits of [`Engine`].
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub concurrency: usize,
    pub host_concurrency: usize,
}

/// See the module.
pub struct Engine {
    tools: Arc<Tools>,
    progress: Arc<Progress>,
    table: Table,
    timeline: Timeline,
    /// Of what is made up for, and of the first checks of new monitors.
    pace: Pace,
    first_pace: Pace,
    admission: Admission,
    /// By shard.
    held: Vec<Option<Held>>,
    /// Of shards held before: from where to where we ran them, with all of it on the log.
    ran: BTreeMap<Shard, (Millis, Millis)>,
    done: mpsc::UnboundedReceiver<Done>,
    done_sender: mpsc::UnboundedSender<Done>,
    missed: mpsc::Sender<Vec<missed::Missed>>,
    /// Missed slots not handed over yet.
    unreported: Vec<missed::Missed>,
    /// Checks per second over all shards held.
    rate: f64,
    /// Wall clock and monotonic clock when last compared.
    last_look: (Millis, Instant),
    /// The wall clock was set back, which is followed once it is right.
    set_back: bool,
    seen: Millis,
}

impl Engine {
    /// An engine, and the task that reports missed slots.
    pub fn new(tools: Tools, progress: Arc<Progress>, limits: Limits) -> (Self, missed::Reports) {
        let tools = Arc::new(tools);
        // At most one message per running check: bounded by admission.
        let (done_sender, done) = mpsc::unbounded_channel();
        let (missed, reports) = mpsc::channel(missed::MESSAGES);
        let now = tools.clock.now_ms();
        let engine = Self {
            table: Table::new(tools.region.clone()),
            timeline: Timeline::default(),
            pace: Pace::default(),
            first_pace: Pace::default(),
            admission: Admission::new(limits.concurrency, limits.host_concurrency, MOST_WAITING),
            held: (0..SHARDS).map(|_| None).collect(),
            ran: BTreeMap::new(),
            done,
            done_sender,
            missed,
            unreported: Vec::new(),
            rate: 0.0,
            last_look: (now, Instant::now()),
            set_back: false,
            seen: now,
            progress,
            tools: Arc::clone(&tools),
        };
        (engine, missed::Reports::new(reports, tools))
    }

    /// Runs until `stop`, then until the checks under way have ended.
    pub async fn run(mut self, mut source: impl Source, mut commands: mpsc::Receiver<Command>, stop: CancellationToken) {
        self.load(&source.monitors());
        self.count();
        let timer = tokio::time::sleep(Duration::ZERO);
        tokio::pin!(timer);
        let mut commands_open = true;
        loop {
            let now = self.look();
            while let Ok(done) = self.done.try_recv() {
                self.finished(&done);
            }
            // With a clock that is off every slot would be a wrong one.
            let off = self.tools.reference.is_off(now);
            if !off {
                self.run_due(now);
                self.run_waiting(now);
            }
            self.hand_over_missed();
            timer.as_mut().reset(Instant::now() + if off { LOOK } else { self.pause() });
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                command = commands.recv(), if commands_open => match command {
                    Some(command) => {
                        self.command(&command);
                        while let Ok(command) = commands.try_recv() {
                            self.command(&command);
                        }
                    }
                    None => commands_open = false,
                },
                // Before what is due, which every turn looks at anyway: there is always something due.
                change = source.next() => match change {
                    Some(change) => self.changes(change, &mut source),
                    None => break,
                },
                // Thousands a second, and every turn takes them in anyway: only what waits for their place cannot wait for the next.
                Some(done) = self.done.recv(), if self.admission.waiting() > 0 => self.finished(&done),
                () = &mut timer => {}
            }
        }
        self.finish(commands, commands_open).await;
    }

    /// Nothing new begins; what runs may end. Shards are given up meanwhile, so that others go on.
    async fn finish(&mut self, mut commands: mpsc::Receiver<Command>, mut commands_open: bool) {
        while self.admission.running() > 0 {
            tokio::select! {
                Some(done) = self.done.recv() => self.finished(&done),
                command = commands.recv(), if commands_open => match command {
                    Some(command) => self.command(&command),
                    None => commands_open = false,
                },
            }
        }
        // Fails only where the task that reports them is gone.
        let _ = self.missed.send(std::mem::take(&mut self.unreported)).await;
    }

    /// Until the next slot, and not longer than the clock may go unwatched.
    fn pause(&self) -> Duration {
        let Some(next) = self.timeline.next_at() else { return LOOK };
        let wait = (next - self.tools.clock.now_ms()).max(0);
        Duration::from_millis(wait.unsigned_abs()).min(LOOK)
    }

    /// The wall clock's instant; follows it where it was set back.
    fn look(&mut self) -> Millis {
        let (now, instant) = (self.tools.clock.now_ms(), Instant::now());
        let (wall, monotonic) = self.last_look;
        let passed = i64::try_from(instant.duration_since(monotonic).as_millis()).unwrap_or(i64::MAX);
        self.last_look = (now, instant);
        let step = now - wall - passed;
        if step.abs() > STEP_MS {
            tracing::warn!(step_ms = step, "the wall clock was set; following it");
            self.tools.metrics.clock_steps.inc();
            self.pace.reset();
            self.first_pace.reset();
            self.set_back |= step < 0;
        }
        if self.set_back && !self.tools.reference.is_off(now) {
            self.set_back = false;
            self.follow_back(now);
        }
        now
    }

    fn load(&mut self, monitors: &[Arc<Monitor>]) {
        let known: HashSet<_> = monitors.iter().map(|monitor| monitor.id).collect();
        let gone: Vec<_> = self.table.ids().filter(|id| !known.contains(id)).collect();
        for id in gone {
            self.table.remove(id);
        }
        for monitor in monitors {
            self.upsert(monitor);
        }
    }

    /// What changed, as far as it is known already; not for so long that checks are late.
    fn changes(&mut self, first: Change, source: &mut impl Source) {
        let (mut next, mut room) = (Some(first), CHANGES_AT_ONCE);
        while let Some(change) = next {
            match change {
                Change::Upserted(monitor) => self.upsert(&monitor),
                Change::Deleted { id, .. } => self.table.remove(id),
                Change::Everything => self.load(&source.monitors()),
            }
            room -= 1;
            next = if room > 0 { source.next().now_or_never().flatten() } else { None };
        }
        self.count();
    }

    fn upsert(&mut self, monitor: &Arc<Monitor>) {
        let now = self.tools.clock.now_ms();
        match self.table.upsert(monitor) {
            Update::New(index) => self.schedule_new(index, now),
            Update::Changed(index, before) => self.reschedule(index, &before, now),
            Update::Keep => {}
        }
    }

    fn command(&mut self, command: &Command) {
        let now = self.tools.clock.now_ms();
        match command {
            Command::Take(taken) => {
                let generation = self.table.generation();
                for Acquired { shard, epoch, progress } in taken {
                    let from = progress.map_or(now, |progress| progress + 1);
                    self.hold(*shard, Some(Held { epoch: *epoch, from, generation, paused: false }));
                    self.progress.begin(*shard, *epoch);
                }
                self.take_over(taken, now);
            }
            Command::Pause(shard) => {
                self.progress.pause(*shard);
                self.hold(*shard, self.held_of(*shard).map(|held| Held { paused: true, ..held }));
            }
            Command::Resume(shard) => {
                self.progress.resume(*shard);
                self.hold(*shard, self.held_of(*shard).map(|held| Held { paused: false, ..held }));
                self.go_on(*shard, now);
            }
            Command::Drop(shard) => {
                if let (Some(held), Some(until)) = (self.held_of(*shard), self.progress.until(*shard)) {
                    self.ran.insert(*shard, (held.from, until));
                }
                self.hold(*shard, None);
                self.progress.end(*shard);
                // What is queued for it is outdated, so that it does not run after a later take-over.
                for index in self.table.of_shard(*shard) {
                    self.table.outdate(index);
                }
            }
        }
        self.count();
    }

    fn hold(&mut self, shard: Shard, held: Option<Held>) {
        if let Some(place) = self.held.get_mut(usize::from(shard.0)) {
            *place = held;
        }
    }

    fn held_of(&self, shard: Shard) -> Option<Held> {
        self.held.get(usize::from(shard.0)).copied().flatten()
    }

    fn holds(&self, shard: Shard) -> bool {
        self.held_of(shard).is_some_and(|held| !held.paused)
    }

    /// Of a shard held, or on its way to another pinger.
    fn epoch(&self, shard: Shard) -> Option<u64> {
        self.held_of(shard).map(|held| held.epoch)
    }

    fn finished(&mut self, done: &Done) {
        self.admission.release(done.host);
        if let Some(entry) =
            self.table.get_mut(done.index).filter(|entry| entry.generation == done.generation && entry.last == Some(done.slot))
        {
            entry.was_up = done.up;
        }
        self.tools.metrics.in_flight.set(i64::try_from(self.admission.running()).unwrap_or(i64::MAX));
    }

    /// Figures that change with monitors and shards, not with checks.
    fn count(&mut self) {
        self.measure();
        self.tools.metrics.monitors.set(i64::try_from(self.table.active()).unwrap_or(i64::MAX));
        let shards = self.held.iter().flatten().filter(|held| !held.paused).count();
        self.tools.metrics.shards.set(i64::try_from(shards).unwrap_or(i64::MAX));
    }
}
