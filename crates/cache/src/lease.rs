//! Shard leases: which pinger checks which share of a region's monitors.
//!
//! A lease is an efficiency, not a lock: two pingers on one shard produce the same result identities,
//! and history merges them. So everything here errs on the side of checking. The fencing epoch grows
//! with every acquisition and guards `progress`, the one thing a zombie could spoil.

mod scripts;
mod share;

use std::time::Duration;

use model::{Millis, Region, Shard};

use crate::connection::Cache;
use crate::error::CacheError;
use scripts::{ACQUIRE, ADVANCE, JOIN, RELEASE, RENEW};
pub use share::owner_of;

/// A shard this pinger has just acquired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acquired {
    pub shard: Shard,
    /// Larger than that of every earlier owner.
    pub epoch: u64,
    /// Every slot up to this instant is on the log; absent where nobody ever recorded any.
    pub progress: Option<Millis>,
}

/// What became of a lease that was to be renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    Held,
    /// Another pinger owns the shard, or has owned it in between.
    Lost,
}

/// One region's leases as one pinger sees them.
#[derive(Debug, Clone)]
pub struct Leases {
    cache: Cache,
    region: Region,
    owner: String,
    ttl: Duration,
}

impl Leases {
    /// `owner` must be unique to this process; `ttl` is how long the region waits for a dead owner.
    pub fn new(cache: Cache, region: Region, owner: String, ttl: Duration) -> Self {
        Self { cache, region, owner, ttl }
    }

    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Says that this pinger lives; answers all that live, itself included, by Redis's clock.
    pub async fn join(&self) -> Result<Vec<String>, CacheError> {
        let members = self.cache.keys().members(&self.region);
        self.cache.script(JOIN.key(members).arg(&self.owner).arg(self.ttl_ms())).await
    }

    /// Redis' clock, by which leases run out.
    pub async fn time(&self) -> Result<Millis, CacheError> {
        let (seconds, micros): (i64, i64) = self.cache.query(&crate::redis::cmd("TIME")).await?;
        Ok(seconds * 1000 + micros / 1000)
    }

    /// Leaves the region at once, so that the others need not wait for the lease to run out.
    pub async fn leave(&self) -> Result<(), CacheError> {
        let members = self.cache.keys().members(&self.region);
        self.cache.query(crate::redis::cmd("ZREM").arg(members).arg(&self.owner)).await
    }

    /// Takes those of `shards` that nobody holds.
    pub async fn acquire(&self, shards: &[Shard]) -> Result<Vec<Acquired>, CacheError> {
        if shards.is_empty() {
            return Ok(Vec::new());
        }
        let mut call = ACQUIRE.prepare_invoke();
        for shard in shards {
            call.key(self.cache.keys().lease(&self.region, *shard));
            call.key(self.cache.keys().epoch(&self.region, *shard));
            call.key(self.cache.keys().progress(&self.region, *shard));
        }
        call.arg(&self.owner).arg(self.ttl_ms());
        let taken: Vec<(usize, u64, Option<Millis>)> = self.cache.script(&call).await?;
        Ok(taken
            .into_iter()
            .filter_map(|(index, epoch, progress)| shards.get(index).map(|shard| Acquired { shard: *shard, epoch, progress }))
            .collect())
    }

    /// Prolongs leases, each with the epoch it was acquired under. A lease that vanished (Redis was
    /// emptied) and that nobody took since is put back under the same epoch.
    pub async fn renew(&self, held: &[(Shard, u64)]) -> Result<Vec<(Shard, Renewal)>, CacheError> {
        if held.is_empty() {
            return Ok(Vec::new());
        }
        let mut call = RENEW.prepare_invoke();
        for (shard, _) in held {
            call.key(self.cache.keys().lease(&self.region, *shard));
            call.key(self.cache.keys().epoch(&self.region, *shard));
        }
        call.arg(&self.owner).arg(self.ttl_ms());
        for (_, epoch) in held {
            call.arg(*epoch);
        }
        let kept: Vec<bool> = self.cache.script(&call).await?;
        Ok(held.iter().zip(kept).map(|((shard, _), kept)| (*shard, if kept { Renewal::Held } else { Renewal::Lost })).collect())
    }

    /// Gives leases back, where they are still ours.
    pub async fn release(&self, shards: &[Shard]) -> Result<(), CacheError> {
        if shards.is_empty() {
            return Ok(());
        }
        let mut call = RELEASE.prepare_invoke();
        for shard in shards {
            call.key(self.cache.keys().lease(&self.region, *shard));
        }
        call.arg(&self.owner);
        self.cache.script(&call).await
    }

    /// Records up to which instant each shard's slots are on the log. Never goes back, and a later
    /// owner's epoch fences an earlier one. Answers the shards that were fenced.
    pub async fn advance(&self, progress: &[(Shard, u64, Millis)]) -> Result<Vec<Shard>, CacheError> {
        if progress.is_empty() {
            return Ok(Vec::new());
        }
        let mut call = ADVANCE.prepare_invoke();
        for (shard, ..) in progress {
            call.key(self.cache.keys().epoch(&self.region, *shard));
            call.key(self.cache.keys().progress(&self.region, *shard));
        }
        for (_, epoch, until) in progress {
            call.arg(*epoch).arg(*until);
        }
        let fenced: Vec<usize> = self.cache.script(&call).await?;
        Ok(fenced.into_iter().filter_map(|index| progress.get(index).map(|(shard, ..)| *shard)).collect())
    }

    fn ttl_ms(&self) -> u64 {
        u64::try_from(self.ttl.as_millis()).unwrap_or(u64::MAX)
    }
}
