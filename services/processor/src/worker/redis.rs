//! Writing live state, and noticing that Redis lost it.

use std::time::{Duration, Instant};

use service::Error;
use tokio::task::JoinHandle;

use super::{Worker, join};
use crate::live::{self, LiveDone, Settled};
use crate::restore::{self, Look, RestoreError};

/// Blocks and latest results per write.
const LIMIT: usize = 32_000;
/// While we catch up with the log, this long from write to write: of each monitor only the newest is written then, and
/// what is a second late already does not become old by another.
const PACE: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// After a failed write the next waits this long.
const RETRY: Duration = Duration::from_millis(500);
/// How long PostgreSQL may take to say which history stands.
const ASK: Duration = Duration::from_secs(2);
const LAST_WRITE: Duration = Duration::from_secs(3);

/// Which Redis we wrote to.
#[derive(Default)]
pub(super) struct Watch {
    generation: Option<String>,
    looked: Option<Instant>,
    restore: Option<JoinHandle<Result<u64, RestoreError>>>,
    /// Something was left out of it that it does not say yet that it lacks.
    owes: bool,
}

impl Watch {
    /// Waits for a restore under way.
    pub async fn restored(&mut self) -> Result<Result<u64, RestoreError>, Error> {
        join(&mut self.restore).await
    }

    /// While Redis was away it was kept from what only a restore brings now: it is to say so before anything is
    /// committed, as whoever reads on from there does not know.
    pub fn leave_out(&mut self) {
        self.owes = true;
    }

    pub fn owes(&self) -> bool {
        self.owes
    }
}

impl Worker {
    /// Starts a write if there is something to write and none is under way.
    pub(super) fn start_live(&mut self) {
        let paced = self.late && self.live_paced.is_some_and(|since| since.elapsed() < PACE);
        if self.live.is_some() || paced || Instant::now() < self.live_not_before {
            return;
        }
        let now = self.clock.now_ms();
        // A commit that waits needs a write that leaves nothing; while Redis is away, a part shows as well that it is.
        let whole = self.durable.is_waited_for() && !self.live_failed;
        let writes = self.fold.take_unwritten(now, if whole { usize::MAX } else { LIMIT });
        let all = self.fold.sizes().2 == 0;
        if writes.is_empty() {
            if all {
                self.durable.nothing_unwritten();
            }
            return;
        }
        self.live_paced = all.then(Instant::now);
        self.durable.write_begins(all);
        self.live = Some(tokio::spawn(live::write(self.cache.clone(), writes, now)));
    }

    pub(super) async fn live_done(&mut self, done: LiveDone) {
        let settled = done.settle(&mut self.fold, &self.metrics);
        self.live_failed = settled == Settled::Failed;
        if self.live_failed {
            self.live_not_before = Instant::now() + RETRY;
        }
        self.durable.write_ended(settled == Settled::Complete);
        self.commit_durable().await;
    }

    /// Writes all that Redis does not have; bounded. What does not get there is not committed and so read again.
    /// An error is a panic, as in [`Self::flush_now`].
    pub(super) async fn write_live_now(&mut self) -> Result<(), Error> {
        let work = async {
            self.late = false;
            loop {
                self.start_live();
                if self.live.is_none() {
                    return Ok(());
                }
                let done = join(&mut self.live).await?;
                self.live_done(done).await;
            }
        };
        tokio::time::timeout(LAST_WRITE, work).await.unwrap_or_else(|_| {
            tracing::warn!("live state was not written completely before the last commit");
            Ok(())
        })
    }

    /// Asks every two seconds whether Redis still holds what we wrote.
    pub(super) async fn watch_redis(&mut self) {
        if self.redis.looked.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return;
        }
        self.redis.looked = Some(Instant::now());
        let Look { generation, whole, is_whole } = match restore::look(&self.cache, self.redis.owes).await {
            Ok(found) => found,
            Err(error) => {
                tracing::debug!(%error, "Redis does not answer");
                return;
            }
        };
        self.redis.owes = false;
        self.follow_generation().await;
        if self.redis.generation.as_ref().is_some_and(|known| *known != generation) {
            tracing::warn!("Redis lost what it held; live state is written again");
            self.metrics.restores.inc();
            self.fold.forget_written();
            self.durable.redis_lost();
        }
        if !is_whole && self.redis.restore.is_none() {
            let work = restore::restore(self.store.clone(), self.cache.clone(), whole, self.clock.now_ms(), self.metrics.clone());
            self.redis.restore = Some(tokio::spawn(work));
        }
        self.redis.generation = Some(generation);
    }

    /// Another generation of live state is shown than is written here: a replay swapped, or Redis lost
    /// the key, or whoever swapped died before telling Redis. PostgreSQL knows.
    async fn follow_generation(&mut self) {
        let Ok(shown) = self.cache.live_generation().await else { return };
        if *shown == *self.generation {
            return;
        }
        match tokio::time::timeout(ASK, self.store.history_generation()).await {
            Ok(Ok(stands)) if *stands != *self.generation => self.superseded = true,
            Ok(Ok(stands)) => {
                if let Err(error) = self.cache.show_live_generation(&shown, &stands).await {
                    tracing::debug!(%error, "the generation of live state is not shown yet");
                }
            }
            Ok(Err(_)) | Err(_) => tracing::debug!("PostgreSQL does not tell which history stands"),
        }
    }

    #[expect(clippy::unused_self, reason = "beside its siblings in the loop")]
    pub(super) fn restore_done(&mut self, restored: Result<u64, RestoreError>) {
        match restored {
            Ok(blocks) => tracing::info!(blocks, "live state was restored from PostgreSQL"),
            // Tried again with the next look.
            Err(error) => tracing::warn!(%error, "live state was not restored from PostgreSQL"),
        }
    }
}
