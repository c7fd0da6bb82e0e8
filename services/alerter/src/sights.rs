//! Prober sight: what pingers say of themselves, judged into one notice per region and one when it sees
//! again. A consumer of its own; what it decides commits with the offset that led there, as incidents do.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use kafka::{Ack, Assignment, DeadLetterError, DeadLetters, Event, GroupConsumer, KafkaConfig, Message, Producer, TopicPartitionOffset};
use model::sight::{ProberStatus, RegionSight, SightChange};
use model::{Clock, Millis, Region};
use service::{Context, Latch};
use store::incidents::{Committed, OffsetRow, TakenPartition};
use store::sights::{NoticeDelivery, NoticeRow, SightCommit};
use store::{Store, StoreError};
use tokio::sync::Notify;
use tokio::time::Instant;
use uuid::Uuid;

use crate::catalog::Catalog;
use crate::consume::FLOODED;
use crate::metrics::Metrics;
use crate::shared_clock::SharedClock;

/// The consumer's name beside its offsets.
pub const GROUP: &str = "alerter-sight";
const BATCH: usize = 1000;
/// An hour's backlog is judged in few commits, so that what is over is told in one message.
const LINGER: Duration = Duration::from_millis(50);
/// What changes nothing is committed this often.
const COMMIT_EVERY: Duration = Duration::from_secs(10);
/// A blindness that is over sooner is told once, at its end.
const SETTLING_MS: Millis = 5_000;
/// A statement so far in the future is a broken clock's.
const SKEW_MS: Millis = 600_000;

/// What the watch works with.
pub struct Sights {
    pub ctx: Context,
    pub store: Store,
    pub catalog: Catalog,
    pub metrics: Metrics,
    pub clock: Arc<dyn Clock>,
    /// For what other alerters read.
    pub shared: Arc<SharedClock>,
    pub kafka: KafkaConfig,
    pub topic: String,
    /// The consumer group in Kafka.
    pub group: String,
    /// Told after a commit with notices.
    pub decided: Arc<Notify>,
    pub owner: Uuid,
}

struct Work {
    sights: Sights,
    letters: DeadLetters,
    /// Unset while too many statements cannot be read.
    readable: Latch,
    held: HashMap<i32, TakenPartition>,
    regions: HashMap<Region, RegionSight>,
    dirty: HashSet<Region>,
    notices: Vec<NoticeRow>,
    /// Another took a partition the group gave to us: see `consume::assign`.
    fenced: bool,
    committed: Instant,
}

impl Sights {
    /// Judges until shutdown.
    pub async fn run(self) -> Result<(), service::Error> {
        let shutdown = self.ctx.shutdown().clone();
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = self.catalog.loaded() => {}
        }
        let mut consumer = GroupConsumer::new(&self.kafka, &self.group, &[&self.topic])?;
        let letters = DeadLetters::new(Producer::new(&self.kafka)?, GROUP, None);
        let readable = self.ctx.latch("prober status can be read");
        readable.set();
        let mut work = Work {
            sights: self,
            letters,
            readable,
            held: HashMap::new(),
            regions: HashMap::new(),
            dirty: HashSet::new(),
            notices: Vec::new(),
            fenced: false,
            committed: Instant::now(),
        };
        let result = work.follow(&mut consumer).await;
        if let Err(error) = consumer.close(Duration::from_secs(5)).await {
            tracing::warn!(%error, "the consumer of prober status did not leave its group");
        }
        result
    }
}

