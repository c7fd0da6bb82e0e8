//! The judging loop: results from the log, changes of monitors, acknowledgements; one task owns all
//! state, and what it decides commits before anything else happens.

mod assign;
mod batch;
mod commit;
mod strangers;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use cache::VerdictWrite;
use directory::{Change, Directory};
use kafka::{DeadLetters, Event, GroupConsumer, KafkaConfig, KafkaMetrics, Producer};
use model::{Clock, MonitorId, Region, Slot};
use service::{Context, Latch};
use store::Store;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, MissedTickBehavior, interval};
use uuid::Uuid;

use crate::announce::Announcement;
use crate::catalog::Catalog;
use crate::desk::{CatchingUp, Decided, Desk};
use crate::heartbeat::Pulse;
use crate::metrics::Metrics;
use crate::shared_clock::SharedClock;
use strangers::Strangers;

/// The consumer's name beside its offsets in PostgreSQL.
pub const GROUP: &str = "alerter";
/// Records per batch, and how long the first waits for company.
const BATCH: usize = 2000;
const LINGER: Duration = Duration::from_millis(2);
/// What only moves offsets and counters is committed this often.
const COMMIT_EVERY: Duration = Duration::from_secs(5);
/// No result of long ago for so long: whoever caught up (a pinger's spool, ourselves) is done.
const QUIET: Duration = Duration::from_secs(3);
/// Nothing is held longer once the log is read to where it ended, however far behind its results seem: a pinger's clock may be wrong.
const HOLD: Duration = Duration::from_mins(2);
/// Where so many records cannot be read that we are the likelier fault, the log waits this long before
/// they are tried again.
pub(crate) const FLOODED: Duration = Duration::from_secs(30);
/// What moves nothing is committed this often: whoever looks sees that it is judged, and whoever was fenced learns it.
const AFFIRM_EVERY: Duration = Duration::from_secs(30);
/// PostgreSQL is asked this often how far all alerters together have come.
const COMPARE_EVERY: Duration = Duration::from_secs(5);
/// Every verdict is written again this often.
const SHOW_EVERY: Duration = Duration::from_secs(30);

/// What the loop works with.
pub struct Judge {
    pub ctx: Context,
    pub store: Store,
    pub directory: Directory,
    pub catalog: Catalog,
    pub metrics: Metrics,
    pub clock: Arc<dyn Clock>,
    /// For what other alerters read.
    pub shared: Arc<SharedClock>,
    pub kafka: KafkaConfig,
    pub topic: String,
    /// The consumer group in Kafka.
    pub group: String,
    /// Told after a commit with transitions: deliveries and records wait.
    pub decided: Arc<Notify>,
    /// Told when Redis was emptied.
    pub show_all: Arc<Notify>,
    /// Told how far judgement has come.
    pub pulse: Pulse,
    pub verdicts: mpsc::Sender<Verdicts>,
    pub owner: Uuid,
}

/// Verdicts on their way to Redis.
#[derive(Debug)]
pub enum Verdicts {
    /// These changed: write and tell.
    Changed(Vec<VerdictWrite>),
    /// All of them: write, and tell of those marked.
    All(Vec<(VerdictWrite, bool)>),
    Forget(MonitorId),
    /// Each region is judged up to there.
    Judged(Vec<(Region, Slot)>),
}

/// The loop's state.
pub(crate) struct Loop {
    judge: Judge,
    consumer: GroupConsumer,
    letters: DeadLetters,
    /// Unset while too many records cannot be read.
    readable: Latch,
    desk: Desk,
    announcements: Vec<Announcement>,
    /// Partitions that have caught up since the last commit.
    released: Vec<i32>,
    cluster_id: Option<String>,
    strangers: Strangers,
    /// Since when there may be cases of monitors that are gone, or that our list does not have yet.
    doubted: Option<Instant>,
    /// When a result of long ago last came, by partition.
    behind: HashMap<i32, Instant>,
    /// Partitions another alerter took while the group gave them to us.
    fenced: HashSet<i32>,
    last_commit: Instant,
    compared: Option<Instant>,
}

