//! The loop: batches are folded as they come; one write to Redis and one flush to PostgreSQL are under
//! way beside it. Whatever comes meanwhile goes with the next, so batches grow with the load.

mod batch;
mod durable;
mod history;
mod hold;
mod redis;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::cache::Cache;
use kafka::{DeadLetters, Event, GroupConsumer, Partition};
use model::{Clock, Millis, Outcome};
use prometheus::IntCounter;
use service::{Context, Error, Latch};
use store::Store;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::dead::Pending;
use crate::flush::FlushDone;
use crate::fold::Fold;
use crate::live::LiveDone;
use crate::metrics::Metrics;
use crate::settings::Settings;

/// Records folded at once, and how long the first waits for company.
const BATCH: usize = 4096;
const LINGER: Duration = Duration::from_millis(5);
/// This many unflushed results or blocks are flushed whatever their age: no more than the last flush of a drain writes in its time.
const FLUSH_RESULTS: u64 = 1_000_000;
const FLUSH_BLOCKS: usize = 100_000;
/// Above this many unflushed blocks (PostgreSQL is away) nothing more is read: the log waits.
const MAX_BLOCKS: usize = 400_000;
/// More dead letters than these are not held in memory: the next flush takes them along.
const MAX_LETTERS: usize = 50_000;
const TICK: Duration = Duration::from_millis(250);
const EVICT_EVERY: Duration = Duration::from_secs(30);
const IDLE_MS: Millis = 120_000;

/// Why a worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Shutdown,
    /// A replay put another history in place of the one this worker folded for: begin anew, where the
    /// offsets were committed last, with nothing in memory.
    Superseded,
}

pub(crate) struct Worker {
    /// Which history is folded for; names the keys of live state, too.
    generation: Arc<str>,
    superseded: bool,
    settings: Settings,
    clock: Arc<dyn Clock>,
    store: Store,
    cache: Cache,
    consumer: GroupConsumer,
    letters: DeadLetters,
    metrics: Metrics,
    outcomes: [IntCounter; Outcome::ALL.len()],
    shutdown: CancellationToken,
    assigned: Latch,

    fold: Fold,
    /// Next offset to fold.
    positions: HashMap<Partition, i64>,
    /// What was committed last.
    committed: HashMap<Partition, i64>,
    dead: Vec<Pending>,
    unflushed_results: u64,
    unflushed_since: Option<Instant>,
    newest_slot: Millis,
    /// What was read last had waited in the log: we are catching up.
    late: bool,

    flush: Option<JoinHandle<FlushDone>>,
    flush_not_before: Instant,
    live: Option<JoinHandle<LiveDone>>,
    live_not_before: Instant,
    /// The last write failed.
    live_failed: bool,
    /// When the last write began that left nothing to be written: the pace counts from there.
    live_paced: Option<Instant>,
    durable: durable::Durable,
    redis: redis::Watch,
    hold: hold::Hold,
    evicted: Instant,
}

impl Worker {
    #[expect(clippy::too_many_arguments, reason = "the one place where the parts meet")]
    pub fn new(
        ctx: &Context,
        generation: Arc<str>,
        settings: Settings,
        clock: Arc<dyn Clock>,
        store: Store,
        cache: &Cache,
        consumer: GroupConsumer,
        letters: DeadLetters,
        metrics: Metrics,
    ) -> Self {
        let outcomes = Outcome::ALL.map(|outcome| metrics.results.with_label_values(&[outcome.as_str()]));
        metrics.newest_slot_age.set(-1);
        let now = Instant::now();
        let cache = cache.in_generation(&generation);
        Self {
            generation,
            superseded: false,
            settings,
            clock,
            store,
            cache,
            consumer,
            letters,
            metrics,
            outcomes,
            shutdown: ctx.shutdown().clone(),
            assigned: ctx.latch("kafka"),
            fold: Fold::default(),
            positions: HashMap::new(),
            committed: HashMap::new(),
            dead: Vec::new(),
            unflushed_results: 0,
            unflushed_since: None,
            newest_slot: 0,
            late: false,
            flush: None,
            flush_not_before: now,
            live: None,
            live_not_before: now,
            live_failed: false,
            live_paced: None,
            durable: durable::Durable::default(),
            redis: redis::Watch::default(),
            hold: hold::Hold::default(),
            evicted: now,
        }
    }