impl Work {
    async fn follow(&mut self, consumer: &mut GroupConsumer) -> Result<(), service::Error> {
        let shutdown = self.sights.ctx.shutdown().clone();
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return self.commit(consumer).await,
                event = consumer.next(BATCH, LINGER) => match event? {
                    Event::Assigned(assignment) => self.assigned(consumer, assignment).await?,
                    Event::Revoked(revocation) => {
                        if !revocation.is_lost() {
                            // What cannot be committed in time is judged again by the next owner.
                            let _ = tokio::time::timeout(Duration::from_secs(4), self.commit(consumer)).await;
                        }
                        for (_, partition) in revocation.partitions() {
                            self.held.remove(partition);
                        }
                        self.show();
                        revocation.done();
                    }
                    Event::Batch(messages) => self.batch(consumer, messages).await?,
                },
            }
            if std::mem::take(&mut self.fenced) {
                // Whatever was taken since is the group's to give anew.
                self.held.clear();
                self.forget();
                consumer.rejoin().await?;
            }
        }
    }

    async fn assigned(&mut self, consumer: &GroupConsumer, assignment: Assignment) -> Result<(), service::Error> {
        let partitions: Vec<i32> = assignment.partitions().iter().map(|(_, partition)| *partition).collect();
        let shutdown = self.sights.ctx.shutdown().clone();
        let cluster_id = loop {
            match consumer.cluster_id().await {
                Ok(id) => break id,
                Err(_) if shutdown.is_cancelled() => return Ok(()),
                Err(error) => {
                    tracing::debug!(%error, "the cluster does not tell its identity yet");
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            }
        };
        // A rebalance announces itself even where it gives us nothing. What is in memory is replaced below, and our place in what we
        // keep is past it.
        self.commit(consumer).await?;
        if self.fenced {
            // Whose these are, the group says once it is joined anew.
            return Ok(());
        }
        let (store, topic, owner) = (self.sights.store.clone(), self.sights.topic.clone(), self.sights.owner);
        let taken = self
            .patiently(|| async {
                if !assignment.stands() {
                    return Ok(None);
                }
                let taken = store.take_partitions(GROUP, &topic, &partitions, &cluster_id, owner).await?;
                Ok(Some((taken, store.region_sights().await?)))
            })
            .await?;
        let Some((taken, regions)) = taken.flatten() else { return Ok(()) };
        // Whatever was not committed is judged again.
        self.forget();
        self.regions = regions.into_iter().collect();
        let offset = |partition: i32| taken.iter().find(|one| one.partition == partition).map(|one| one.next_offset);
        let offsets = assignment.partitions().iter().filter_map(|one| Some((one.clone(), offset(one.1)?))).collect();
        self.held.extend(taken.iter().map(|one| (one.partition, one.clone())));
        self.show();
        assignment.start(offsets);
        Ok(())
    }

    /// Forgets what was read: it is in PostgreSQL, or is read again.
    fn forget(&mut self) {
        self.regions.clear();
        self.dirty.clear();
        self.notices.clear();
    }

    /// One alerter shows each region: the one that watches it.
    fn show(&self) {
        self.sights.metrics.blind.reset();
        if !self.held.is_empty() {
            for (region, sight) in &self.regions {
                self.sights.metrics.blind.with_label_values(&[region.as_str()]).set(i64::from(sight.blind.is_some()));
            }
        }
    }

    async fn batch(&mut self, consumer: &GroupConsumer, messages: Vec<Message>) -> Result<(), service::Error> {
        let now = self.sights.clock.now_ms();
        for message in &messages {
            if !self.held.contains_key(&message.partition) {
                continue;
            }
            match events::decode_prober(message.key.as_deref(), message.value.as_deref()) {
                // A pinger's clock is wrong: no reason to wait, unless that of most is, and so ours.
                Ok(status) if status.at > now + SKEW_MS => {
                    if !self.set_aside(message, |letters| letters.refuse(message, "said in the future")).await {
                        return Ok(());
                    }
                }
                Ok(status) => {
                    self.letters.passed(1);
                    self.fold(&status, self.sights.shared.now_ms());
                }
                Err(error) => {
                    if !self.set_aside(message, |letters| letters.send(message, &error.to_string())).await {
                        return Ok(());
                    }
                }
            }
            if let Some(held) = self.held.get_mut(&message.partition) {
                held.next_offset = message.offset + 1;
            }
        }
        if !self.notices.is_empty() || self.committed.elapsed() >= COMMIT_EVERY {
            self.commit(consumer).await?;
        }
        Ok(())
    }

    fn fold(&mut self, status: &ProberStatus, now: Millis) {
        let change = self.regions.entry(status.region.clone()).or_default().fold(status);
        self.dirty.insert(status.region.clone());
        let Some(change) = change else { return };
        if change.until.is_none() {
            tracing::error!(region = %status.region, reason = change.reason.as_str(), "a region is blind");
        } else {
            tracing::info!(region = %status.region, slots = change.slots_unknown, "a region sees again");
        }
        self.notices.extend(self.notice(&status.region, &change, now));
    }

    /// None where there is nobody to tell: then the log and the metrics have to do.
    fn notice(&self, region: &Region, change: &SightChange, now: Millis) -> Option<NoticeRow> {
        let channels = self.sights.catalog.operators();
        let workspace = channels.first()?.workspace;
        let kind = if change.until.is_none() { "opened" } else { "resolved" };
        let id = Uuid::new_v5(&change.id, kind.as_bytes());
        let due_at = if change.until.is_none() { now + SETTLING_MS } else { now };
        let deliveries = channels.into_iter().map(|channel| NoticeDelivery {
            id: Uuid::new_v5(&id, channel.id.0.as_bytes()),
            channel: channel.id,
            channel_kind: channel.settings.kind(),
            channel_name: channel.name.clone(),
            due_at,
        });
        Some(NoticeRow {
            id,
            blindness: change.id,
            kind,
            workspace,
            region: region.clone(),
            reason: change.reason.as_str(),
            since: change.since,
            until: change.until,
            slots_unknown: change.slots_unknown,
            deliveries: deliveries.collect(),
        })
    }

    async fn commit(&mut self, consumer: &GroupConsumer) -> Result<(), service::Error> {
        if self.held.is_empty() {
            return Ok(());
        }
        let now = self.sights.clock.now_ms();
        let row =
            |one: &TakenPartition| OffsetRow { partition: one.partition, epoch: one.epoch, next_offset: one.next_offset, judged: now };
        let offsets: Vec<OffsetRow> = self.held.values().map(row).collect();
        let regions = self.dirty.iter().filter_map(|region| Some((region.clone(), self.regions.get(region)?.clone()))).collect();
        let (store, topic) = (self.sights.store.clone(), self.sights.topic.clone());
        let commit = SightCommit {
            consumer: GROUP,
            topic: &topic,
            owner: self.sights.owner,
            now,
            made_at: self.sights.shared.now_ms(),
            offsets,
            regions,
            notices: std::mem::take(&mut self.notices),
        };
        match self.patiently(|| store.commit_sights(&commit)).await? {
            // Shutting down without PostgreSQL: the next owner judges it again.
            None => return Ok(()),
            Some(Committed::Done) => {
                if !commit.notices.is_empty() {
                    self.sights.decided.notify_waiters();
                }
            }
            Some(Committed::Fenced(lost)) => {
                tracing::warn!(?lost, "another alerter watches the probers' sight");
                // All of it: what the regions came to mixes what was read from every partition.
                self.held.clear();
                self.regions.clear();
                self.fenced = true;
            }
        }
        self.dirty.clear();
        self.show();
        self.committed = Instant::now();
        let topic: Arc<str> = topic.as_str().into();
        let positions: Vec<_> = self
            .held
            .values()
            .map(|one| TopicPartitionOffset { topic: Arc::clone(&topic), partition: one.partition, offset: one.next_offset })
            .collect();
        // For lag tools; the truth is in PostgreSQL.
        if let Err(error) = consumer.commit(&positions).await {
            tracing::debug!(%error, "Kafka did not take note of our position");
        }
        Ok(())
    }

    /// Waits until what nobody can read is among the dead letters; while there are too many of them, the log waits. False when we
    /// are to stop before.
    async fn set_aside(&self, message: &Message, send: impl Fn(&DeadLetters) -> Result<Ack, DeadLetterError>) -> bool {
        loop {
            let (failed, pause) = match send(&self.letters) {
                Ok(ack) => match ack.await {
                    Ok(_) => break,
                    Err(error) => (error.to_string(), Duration::from_secs(1)),
                },
                Err(error @ DeadLetterError::TooMany { .. }) => {
                    tracing::error!(%error, partition = message.partition, offset = message.offset, "the probers' sight is not watched for a while");
                    self.readable.unset();
                    (error.to_string(), FLOODED)
                }
                Err(DeadLetterError::Send(error)) => (error.to_string(), Duration::from_secs(1)),
            };
            tracing::warn!(error = failed, "a prober's status that cannot be read is not set aside yet");
            tokio::select! {
                () = self.sights.ctx.shutdown().cancelled() => return false,
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.readable.set();
        true
    }

    /// Repeats what PostgreSQL may do later, until it does or the service stops (`None`).
    async fn patiently<T, F, Fut>(&self, mut work: F) -> Result<Option<T>, service::Error>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, StoreError>>,
    {
        let mut pause = Duration::from_millis(100);
        loop {
            match work().await {
                Ok(done) => return Ok(Some(done)),
                Err(error) if error.is_retryable() => {
                    tracing::warn!(%error, "the probers' sight is not recorded yet; the log waits");
                    tokio::select! {
                        () = self.sights.ctx.shutdown().cancelled() => return Ok(None),
                        () = tokio::time::sleep(pause) => {}
                    }
                    pause = (pause * 2).min(Duration::from_secs(3));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}