impl Judge {
    /// Judges until shutdown.
    pub async fn run(self) -> Result<(), service::Error> {
        let shutdown = self.ctx.shutdown().clone();
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            // Without monitors and channels nothing can be judged or announced; the log waits.
            () = async { self.directory.loaded().await; self.catalog.loaded().await } => {}
        }
        let metrics = KafkaMetrics::register(self.ctx.metrics())?;
        let consumer = GroupConsumer::with_metrics(&self.kafka, &self.group, &[&self.topic], Some(&metrics))?;
        let letters = DeadLetters::new(Producer::new(&self.kafka)?, GROUP, Some(metrics));
        let (ready, readable) = (self.ctx.latch("partitions"), self.ctx.latch("records can be read"));
        let mut work = Loop {
            judge: self,
            consumer,
            letters,
            readable: readable.clone(),
            desk: Desk::default(),
            announcements: Vec::new(),
            released: Vec::new(),
            cluster_id: None,
            strangers: Strangers::default(),
            doubted: None,
            behind: HashMap::new(),
            fenced: HashSet::new(),
            last_commit: Instant::now(),
            compared: None,
        };
        // A member without partitions is as ready as one with.
        ready.set();
        readable.set();
        let result = work.follow().await;
        let closed = work.consumer.close(Duration::from_secs(5)).await;
        if let Err(error) = closed {
            tracing::warn!(%error, "the consumer did not leave its group");
        }
        result
    }
}

impl Loop {
    async fn follow(&mut self) -> Result<(), service::Error> {
        let shutdown = self.judge.ctx.shutdown().clone();
        let mut changes = self.judge.directory.subscribe();
        let mut tick = interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut show = interval(SHOW_EVERY);
        show.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let show_all = Arc::clone(&self.judge.show_all);
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => {
                    self.commit().await?;
                    return Ok(());
                }
                change = changes.next() => match change {
                    Some(change) => self.change(change).await?,
                    None => return Err(service::Error::msg("the directory ended")),
                },
                // Before the log, which after an outage has more to read for minutes.
                _ = tick.tick() => self.tick().await?,
                event = self.consumer.next(BATCH, LINGER) => match event? {
                    Event::Assigned(assignment) => self.assigned(assignment).await?,
                    Event::Revoked(revocation) => self.revoked(revocation).await?,
                    Event::Batch(messages) => self.batch(messages).await?,
                },
                _ = show.tick() => self.show(),
                () = show_all.notified() => self.show(),
            }
        }
    }

    async fn change(&mut self, change: Change) -> Result<(), service::Error> {
        let now = self.judge.clock.now_ms();
        let (decided, told): (Vec<Decided>, Vec<MonitorId>) = match change {
            Change::Upserted(monitor) => (self.desk.reconfigure(&monitor, now).into_iter().collect(), vec![monitor.id]),
            Change::Deleted { id, .. } => (self.forget(id, now).into_iter().collect(), Vec::new()),
            Change::Everything => (self.reconcile(), self.strangers.monitors()),
        };
        self.announce(decided).await?;
        self.introduce(told).await
    }

    /// Compares the cases with the directory: what was paused or changed meanwhile is taken up; of what is absent, a newer list
    /// is to say that it is gone.
    fn reconcile(&mut self) -> Vec<Decided> {
        self.doubted = Some(Instant::now());
        let now = self.judge.clock.now_ms();
        let mut decided = Vec::new();
        for id in self.desk.monitors() {
            if let Some(monitor) = self.judge.directory.get(id) {
                decided.extend(self.desk.reconfigure(&monitor, now));
            }
        }
        decided
    }

    /// Closes the cases of monitors that are gone. Only by a list that is newer than the cases: one that lags may not know
    /// yet what another alerter opened a case for.
    fn forget_absent(&mut self) -> Vec<Decided> {
        self.doubted = None;
        let now = self.judge.clock.now_ms();
        let gone = self.desk.monitors().into_iter().filter(|id| self.judge.directory.get(*id).is_none()).collect::<Vec<_>>();
        gone.into_iter().filter_map(|id| self.forget(id, now)).collect()
    }

    fn forget(&mut self, id: MonitorId, now: model::Millis) -> Option<Decided> {
        if self.desk.knows(id) {
            // Full only when Redis is away; then the key disappears by itself.
            let _ = self.judge.verdicts.try_send(Verdicts::Forget(id));
        }
        self.desk.delete(id, now)
    }

    async fn tick(&mut self) -> Result<(), service::Error> {
        self.join_anew_where_fenced().await?;
        self.acknowledgements().await?;
        self.look_for_strangers().await?;
        if let Some(since) = self.doubted
            && self.judge.directory.status().age.is_some_and(|age| age < since.elapsed())
        {
            let decided = self.forget_absent();
            self.announce(decided).await?;
        }
        self.caught_up();
        // Before a commit: it says how far each partition is judged.
        let interval = self.desk.shortest_interval();
        let since = self.last_commit.elapsed();
        if !self.released.is_empty() || (since >= COMMIT_EVERY && self.desk.is_dirty()) || since >= AFFIRM_EVERY {
            self.commit().await?;
        }
        self.compare().await;
        if let Some(slots) = self.desk.newest_judged() {
            // Full only when Redis is away; newer ones follow.
            let _ = self.judge.verdicts.try_send(Verdicts::Judged(slots));
        }
        // Only here: a commit that PostgreSQL holds up holds up the pulse, too.
        self.judge.pulse.looked(interval, self.judge.clock.now_ms());
        self.judge.metrics.shortest_interval.set(interval.unwrap_or(0) / 1000);
        self.judge.metrics.states.set(i64::try_from(self.desk.len()).unwrap_or(i64::MAX));
        Ok(())
    }

    /// How far all partitions are judged, whoever has them. While PostgreSQL does not say, what it said last grows old.
    async fn compare(&mut self) {
        if self.compared.is_some_and(|at| at.elapsed() < COMPARE_EVERY) {
            return;
        }
        self.compared = Some(Instant::now());
        match self.judge.store.judged_through(GROUP, &self.judge.topic).await {
            Ok(Some(judged)) => {
                self.judge.pulse.judged(self.judge.clock.now_ms().saturating_sub(judged.age));
                // By PostgreSQL's clock: were ours ahead, it would say for hours that the present is judged.
                self.judge.metrics.judged_through.set(judged.at / 1000);
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "how far all alerters have come is not known"),
        }
    }

    /// Takes up what people acknowledged since the last look.
    async fn acknowledgements(&mut self) -> Result<(), service::Error> {
        let requests = match self.judge.store.acknowledge_requests().await {
            Ok(requests) => requests,
            Err(error) if error.is_retryable() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let now = self.judge.clock.now_ms();
        let decided: Vec<Decided> =
            requests.into_iter().filter_map(|request| self.desk.acknowledge(request.monitor, request.incident, now)).collect();
        self.announce(decided).await
    }

    /// Partitions whose log is read to its end are in the present.
    fn caught_up(&mut self) {
        let known = self.consumer.lag();
        let topic: Arc<str> = self.judge.topic.as_str().into();
        let lag = |partition| known.get(&(Arc::clone(&topic), partition)).copied();
        for (partition, position, behind) in self.desk.catching_up(lag) {
            let settled = self.behind.get(&partition).is_none_or(|at| at.elapsed() > QUIET);
            if is_present(lag(partition), position, &behind, settled) {
                self.present(partition);
            }
        }
    }

    pub(super) fn present(&mut self, partition: i32) {
        if self.desk.set_catching_up(partition, false) {
            self.released.push(partition);
        }
    }

    fn show(&mut self) {
        let all = self.desk.all_shown(self.judge.clock.now_ms());
        // Full only when Redis is away; the next round brings it all again.
        let _ = self.judge.verdicts.try_send(Verdicts::All(all));
    }

    fn show_changed(&mut self) {
        let changed = self.desk.changed_shown(self.judge.clock.now_ms());
        if !changed.is_empty() {
            let _ = self.judge.verdicts.try_send(Verdicts::Changed(changed));
        }
    }
}