    pub async fn run(mut self) -> Result<End, Error> {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let shutdown = self.shutdown.clone();
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                done = join(&mut self.live) => self.live_done(done?).await,
                done = join(&mut self.flush) => self.flush_done(done?).await,
                restored = self.redis.restored() => self.restore_done(restored?),
                event = self.consumer.next(BATCH, LINGER) => self.event(event?).await?,
                _ = tick.tick() => self.tick().await?,
            }
            if self.superseded {
                tracing::info!("a replay put another history in place; the log is read again from the last commit");
                self.assigned.unset();
                self.leave().await;
                return Ok(End::Superseded);
            }
            self.start_live();
            self.start_flush(false);
        }
        self.drain().await?;
        Ok(End::Shutdown)
    }

    async fn event(&mut self, event: Event) -> Result<(), Error> {
        match event {
            // Offsets are Kafka's: what was committed, or the beginning of the log.
            Event::Assigned(assignment) => {
                assignment.start(HashMap::new());
                self.assigned.set();
            }
            Event::Revoked(revocation) => {
                if !revocation.is_lost() {
                    self.flush_now().await?;
                }
                self.hold.forget(revocation.partitions());
                self.durable.forget(revocation.partitions());
                for partition in revocation.partitions() {
                    self.positions.remove(partition);
                    self.committed.remove(partition);
                }
                // What is not flushed yet stays and is merged later, beside the new owner.
                revocation.done();
            }
            Event::Batch(batch) => {
                self.fold_batch(batch);
                self.govern();
            }
        }
        Ok(())
    }

    /// Reads on only while there is room and nothing is held back.
    fn govern(&mut self) {
        let full = self.fold.sizes().1 > MAX_BLOCKS || self.dead.len() > MAX_LETTERS;
        let wanted = full || self.hold.is_on();
        if let Err(error) = self.hold.pause(&self.consumer, wanted) {
            tracing::warn!(%error, "partitions were not paused or resumed");
        }
    }

    async fn tick(&mut self) -> Result<(), Error> {
        let now = self.clock.now_ms();
        if self.newest_slot > 0 {
            self.metrics.newest_slot_age.set((now - self.newest_slot) / 1000);
        }
        if let Some(held) = self.hold.due() {
            tracing::info!(records = held.len(), "the processor tries again what it held back");
            self.assigned.set();
            self.fold_batch(held);
        }
        self.govern();
        self.commit_durable().await;
        if self.evicted.elapsed() > EVICT_EVERY && self.live.is_none() {
            self.evicted = Instant::now();
            if self.fold.evict(now, now - IDLE_MS, self.flush.is_some()) {
                self.redis.leave_out();
            }
        }
        let (blocks, unflushed, unwritten) = self.fold.sizes();
        for (gauge, value) in [(&self.metrics.blocks, blocks), (&self.metrics.unflushed, unflushed), (&self.metrics.unwritten, unwritten)] {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        }
        self.watch_redis().await;
        Ok(())
    }

    /// Everything durable, offsets committed, the group left.
    async fn drain(mut self) -> Result<(), Error> {
        let flushed = self.flush_now().await;
        self.leave().await;
        flushed
    }

    /// Leaves the group, so that others take over at once.
    async fn leave(self) {
        // Its thread looks up ten times a second whether it is to end; the group does not wait for that.
        let letters = self.letters;
        tokio::task::spawn_blocking(move || drop(letters));
        if let Err(error) = self.consumer.close(Duration::from_secs(5)).await {
            tracing::warn!(%error, "the consumer group was not left cleanly");
        }
    }
}

/// Waits for a task if there is one, else for ever; takes it once it is done. Cancel-safe.
async fn join<T>(task: &mut Option<JoinHandle<T>>) -> Result<T, Error> {
    let Some(running) = task else { return std::future::pending().await };
    let done = running.await;
    *task = None;
    done.map_err(Error::from)
}
