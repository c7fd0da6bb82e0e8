//! Records of slots that were not run, on their way from the engine to the log.

use std::sync::Arc;
use std::time::Duration;

use model::{Cause, Millis, Monitor, MonitorId, Slot};
use tokio::sync::mpsc;

use super::{Engine, Tools};

/// A slot that was not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Missed {
    pub(super) monitor: MonitorId,
    pub(super) revision: i64,
    pub(super) interval_ms: Millis,
    pub(super) epoch: u64,
    pub(super) slot: Slot,
    pub(super) cause: Cause,
}

impl Missed {
    pub(super) fn new(monitor: &Monitor, epoch: u64, slot: Slot, interval_ms: Millis, cause: Cause) -> Self {
        Self { monitor: monitor.id, revision: monitor.revision, interval_ms, epoch, slot, cause }
    }
}

/// Of missed slots, so many are reported before a pause: a take-over must not fill Kafka's queue, or checks go to the spool.
const AT_ONCE: usize = 200;
const PAUSE: Duration = Duration::from_millis(20);
/// Missed slots handed over at once, at most, and how many such messages wait for their turn.
pub(super) const TOGETHER: usize = 25_000;
pub(super) const MESSAGES: usize = 8;
/// Missed slots that wait to be handed over.
pub(super) const MOST_UNREPORTED: usize = 200_000;

impl Engine {
    /// Takes note of missed slots (opened before); [`Engine::hand_over_missed`] passes them on.
    pub(super) fn report_missed(&mut self, missed: impl IntoIterator<Item = Missed>) {
        let before = self.unreported.len();
        self.unreported.extend(missed);
        if let Some(first) = self.unreported.get(before) {
            let count = self.unreported.len() - before;
            self.tools.metrics.missed.with_label_values(&[first.cause.as_str()]).inc_by(count as u64);
        }
        // An hour of a large mesh is millions: they must not all be in memory.
        if self.unreported.len() >= TOGETHER {
            self.hand_over_missed();
        }
    }

    /// Gives the task that reports them what was missed since the last time: of a take-over, thousands of monitors are one message.
    pub(super) fn hand_over_missed(&mut self) {
        if self.unreported.is_empty() {
            return;
        }
        // Never waits here: while there is no room they stay.
        if let Ok(room) = self.missed.try_reserve() {
            let together = self.unreported.len().min(TOGETHER);
            room.send(self.unreported.drain(..together).collect());
        }
        if self.unreported.len() > MOST_UNREPORTED {
            // The records only explain what the configuration shows anyway: a slot without one is missed, too.
            tracing::warn!(slots = self.unreported.len(), "too many missed slots at once; these are not recorded one by one");
            for one in self.unreported.drain(..) {
                crate::report::close(&self.progress, one.monitor, one.epoch, one.slot);
            }
        }
    }
}

/// Reports missed slots; run by a supervised task.
pub struct Reports {
    pub(super) missed: mpsc::Receiver<Vec<Missed>>,
    tools: Arc<Tools>,
}

impl Reports {
    pub(super) fn new(missed: mpsc::Receiver<Vec<Missed>>, tools: Arc<Tools>) -> Self {
        Self { missed, tools }
    }

    /// Runs until the engine is gone.
    pub async fn run(mut self) {
        while let Some(missed) = self.missed.recv().await {
            service::crash_point!("pinger::missed_found");
            for (n, one) in missed.into_iter().enumerate() {
                if n % AT_ONCE == AT_ONCE - 1 {
                    tokio::time::sleep(PAUSE).await;
                }
                self.tools.reporter.report(&self.tools.missed_result(&one), false).await;
            }
        }
    }
}