/// Whether a partition is in the present: the log is read to where it ended when we fell behind, or to its end now, and no result
/// of long ago (`settled`) comes any more.
fn is_present(lag: Option<i64>, position: i64, behind: &CatchingUp, settled: bool) -> bool {
    let read = lag == Some(0) || behind.until.is_some_and(|until| position >= until);
    let long = behind.since.elapsed() > HOLD;
    (read && (settled || long)) || (lag.is_none() && long)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_present_begins_where_the_log_ended_when_we_fell_behind() {
        let Some(long_ago) = std::time::Instant::now().checked_sub(HOLD * 2) else { return };
        let young = CatchingUp { since: std::time::Instant::now(), until: Some(1_000) };
        let old = CatchingUp { since: long_ago, ..young };
        let unknown = CatchingUp { until: None, ..old };
        for (lag, position, behind, settled, present) in [
            (Some(10), 900, &young, true, false),
            (Some(0), 900, &young, true, true),
            (Some(0), 900, &young, false, false),
            // So much comes that the log never ends.
            (Some(10), 1_000, &young, true, true),
            (Some(10), 1_000, &young, false, false),
            // A pinger's clock is wrong: all it says seems old.
            (Some(10), 1_000, &old, false, true),
            // However long it takes.
            (Some(10), 999, &old, true, false),
            (None, 0, &unknown, true, true),
        ] {
            assert_eq!(is_present(lag, position, behind, settled), present, "{lag:?} {position} {behind:?} {settled}");
        }
    }
}
