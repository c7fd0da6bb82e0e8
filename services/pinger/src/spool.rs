//! Where results wait while Kafka is away: on disk, in order, bounded.

#[cfg(test)]
mod machine;
mod record;
mod segment;
mod store;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use futures::{FutureExt as _, future::BoxFuture};
use kafka::Producer;
use model::{Cause, CheckResult, Outcome, Phases, Region};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::progress::Progress;
use crate::report::{close, record};
pub use record::{Kind, SpoolItem};
pub use store::{Batch, GivenUp, NotWritten, Store};

/// Records on their way to the disk.
const QUEUE: usize = 16_384;
/// Written and synced together.
const WRITE_BATCH: usize = 1_024;
/// Sent together while draining.
const DRAIN_BATCH: usize = 2_000;
/// Results kept in memory where the disk takes none; beyond, the oldest become gaps …
const MOST_IN_MEMORY: usize = 20_000;
/// … which are kept up to here.
const MOST_GAPS_IN_MEMORY: usize = 200_000;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// At the end, the last try to empty the spool.
const FAREWELL: Duration = Duration::from_secs(5);

/// The way into the spool. Cheap to clone.
#[derive(Clone)]
pub struct Spool {
    queue: mpsc::Sender<SpoolItem>,
    waiting: Arc<AtomicU64>,
}

/// Writes and drains; run by a supervised task.
pub struct Spooler {
    queue: mpsc::Receiver<SpoolItem>,
    waiting: Arc<AtomicU64>,
    store: Option<Store>,
    memory: VecDeque<SpoolItem>,
    /// The last write failed.
    disk_refuses: bool,
    producer: Producer,
    topic: Arc<str>,
    region: Region,
    pinger: String,
    progress: Arc<Progress>,
    metrics: Metrics,
}

/// What a spooler sends as.
pub struct Sender {
    pub producer: Producer,
    pub topic: Arc<str>,
    pub region: Region,
    pub pinger: String,
}

impl Spool {
    /// Opens the spool in `dir`; what a former run left there is sent first.
    pub fn open(dir: &Path, limit: u64, sender: Sender, progress: Arc<Progress>, metrics: Metrics) -> std::io::Result<(Self, Spooler)> {
        let store = Store::open(dir, limit)?;
        if store.records() > 0 {
            tracing::info!(records = store.records(), bytes = store.bytes(), "results of a former run wait in the spool");
        }
        metrics.spool_corrupt.inc_by(store.corrupt());
        let waiting = Arc::new(AtomicU64::new(store.records()));
        let (queue, receiver) = mpsc::channel(QUEUE);
        let Sender { producer, topic, region, pinger } = sender;
        let spooler = Spooler {
            queue: receiver,
            waiting: Arc::clone(&waiting),
            store: Some(store),
            memory: VecDeque::new(),
            disk_refuses: false,
            producer,
            topic,
            region,
            pinger,
            progress,
            metrics,
        };
        Ok((Self { queue, waiting }, spooler))
    }

    /// Whether results may go to Kafka directly.
    pub fn is_empty(&self) -> bool {
        self.waiting.load(Ordering::Acquire) == 0
    }

    /// Puts a result behind the others; waits while the disk is slower than the results.
    pub async fn put(&self, item: SpoolItem) {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        if self.queue.send(item).await.is_err() {
            // Only at the very end of the process.
            self.waiting.fetch_sub(1, Ordering::AcqRel);
            tracing::warn!("a result came after the spool was closed");
        }
    }
}

