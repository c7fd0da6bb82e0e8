//! `upmesh replay`: history and live state are built once more from the log, beside what stands, while
//! live traffic goes on; compared with it; and swapped in by one transaction. Nothing is sent.
//!
//! What stands is untouched until that transaction commits, so that dying anywhere before costs only the
//! time. The commit names a new generation of history: processors that folded for the one before are
//! refused from then on ([`store::StoreError::Superseded`]), forget what is in memory and read the log
//! again from their last commit. All they had flushed until then lies below the offsets that the swap
//! read under its lock, so the new generation has it; all they had not, they read again. Live state of
//! the new generation lies complete in Redis before the commit, and one key shows it: set by us, or by
//! any processor that finds the name in PostgreSQL.

mod compare;
mod log;
mod report;
mod stage;
mod swap;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cache::{Cache, CacheConfig};
use kafka::{KafkaConfig, KafkaError, Stretch};
use model::{Clock, Millis};
use store::history::Rebuild;
use store::{Store, StoreError};
use tokio::task::JoinHandle;

use crate::fold::Fold;
use crate::intake::Intake;
use crate::settings::Settings;
pub use report::{Found, Phase, Place, Progress, Report, Swapped};

/// How long Kafka may take to tell where a log begins and ends.
pub(crate) const LOOKUP: Duration = Duration::from_secs(15);
/// With more than this between the last commit and the end of the log there is nothing to compare with.
const MAX_BEHIND: u64 = 500_000;

#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error("another replay is under way; wait for it, or end it")]
    Busy,
    #[error("the log {0} is empty: there is nothing to rebuild from")]
    EmptyLog(String),
    #[error("the processors are {0} results behind the log: start them, or let them catch up, then check again")]
    Behind(u64),
    #[error("under the lock the log's end was not reached within {0:?}; nothing was swapped, try again")]
    TooMuchTraffic(Duration),
    #[error("what was put in place is not what was rebuilt ({0}); nothing was swapped")]
    Mismatch(String),
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Cache(#[from] cache::CacheError),
    #[error("a part of the replay panicked: {0}")]
    Panicked(#[from] tokio::task::JoinError),
}

/// What is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Compare only: nothing is changed.
    pub check: bool,
}

/// Rebuilds, compares, and swaps unless only a check is asked for. Dropped before it ends, it leaves
/// what stands as it was, or (once the swap is committed) the new generation in its place.
pub async fn run(
    settings: &Settings,
    options: Options,
    clock: Arc<dyn Clock>,
    tell: &(dyn Fn(&Progress) + Send + Sync),
) -> Result<Report, ReplayError> {
    // Large, and awaited once.
    Box::pin(work(settings, options, clock, tell)).await
}

async fn work(
    settings: &Settings,
    options: Options,
    clock: Arc<dyn Clock>,
    tell: &(dyn Fn(&Progress) + Send + Sync),
) -> Result<Report, ReplayError> {
    let mut replay = Replay::begin(settings, clock, tell).await?;
    let from = replay.bounds().await?;
    let mut committed = replay.committed(&from).await?;
    replay.behind = behind(&committed);
    if replay.behind > MAX_BEHIND {
        if options.check {
            return Err(ReplayError::Behind(replay.behind));
        }
        // Nothing to compare with, but all the more to rebuild.
        committed.clone_from(&from);
    }
    replay.total = committed.iter().map(|stretch| u64::try_from(stretch.read_to - stretch.from).unwrap_or(0)).sum();
    replay.read_to(&committed, None).await?;
    replay.settle().await?;
    replay.compare().await?;
    if !options.check {
        replay.swap().await?;
    }
    replay.end().await
}

/// A partition: where its log begins, how far is to be read now, and where it ends.
#[derive(Debug, Clone, Copy)]
struct Goal {
    partition: i32,
    from: i64,
    read_to: i64,
    end: i64,
}

fn behind(goals: &[Goal]) -> u64 {
    goals.iter().map(|goal| u64::try_from(goal.end - goal.read_to).unwrap_or(0)).sum()
}

