//! Verdicts: written by the alerter whenever one changes and every half minute, read by the gateway.
//! PostgreSQL holds the truth; these are for looking at.

use std::sync::LazyLock;

use model::MonitorId;
use model::alerting::Shown;
use serde::{Deserialize, Serialize};

use crate::connection::Cache;
use crate::error::CacheError;
use crate::redis;

/// A verdict nobody renews disappears: better none than one of yesterday.
const TTL_SECONDS: u64 = 600;
/// Keys per round trip.
const CHUNK: usize = 1000;
/// Verdicts per call of the script.
const WRITTEN: usize = 500;
/// Verdicts per published message.
const PUBLISHED: usize = 200;

static SCRIPT: LazyLock<redis::Script> = LazyLock::new(|| redis::Script::new(include_str!("verdict.lua")));

/// One item of an update of kind `verdicts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictUpdate {
    pub monitor: MonitorId,
    #[serde(flatten)]
    pub verdict: Shown,
}

/// A verdict and what gives it its place among those of other alerters: whoever took the partition later knows better.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerdictWrite {
    pub update: VerdictUpdate,
    pub partition: i32,
    /// Grows with every taking of the partition.
    pub epoch: i64,
}

/// As it lies in Redis.
#[derive(Serialize)]
struct Stored<'a> {
    #[serde(flatten)]
    verdict: &'a Shown,
    // These end it: the script that stores it compares them where they stand.
    partition: i32,
    epoch: i64,
}

#[derive(Serialize)]
struct Published<'a> {
    kind: &'static str,
    items: &'a [VerdictUpdate],
}

impl Cache {
    /// Writes verdicts, but for those that another alerter knows better. Says of each whether it was written.
    pub async fn write_verdicts(&self, verdicts: &[VerdictWrite]) -> Result<Vec<bool>, CacheError> {
        let mut stored = Vec::with_capacity(verdicts.len());
        for chunk in verdicts.chunks(WRITTEN) {
            let mut call = SCRIPT.prepare_invoke();
            call.arg(TTL_SECONDS);
            for VerdictWrite { update: VerdictUpdate { monitor, verdict }, partition, epoch } in chunk {
                let (partition, epoch) = (*partition, *epoch);
                let json = serde_json::to_vec(&Stored { verdict, partition, epoch }).unwrap_or_default();
                call.key(self.keys().verdict(*monitor)).arg(json).arg(partition).arg(epoch).arg(verdict.slot.unwrap_or(0));
            }
            let answers: Vec<i64> = self.script_pooled(&call).await?;
            stored.extend(answers.into_iter().map(|answer| answer == 1));
        }
        Ok(stored)
    }

    /// Tells the gateways, after the verdicts were written.
    pub async fn publish_verdicts(&self, verdicts: &[VerdictUpdate]) -> Result<(), CacheError> {
        for items in verdicts.chunks(PUBLISHED) {
            let message = serde_json::to_vec(&Published { kind: "verdicts", items }).unwrap_or_default();
            self.publish(&message).await?;
        }
        Ok(())
    }

    /// The verdicts of these monitors, in their order; `None` where there is none (yet).
    pub async fn verdicts(&self, monitors: &[MonitorId]) -> Result<Vec<Option<Shown>>, CacheError> {
        let mut found = Vec::with_capacity(monitors.len());
        for chunk in monitors.chunks(CHUNK) {
            let mut command = redis::cmd("MGET");
            for monitor in chunk {
                command.arg(self.keys().verdict(*monitor));
            }
            let values: Vec<Option<Vec<u8>>> = self.query(&command).await?;
            // What cannot be read is as good as absent: it is written again within half a minute.
            found.extend(values.into_iter().map(|value| serde_json::from_slice(&value?).ok()));
        }
        Ok(found)
    }

    /// The monitor is gone.
    pub async fn forget_verdict(&self, monitor: MonitorId) -> Result<(), CacheError> {
        self.query(redis::cmd("DEL").arg(self.keys().verdict(monitor))).await
    }
}
