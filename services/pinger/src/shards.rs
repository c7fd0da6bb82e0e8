//! The lease loop: which shards this pinger checks. Follows the members of the region, takes over from
//! the dead, hands over to newcomers, and fails open: without Redis it goes on with what it holds, and
//! takes everything where it never saw a Redis.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cache::{Acquired, CacheError, Leases, Renewal, owner_of};
use directory::Directory;
use model::schedule::SHARDS;
use model::{Clock, Shard};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::engine::Command;
use crate::progress::Progress;
use crate::reference::{Reference, Source};

/// The loop's beat: members, shares and progress.
const BEAT: Duration = Duration::from_secs(1);
/// Without an answer for this long from the start on, all shards are taken.
const ALONE_AFTER: Duration = Duration::from_secs(3);
/// A shard that goes to another pinger waits this long for its open slots.
const HAND_OVER: Duration = Duration::from_secs(2);
/// How the engine hears of shards; it never lags.
type Commands = mpsc::Sender<Command>;

/// See the module.
pub struct Shards {
    leases: Leases,
    progress: Arc<Progress>,
    commands: Commands,
    clocks: Clocks,
    /// With the epoch each was acquired under.
    held: BTreeMap<Shard, u64>,
    /// On their way to another pinger, since when.
    leaving: BTreeMap<Shard, (u64, Instant)>,
    /// Redis answered at least once.
    met: bool,
    /// Taken without a lease.
    alone: bool,
    away_since: Option<Instant>,
    /// Others check meanwhile: our clock is off.
    standing_back: bool,
}

/// Ours, and those it is compared with; Redis' is asked for with every beat.
pub struct Clocks {
    pub own: Arc<dyn Clock>,
    pub users: Directory,
    pub reference: Arc<Reference>,
}

impl Shards {
    pub fn new(leases: Leases, progress: Arc<Progress>, commands: Commands, clocks: Clocks) -> Self {
        let (held, leaving) = (BTreeMap::new(), BTreeMap::new());
        Self { leases, progress, commands, clocks, held, leaving, met: false, alone: false, away_since: None, standing_back: false }
    }

