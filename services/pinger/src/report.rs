//! From a result to the log: encoded, handed to Kafka at once, its slot closed when Kafka has it.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use kafka::{Ack, Producer, Record, SendError};
use model::schedule::shard_of;
use model::{CheckResult, MonitorId, Outcome, Slot};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::progress::Progress;
use crate::spool::{Spool, SpoolItem};

/// Acks awaited at once; beyond it results go to the spool.
const MOST_UNACKED: usize = 65_536;

/// Takes results from checks. Cheap to clone.
#[derive(Clone)]
pub struct Reporter {
    topic: Arc<str>,
    producer: Producer,
    pending: mpsc::Sender<Pending>,
    spool: Spool,
    metrics: Metrics,
    /// Where a test looks on.
    #[cfg(test)]
    seen: Option<mpsc::UnboundedSender<CheckResult>>,
}

/// A result Kafka was given.
struct Pending {
    ack: Ack,
    item: SpoolItem,
    given: Instant,
}

/// Awaits the acknowledgements; run by a supervised task.
pub struct Acks {
    pending: mpsc::Receiver<Pending>,
    spool: Spool,
    progress: Arc<Progress>,
    metrics: Metrics,
}

impl Reporter {
    pub fn new(topic: &str, producer: Producer, spool: Spool, progress: Arc<Progress>, metrics: Metrics) -> (Self, Acks) {
        let (sender, receiver) = mpsc::channel(MOST_UNACKED);
        let reporter = Self {
            topic: topic.into(),
            producer,
            pending: sender,
            spool: spool.clone(),
            metrics: metrics.clone(),
            #[cfg(test)]
            seen: None,
        };
        (reporter, Acks { pending: receiver, spool, progress, metrics })
    }

    /// A reporter whose results go nowhere but to the test.
    #[cfg(test)]
    pub(crate) fn observed(mut self, seen: mpsc::UnboundedSender<CheckResult>) -> Self {
        self.seen = Some(seen);
        self
    }

    /// Hands a result on. Waits only where both Kafka and the disk are slow. `steady`: an up that
    /// follows an up, the first to be given up from a full spool.
    pub async fn report(&self, result: &CheckResult, steady: bool) {
        #[cfg(test)]
        if let Some(seen) = &self.seen {
            let _ = seen.send(result.clone());
            return;
        }
        let value = match events::encode_result(result) {
            Ok(value) => Bytes::from(value),
            Err(error) => {
                tracing::error!(%error, monitor = %result.monitor, "a result cannot be encoded");
                return;
            }
        };
        let item = SpoolItem::result(result, value, steady && result.outcome == Outcome::Up);
        if !self.spool.is_empty() {
            // Behind what waits already, so that a monitor's results stay in order.
            self.spool.put(item).await;
            return;
        }
        let sent = match self.pending.try_reserve() {
            Ok(permit) => self.producer.send(record(&self.topic, item.monitor, item.value.clone())).map(|ack| (ack, permit)),
            Err(_full) => {
                self.spool.put(item).await;
                return;
            }
        };
        match sent {
            Ok((ack, permit)) => {
                self.metrics.unacked.inc();
                service::crash_point!("pinger::given");
                permit.send(Pending { ack, item, given: Instant::now() });
            }
            Err(error) => {
                if !matches!(error, SendError::QueueFull(_)) {
                    tracing::warn!(%error, "a result could not be handed to Kafka; it goes to the spool");
                }
                self.spool.put(item).await;
            }
        }
    }
}

impl Acks {
    /// Runs until `stop` and nothing is awaited any more, or all reporters are gone.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let next = tokio::select! {
                biased;
                next = self.pending.recv() => next,
                () = stop.cancelled(), if self.pending.is_empty() => None,
            };
            let Some(Pending { ack, item, given }) = next else { return };
            // In the order given: Kafka answers about in that order, too.
            let acked = ack.await;
            self.metrics.unacked.dec();
            match acked {
                Ok(_) => {
                    service::crash_point!("pinger::acked");
                    self.metrics.ack_delay.observe(given.elapsed().as_secs_f64());
                    self.metrics.acks.with_label_values(&["acked"]).inc();
                    close(&self.progress, item.monitor, item.epoch, item.slot);
                    service::crash_point!("pinger::closed");
                }
                Err(error) => {
                    self.metrics.acks.with_label_values(&["failed"]).inc();
                    tracing::debug!(%error, "Kafka did not take a result; it goes to the spool");
                    self.spool.put(item).await;
                }
            }
        }
    }
}

/// The slot's result is on the log.
pub(crate) fn close(progress: &Progress, monitor: MonitorId, epoch: u64, slot: Slot) {
    progress.close(shard_of(monitor), epoch, slot);
}

pub(crate) fn record(topic: &Arc<str>, monitor: MonitorId, value: Bytes) -> Record {
    let mut key = [0; uuid::fmt::Hyphenated::LENGTH];
    let key = Bytes::copy_from_slice(monitor.0.hyphenated().encode_lower(&mut key).as_bytes());
    Record::new(Arc::clone(topic), key, value).traced()
}