impl Spooler {
    /// Runs until `stop`; then writes what is queued and tries for a few seconds to empty the spool.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut pause = FIRST_PAUSE;
        let mut next_try = Instant::now();
        let mut sending: Option<BoxFuture<'static, bool>> = None;
        let mut sent = Batch::default();
        let mut incoming = Vec::with_capacity(WRITE_BATCH);
        let mut farewell: Option<Instant> = None;
        loop {
            if stop.is_cancelled() && farewell.is_none() {
                farewell = Some(Instant::now() + FAREWELL);
            }
            if farewell.is_some_and(|until| Instant::now() >= until || self.waiting.load(Ordering::Acquire) == 0) {
                return;
            }
            self.show();
            let something = self.stored() > 0;
            tokio::select! {
                count = self.queue.recv_many(&mut incoming, WRITE_BATCH) => {
                    if count == 0 { return; }
                    self.write(std::mem::take(&mut incoming)).await;
                }
                arrived = async { match sending.as_mut() { Some(sending) => sending.await, None => std::future::pending().await } } => {
                    sending = None;
                    let batch = std::mem::take(&mut sent);
                    if arrived {
                        pause = FIRST_PAUSE;
                        self.drained(batch).await;
                    } else {
                        self.put_back(batch);
                        next_try = Instant::now() + pause;
                        pause = (pause * 2).min(LONGEST_PAUSE);
                    }
                }
                () = tokio::time::sleep_until(next_try), if something && sending.is_none() => {
                    if let Some(batch) = self.next_batch(if pause > FIRST_PAUSE { 50 } else { DRAIN_BATCH }).await {
                        sending = Some(self.send(&batch));
                        sent = batch;
                    } else {
                        next_try = Instant::now() + pause;
                        pause = (pause * 2).min(LONGEST_PAUSE);
                    }
                }
                () = stop.cancelled(), if farewell.is_none() => {}
                () = tokio::time::sleep(Duration::from_millis(200)), if farewell.is_some() => {}
            }
        }
    }

    fn stored(&self) -> u64 {
        self.store.as_ref().map_or(0, Store::records) + self.memory.len() as u64
    }

    /// To the disk, behind what waits in memory since the disk took nothing.
    async fn write(&mut self, items: Vec<SpoolItem>) {
        self.memory.extend(items);
        while !self.memory.is_empty() {
            let next: Vec<SpoolItem> = self.memory.drain(..self.memory.len().min(WRITE_BATCH)).collect();
            let (written, next) = self.with_store(move |store| (store.append(&next), next)).await;
            service::crash_point!("pinger::spooled");
            match written {
                Ok(given_up) => {
                    if std::mem::take(&mut self.disk_refuses) {
                        tracing::info!("the spool can be written again");
                    }
                    self.gave_up(&given_up);
                }
                Err(NotWritten { error, given_up }) => {
                    self.gave_up(&given_up);
                    if !std::mem::replace(&mut self.disk_refuses, true) {
                        tracing::error!(%error, "the spool cannot be written; results wait in memory");
                    }
                    next.into_iter().rev().for_each(|item| self.memory.push_front(item));
                    self.bound_memory();
                    return;
                }
            }
        }
    }

    fn gave_up(&self, given_up: &GivenUp) {
        self.metrics.spool_evicted.inc_by(given_up.evicted + given_up.dropped.len() as u64);
        if !given_up.dropped.is_empty() {
            tracing::error!(records = given_up.dropped.len(), "the spool is full of gaps; the oldest are lost and stay without a record");
        }
        self.forget(&given_up.dropped);
    }

    /// The oldest results in memory become gaps; of those, too, only so many are kept.
    fn bound_memory(&mut self) {
        let beyond = self.memory.len().saturating_sub(MOST_IN_MEMORY);
        let mut evicted = 0;
        for item in self.memory.iter_mut().take(beyond).filter(|item| item.kind != Kind::Gap) {
            item.give_up();
            evicted += 1;
        }
        let dropped: Vec<SpoolItem> = self.memory.drain(..self.memory.len().saturating_sub(MOST_GAPS_IN_MEMORY)).collect();
        self.gave_up(&GivenUp { evicted, dropped });
    }

    /// The oldest that wait: those on disk, then those in memory, which are taken out meanwhile. None where the disk cannot be read now.
    async fn next_batch(&mut self, most: usize) -> Option<Batch> {
        let (batch, corrupt) = self
            .with_store(move |store| {
                let before = store.corrupt();
                let batch = store.peek(most);
                (batch, store.corrupt() - before)
            })
            .await;
        self.metrics.spool_corrupt.inc_by(corrupt);
        match batch {
            Ok(batch) if !batch.items.is_empty() => return Some(batch),
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "the spool cannot be read now; what it holds waits");
                return None;
            }
        }
        // What the store counted and could not read back is no longer waited for.
        self.waiting.store(self.stored() + self.queue.len() as u64, Ordering::Release);
        let most = most.min(self.memory.len());
        Some(Batch::from_memory(self.memory.drain(..most).collect()))
    }

    /// A batch did not arrive: what came from memory goes back there.
    fn put_back(&mut self, batch: Batch) {
        if batch.from_memory {
            batch.items.into_iter().rev().for_each(|item| self.memory.push_front(item));
        }
    }

    /// Hands a batch to Kafka; resolves to whether all of it arrived.
    fn send(&self, batch: &Batch) -> BoxFuture<'static, bool> {
        let mut acks = Vec::with_capacity(batch.items.len());
        for item in &batch.items {
            let Some(value) = self.value(item) else { continue };
            match self.producer.send(record(&self.topic, item.monitor, value)) {
                Ok(ack) => acks.push(ack),
                Err(error) => {
                    tracing::debug!(%error, "Kafka takes nothing from the spool yet");
                    return async { false }.boxed();
                }
            }
        }
        async move { join_all(acks).await.iter().all(Result::is_ok) }.boxed()
    }

    fn value(&self, item: &SpoolItem) -> Option<Bytes> {
        match item.kind {
            Kind::Result | Kind::Steady => Some(item.value.clone()),
            Kind::Gap => events::encode_result(&evicted(item, &self.region, &self.pinger)).ok().map(Bytes::from),
        }
    }

    /// A batch is on the log.
    async fn drained(&mut self, batch: Batch) {
        service::crash_point!("pinger::spool_acked");
        let from_memory = batch.from_memory;
        let items = if from_memory {
            batch.items
        } else {
            self.with_store(move |store| {
                store.advance(&batch);
                batch.items
            })
            .await
        };
        service::crash_point!("pinger::spool_advanced");
        self.forget(&items);
        if self.stored() == 0 {
            tracing::info!("the spool is empty; results go to Kafka directly again");
        }
    }

    /// These wait no longer: their slots are closed.
    fn forget(&self, items: &[SpoolItem]) {
        for item in items {
            close(&self.progress, item.monitor, item.epoch, item.slot);
        }
        let gone = items.len() as u64;
        let _ = self.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, |waiting| Some(waiting.saturating_sub(gone)));
    }

    /// Runs file work away from the async threads.
    async fn with_store<T: Send + 'static>(&mut self, work: impl FnOnce(&mut Store) -> T + Send + 'static) -> T {
        let Some(mut store) = self.store.take() else { unreachable!("the store is put back after each use") };
        let done = tokio::task::spawn_blocking(move || {
            let done = work(&mut store);
            (store, done)
        })
        .await;
        match done {
            Ok((store, done)) => {
                self.store = Some(store);
                done
            }
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }

    fn show(&self) {
        let gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.metrics.spool_records.set(gauge(self.stored()));
        self.metrics.spool_bytes.set(gauge(self.store.as_ref().map_or(0, Store::bytes)));
    }
}

/// The gap that a given-up result leaves.
fn evicted(item: &SpoolItem, region: &Region, pinger: &str) -> CheckResult {
    CheckResult {
        monitor: item.monitor,
        region: region.clone(),
        slot: item.slot,
        interval_ms: item.interval_ms,
        outcome: Outcome::Missed,
        cause: Some(Cause::Evicted),
        detail: None,
        latency_us: None,
        phases: Phases::default(),
        status: None,
        certificate_expires_at: None,
        attempts: 0,
        started_at: item.slot,
        epoch: item.epoch,
        pinger: pinger.to_owned(),
        revision: item.revision,
        suspect: false,
    }
}
