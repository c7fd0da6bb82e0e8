//! Putting the new generation in place.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use cache::Cache;
use model::Millis;
use store::StoreError;
use store::history::{Applied, Checksum, HourBlock, Rebuild, Swap};
use uuid::Uuid;

use super::report::Swapped;
use super::stage::{day_of, write};
use super::{Goal, Phase, Replay, ReplayError, behind};

/// So few records are left to be read when the lock is taken, if that can be had.
const CLOSE: u64 = 2000;
const ROUNDS: usize = 10;
/// How long the last records may take to be read and staged under the lock.
const UNDER_LOCK: Duration = Duration::from_secs(20);
/// How often a lock that was not given is asked for again.
const ATTEMPTS: usize = 6;
/// Processors and gateways have noticed by then: they look every two seconds, or with each read.
const NOTICED: Duration = Duration::from_secs(6);
/// A deadline for whatever Redis is told after the commit: processors tell it, too.
const TELL: Duration = Duration::from_secs(5);

impl Replay<'_> {
    pub(super) async fn swap(&mut self) -> Result<(), ReplayError> {
        let generation = format!("r{}", &Uuid::new_v4().simple().to_string()[..12]);
        let staged = self.cache.in_generation(&generation);
        if let Some(before) = self.cache.note_staged_generation(&generation).await? {
            // Of a replay that died: shown it is only if it was committed.
            if self.live.history_generation().await? != before && self.cache.live_generation().await? != before {
                self.cache.forget_live_generation(&before).await?;
            }
        }
        let swapped = self.swap_to(&generation, &staged).await;
        if swapped.is_err() && self.live.history_generation().await.is_ok_and(|stands| stands != generation) {
            // What nobody will ever see. What is left of it ends by itself.
            let _ = tokio::time::timeout(TELL, self.cache.forget_live_generation(&generation)).await;
        }
        let shown = swapped?;
        self.tidy(&shown, &generation).await;
        Ok(())
    }

    /// Says which generation of live state was shown before.
    async fn swap_to(&mut self, generation: &str, staged: &Cache) -> Result<String, ReplayError> {
        self.progress(Phase::Staging);
        let carried = self.stage_live(staged).await?;
        for _ in 0..ROUNDS {
            let left = self.catch_up(staged).await?;
            if left <= CLOSE {
                break;
            }
        }
        let oldest = self.intake().oldest();
        let mut days: BTreeSet<Millis> = self.different.union(&self.staged).copied().filter(|day| *day >= oldest).collect();
        self.live.ensure_history_days(days.iter().copied()).await?;
        let shown = self.cache.live_generation().await?;

        let mut rebuild = self.rebuild.take().ok_or(ReplayError::Busy)?;
        let mut swap = begin(&mut rebuild).await?;
        let locked = Instant::now();
        self.progress(Phase::Swapping);
        tokio::time::timeout(UNDER_LOCK, self.last_records(&mut swap, staged))
            .await
            .map_err(|_| ReplayError::TooMuchTraffic(UNDER_LOCK))??;
        let touched = swap.touched().await?;
        days.extend(touched.iter().filter(|(day, times)| self.touched.get(*day) != Some(*times)).map(|(day, _)| *day));
        days.extend(self.staged.iter().copied());
        let (mut applied, mut checksum) = (Applied::default(), Checksum::default());
        let first = day_of(self.report.covered_from);
        for day in days.into_iter().filter(|day| *day >= oldest) {
            if day < first && !self.different.contains(&day) && !self.staged.contains(&day) {
                continue;
            }
            applied += swap.apply(day, self.report.covered_from).await?;
            let (stands, built) = swap.checksums(day, self.report.covered_from).await?;
            if stands != built {
                return Err(ReplayError::Mismatch(format!("{} and {} blocks", stands.blocks, built.blocks)));
            }
            checksum = Checksum { blocks: checksum.blocks + stands.blocks, sum: checksum.sum ^ stands.sum };
        }
        swap.commit(generation).await?;
        self.rebuild = Some(rebuild);
        self.report.swapped = Some(Swapped { generation: generation.to_owned(), applied, checksum, locked: locked.elapsed(), carried });
        Ok(shown)
    }

    /// Reads on to the log's end and stages what came; says how many records there were.
    async fn catch_up(&mut self, staged: &Cache) -> Result<u64, ReplayError> {
        let goals = self.left(&self.ends().await?);
        self.read_to(&goals, None).await?;
        self.settle_tail(Some(staged)).await?;
        Ok(behind(&goals.iter().map(|goal| Goal { read_to: goal.from, ..*goal }).collect::<Vec<_>>()))
    }

    /// Goals that begin where we are.
    fn left(&self, goals: &[Goal]) -> Vec<Goal> {
        let from = |goal: &Goal| self.positions.get(&goal.partition).copied().unwrap_or(goal.from);
        goals.iter().map(|goal| Goal { from: from(goal), ..*goal }).collect()
    }

    /// Under the lock no flush commits, so whatever history holds lies before the log's end as it is now.
    async fn last_records(&mut self, swap: &mut Swap<'_>, staged: &Cache) -> Result<(), ReplayError> {
        self.catch_up(staged).await?;
        // Of hours that the log does not hold whole, what stands is kept.
        let kept = swap.uncovered(self.report.covered_from).await?;
        let merged = kept.into_iter().map(|(key, live, mut rebuilt)| {
            rebuilt.merge(&live);
            HourBlock { key, block: rebuilt.into() }
        });
        let merged = write(&self.staging, merged.collect()).await?;
        self.staged.extend(merged.iter().map(|block| day_of(block.key.hour)));
        // A day that appeared only now has no partition yet, and making one would wait for our own lock.
        Ok(())
    }

    /// After the commit. What fails here is done by the processors, or ends by itself.
    async fn tidy(&mut self, shown: &str, generation: &str) {
        self.progress(Phase::Tidying);
        let tell = async {
            while !self.cache.show_live_generation(shown, generation).await.unwrap_or(false) {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        if tokio::time::timeout(TELL, tell).await.is_err() {
            tracing::warn!("Redis was not told of the new generation; the processors tell it within seconds");
        }
        if let Err(error) = self.live.roll_up().await {
            tracing::warn!(%error, "roll-ups were not recomputed; the processors do so within the hour");
        }
        tokio::time::sleep(NOTICED).await;
        match self.cache.forget_live_generation(shown).await {
            Ok(keys) => tracing::debug!(keys, "live state that was replaced is removed"),
            Err(error) => tracing::warn!(%error, "live state that was replaced is not removed; it ends by itself"),
        }
    }
}

/// Takes the lock, however often a flush or a vacuum is in the way.
async fn begin(rebuild: &mut Rebuild) -> Result<Swap<'_>, StoreError> {
    for attempt in 1..ATTEMPTS {
        match rebuild.lockable().await {
            Ok(()) => break,
            Err(error) if error.is_retryable() => tracing::info!(%error, attempt, "the lock is not to be had yet"),
            Err(error) => return Err(error),
        }
    }
    rebuild.swap().await
}