    /// Runs until `stop`, then gives everything up at once. `ready` is called when shards are settled first.
    pub async fn run(mut self, ready: impl FnOnce(), stop: CancellationToken) {
        let mut ready = Some(ready);
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = beat.tick() => {}
            }
            match self.beat().await {
                Ok(()) => {
                    if self.away_since.take().is_some() {
                        tracing::info!(shards = self.held.len(), "Redis is back");
                        self.progress.rewrite();
                    }
                    self.met = true;
                    if let Some(ready) = ready.take() {
                        ready();
                    }
                }
                Err(error) => {
                    self.without_redis(&error).await;
                    if self.alone
                        && let Some(ready) = ready.take()
                    {
                        ready();
                    }
                }
            }
        }
        self.give_up().await;
    }

    async fn beat(&mut self) -> Result<(), CacheError> {
        if self.clock_is_off().await? {
            return self.stand_back().await;
        }
        self.standing_back = false;
        let members = self.leases.join().await?;
        if self.alone {
            // What was taken without a lease is acquired like everything else; the epoch changes.
            self.alone = false;
            for shard in std::mem::take(&mut self.held).into_keys() {
                self.tell(Command::Drop(shard)).await;
            }
        }
        let leased: Vec<(Shard, u64)> = self
            .held
            .iter()
            .map(|(shard, epoch)| (*shard, *epoch))
            .chain(self.leaving.iter().map(|(shard, (epoch, _))| (*shard, *epoch)))
            .collect();
        for (shard, renewal) in self.leases.renew(&leased).await? {
            if renewal == Renewal::Lost {
                tracing::warn!(%shard, "another pinger took this shard over");
                let left = self.leaving.remove(&shard).is_some();
                if self.held.remove(&shard).is_some() || left {
                    self.tell(Command::Drop(shard)).await;
                }
            }
        }
        self.write_progress().await?;
        self.hand_over(&members).await?;
        let wanted: Vec<Shard> = (0..SHARDS)
            .map(Shard)
            .filter(|shard| !self.held.contains_key(shard) && !self.leaving.contains_key(shard) && self.is_mine(*shard, &members))
            .collect();
        let acquired = self.leases.acquire(&wanted).await?;
        if !acquired.is_empty() {
            service::crash_point!("pinger::lease_taken");
            self.held.extend(acquired.iter().map(|acquired| (acquired.shard, acquired.epoch)));
            self.tell(Command::Take(acquired)).await;
        }
        Ok(())
    }

    /// Asks the other clocks.
    async fn clock_is_off(&self) -> Result<bool, CacheError> {
        let Clocks { own, users, reference } = &self.clocks;
        let asked = Instant::now();
        let time = self.leases.time().await?;
        reference.heard(Source::Redis, time, asked, Instant::now());
        if let Some(heard) = users.clock() {
            reference.heard(Source::Users, heard.time, heard.asked, heard.answered);
        }
        Ok(reference.is_off(own.now_ms()))
    }

    /// Leaves everything to others until our clock is right.
    async fn stand_back(&mut self) -> Result<(), CacheError> {
        if self.standing_back {
            return Ok(());
        }
        self.write_progress().await?;
        let shards: Vec<Shard> = self.held.keys().chain(self.leaving.keys()).copied().collect();
        self.held.clear();
        self.leaving.clear();
        for shard in &shards {
            self.tell(Command::Drop(*shard)).await;
        }
        self.leases.release(&shards).await?;
        self.leases.leave().await?;
        self.standing_back = true;
        Ok(())
    }

    fn is_mine(&self, shard: Shard, members: &[String]) -> bool {
        owner_of(shard, members.iter().map(String::as_str)).is_none_or(|owner| owner == self.leases.owner())
    }

    /// Shards that belong to another now: stopped here first, their lease given back once their results
    /// are on the log, so that the new owner finds nothing to do again.
    async fn hand_over(&mut self, members: &[String]) -> Result<(), CacheError> {
        let foreign: Vec<Shard> = self.held.keys().copied().filter(|shard| !self.is_mine(*shard, members)).collect();
        for shard in foreign {
            if let Some(epoch) = self.held.remove(&shard) {
                self.leaving.insert(shard, (epoch, Instant::now()));
                self.tell(Command::Pause(shard)).await;
            }
        }
        let settled: Vec<Shard> = self
            .leaving
            .iter()
            .filter(|(shard, (_, since))| self.progress.open_slots(**shard) == 0 || since.elapsed() >= HAND_OVER)
            .map(|(shard, _)| *shard)
            .collect();
        if settled.is_empty() {
            return Ok(());
        }
        self.write_progress().await?;
        self.leases.release(&settled).await?;
        for shard in settled {
            self.leaving.remove(&shard);
            self.tell(Command::Drop(shard)).await;
        }
        Ok(())
    }

    async fn write_progress(&self) -> Result<(), CacheError> {
        let advanced = self.progress.advanced();
        if !advanced.is_empty() {
            service::crash_point!("pinger::before_progress");
        }
        let fenced = self.leases.advance(&advanced).await?;
        if !advanced.is_empty() {
            service::crash_point!("pinger::progress_written");
        }
        if !fenced.is_empty() {
            tracing::warn!(shards = fenced.len(), "a later owner's progress stands; ours was refused");
        }
        self.progress.written(&advanced);
        Ok(())
    }

    /// Over-checking is harmless, not checking is not.
    async fn without_redis(&mut self, error: &CacheError) {
        let since = *self.away_since.get_or_insert_with(|| {
            tracing::warn!(%error, shards = self.held.len(), "Redis is away; going on with the shards held");
            Instant::now()
        });
        // Nobody can take these over now.
        for (shard, (epoch, _)) in std::mem::take(&mut self.leaving) {
            self.held.insert(shard, epoch);
            self.tell(Command::Resume(shard)).await;
        }
        if !self.met && !self.alone && since.elapsed() >= ALONE_AFTER {
            tracing::warn!("no Redis since the start; taking all shards");
            self.alone = true;
            let epoch = self.clocks.own.now_ms().unsigned_abs();
            let all: Vec<Acquired> = (0..SHARDS).map(|shard| Acquired { shard: Shard(shard), epoch, progress: None }).collect();
            self.held.extend(all.iter().map(|acquired| (acquired.shard, epoch)));
            self.tell(Command::Take(all)).await;
        }
    }

    /// The others need not wait for leases to run out.
    async fn give_up(&mut self) {
        let shards: Vec<Shard> = self.held.keys().chain(self.leaving.keys()).copied().collect();
        let outcome = async {
            self.write_progress().await?;
            self.leases.release(&shards).await?;
            self.leases.leave().await
        };
        match outcome.await {
            Ok(()) => tracing::info!(shards = shards.len(), "shards released"),
            Err(error) => tracing::warn!(%error, "shards are not released; their leases run out"),
        }
    }

    async fn tell(&self, command: Command) {
        // Fails only when the engine is gone, at the end.
        let _ = self.commands.send(command).await;
    }
}
