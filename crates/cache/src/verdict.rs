//! Verdicts: written by the alerter whenever one changes and every half minute, read by the gateway.
//! PostgreSQL holds the truth; these are for looking at.

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
/// Verdicts per published message.
const PUBLISHED: usize = 200;

/// One item of an update of kind `verdicts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictUpdate {
    pub monitor: MonitorId,
    #[serde(flatten)]
    pub verdict: Shown,
}

#[derive(Serialize)]
struct Published<'a> {
    kind: &'static str,
    items: &'a [VerdictUpdate],
}

impl Cache {
    /// Writes verdicts.
    pub async fn write_verdicts(&self, verdicts: &[VerdictUpdate]) -> Result<(), CacheError> {
        for chunk in verdicts.chunks(CHUNK) {
            let mut pipeline = redis::pipe();
            for one in chunk {
                let json = serde_json::to_vec(&one.verdict).unwrap_or_default();
                pipeline.cmd("SET").arg(self.keys().verdict(one.monitor)).arg(json).arg("EX").arg(TTL_SECONDS).ignore();
            }
            self.pipeline::<()>(&pipeline).await?;
        }
        Ok(())
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