struct Replay<'a> {
    settings: &'a Settings,
    clock: Arc<dyn Clock>,
    tell: &'a (dyn Fn(&Progress) + Send + Sync),
    kafka: KafkaConfig,
    topic: String,
    /// Taken out while it is used beside the rest.
    rebuild: Option<Rebuild>,
    /// The history that stands.
    live: Store,
    /// The one that is built.
    staging: Store,
    cache: Cache,
    /// Latest results, and blocks that are not staged yet.
    fold: Fold,
    /// A write to the staging tables under way.
    writing: Option<JoinHandle<Result<(), StoreError>>>,
    /// Next offset to read, per partition.
    positions: HashMap<i32, i64>,
    log: log::Seen,
    /// Days with something staged since the comparison began.
    staged: BTreeSet<Millis>,
    /// Days that differ, and how often each day of the standing history was written to, at the comparison.
    different: BTreeSet<Millis>,
    touched: HashMap<Millis, i64>,
    total: u64,
    behind: u64,
    began: Instant,
    report: Report,
}

impl<'a> Replay<'a> {
    async fn begin(
        settings: &'a Settings,
        clock: Arc<dyn Clock>,
        tell: &'a (dyn Fn(&Progress) + Send + Sync),
    ) -> Result<Self, ReplayError> {
        let cache = Cache::open(&CacheConfig { deadline: Duration::from_secs(10), ..settings.cache.clone() })?;
        cache.ping().await?;
        let rebuild = Rebuild::begin(&settings.database).await?.ok_or(ReplayError::Busy)?;
        Ok(Self {
            settings,
            clock,
            tell,
            kafka: KafkaConfig { client_id: "upmesh-replay".to_owned(), ..settings.kafka.clone() },
            topic: events::Topics::new(&settings.topic_prefix).results,
            rebuild: Some(rebuild),
            live: Store::connect(&settings.database, "upmesh replay", 2)?,
            staging: Rebuild::staging(&settings.database, 3)?,
            cache,
            fold: Fold::default(),
            writing: None,
            positions: HashMap::new(),
            log: log::Seen::default(),
            staged: BTreeSet::new(),
            different: BTreeSet::new(),
            touched: HashMap::new(),
            total: 0,
            behind: 0,
            began: Instant::now(),
            report: Report::default(),
        })
    }

    /// What the log holds, to be read whole.
    async fn bounds(&mut self) -> Result<Vec<Goal>, ReplayError> {
        let bounds = kafka::log_bounds(&self.kafka, &self.topic, LOOKUP).await?;
        if bounds.iter().all(Stretch::is_empty) {
            return Err(ReplayError::EmptyLog(self.topic.clone()));
        }
        self.positions = bounds.iter().map(|stretch| (stretch.partition, stretch.from)).collect();
        self.log.begin(&bounds);
        let goal = |stretch: Stretch| Goal { partition: stretch.partition, from: stretch.from, read_to: stretch.to, end: stretch.to };
        Ok(bounds.into_iter().map(goal).collect())
    }

    /// What the processors have made durable, to be read up to there.
    async fn committed(&self, goals: &[Goal]) -> Result<Vec<Goal>, ReplayError> {
        let committed = kafka::committed_offsets(&self.kafka, &self.settings.group(), &self.topic, LOOKUP).await?;
        let offset = |goal: &Goal| usize::try_from(goal.partition).ok().and_then(|at| committed.get(at).copied().flatten());
        Ok(goals.iter().map(|goal| Goal { read_to: offset(goal).unwrap_or(goal.from).clamp(goal.from, goal.end), ..*goal }).collect())
    }

    /// The log's end as it is now, to be read up to there.
    async fn ends(&self) -> Result<Vec<Goal>, ReplayError> {
        let bounds = kafka::log_bounds(&self.kafka, &self.topic, LOOKUP).await?;
        let goal = |stretch: Stretch| Goal { partition: stretch.partition, from: stretch.from, read_to: stretch.to, end: stretch.to };
        Ok(bounds.into_iter().map(goal).collect())
    }

    fn intake(&self) -> Intake {
        Intake { now: self.clock.now_ms(), retention_ms: self.settings.retention_ms }
    }

    fn progress(&self, phase: Phase) {
        (self.tell)(&Progress { phase, read: self.log.records, total: self.total.max(self.log.records), took: self.began.elapsed() });
    }

    async fn end(mut self) -> Result<Report, ReplayError> {
        if let Some(rebuild) = self.rebuild.take() {
            rebuild.end().await?;
        }
        self.report.records = self.log.records;
        self.report.unreadable = self.log.unreadable;
        self.report.too_old = self.log.too_old;
        self.report.behind = self.behind;
        self.report.took = self.began.elapsed();
        Ok(self.report)
    }
}
