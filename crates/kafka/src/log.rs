//! A reader of a stretch of a topic, outside any group: for those who read the log again while its
//! consumers go on.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError as Native;
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::mpsc;

use crate::config::KafkaConfig;
use crate::error::KafkaError;
use crate::heard::{Heard, ask};
use crate::record::{Detacher, Message};
use crate::topics::partitions;

/// Records handed out at once.
const BATCH: usize = 2048;
/// Batches that may wait for the reader's owner.
const WAITING: usize = 16;
/// So long without a record before the end is an outage.
const PATIENCE: Duration = Duration::from_secs(60);

/// Offsets `from ..< to` of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    pub partition: i32,
    pub from: i64,
    pub to: i64,
}

impl Stretch {
    pub fn is_empty(&self) -> bool {
        self.from >= self.to
    }

    pub fn len(&self) -> u64 {
        u64::try_from(self.to - self.from).unwrap_or(0)
    }
}

/// What each partition of a topic holds, by partition.
pub async fn log_bounds(config: &KafkaConfig, topic: &str, timeout: Duration) -> Result<Vec<Stretch>, KafkaError> {
    let client = config.client();
    let topic = topic.to_owned();
    ask(client, move |consumer| {
        let bounds = |partition| {
            let (from, to) = consumer.fetch_watermarks(&topic, partition, timeout)?;
            Ok(Stretch { partition, from, to })
        };
        partitions(consumer, &topic, timeout)?.into_iter().map(bounds).collect()
    })
    .await
}

/// The first offset of each partition whose record was written at `at` (Unix ms) or later; `None` where there is none.
pub async fn offsets_at(config: &KafkaConfig, topic: &str, at: i64, timeout: Duration) -> Result<HashMap<i32, Option<i64>>, KafkaError> {
    let client = config.client();
    let topic = topic.to_owned();
    ask(client, move |consumer| {
        let mut wanted = TopicPartitionList::new();
        for partition in partitions(consumer, &topic, timeout)? {
            wanted.add_partition_offset(&topic, partition, Offset::Offset(at.max(0)))?;
        }
        let found = consumer.offsets_for_times(wanted, timeout)?;
        let offset = |offset: Offset| offset.to_raw().filter(|raw| *raw >= 0);
        Ok(found.elements().iter().map(|element| (element.partition(), offset(element.offset()))).collect())
    })
    .await
}

/// Hands out the records of some stretches, in order per partition.
pub struct LogReader {
    batches: mpsc::Receiver<Result<Vec<Message>, KafkaError>>,
    closed: Arc<AtomicBool>,
}

impl LogReader {
    /// Starts to read. What is no longer in the log at the beginning of a stretch is passed over.
    pub fn start(config: &KafkaConfig, topic: &str, stretches: &[Stretch]) -> Result<Self, KafkaError> {
        let mut native = config.consumer(&format!("{}-log", config.client_id));
        native
            .set("enable.partition.eof", "true")
            .set("statistics.interval.ms", "0")
            // A whole log is read: large fetches, and enough of them ahead.
            .set("fetch.message.max.bytes", "4194304")
            .set("queued.max.messages.kbytes", "65536");
        let client: BaseConsumer<Heard> = native.create_with_context(Heard::default())?;
        let mut list = TopicPartitionList::new();
        let mut left = HashMap::new();
        for stretch in stretches.iter().filter(|stretch| !stretch.is_empty()) {
            list.add_partition_offset(topic, stretch.partition, Offset::Offset(stretch.from))?;
            left.insert(stretch.partition, stretch.to);
        }
        if !left.is_empty() {
            client.assign(&list)?;
        }
        let (sender, batches) = mpsc::channel(WAITING);
        let closed = Arc::new(AtomicBool::new(false));
        let reader = Reader { client, topic: topic.to_owned(), left, sender, closed: Arc::clone(&closed) };
        std::thread::Builder::new()
            .name("kafka-log".to_owned())
            .spawn(move || reader.run())
            .map_err(|error| KafkaError::Config(format!("no thread for the reader: {error}")))?;
        Ok(Self { batches, closed })
    }

    /// The next records; `None` at the end. Cancel-safe. Fails after a minute without a record.
    pub async fn next(&mut self) -> Result<Option<Vec<Message>>, KafkaError> {
        self.batches.recv().await.transpose()
    }
}

impl Drop for LogReader {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Release);
    }
}

struct Reader {
    client: BaseConsumer<Heard>,
    topic: String,
    /// Where each partition that is still read ends.
    left: HashMap<i32, i64>,
    sender: mpsc::Sender<Result<Vec<Message>, KafkaError>>,
    closed: Arc<AtomicBool>,
}

impl Reader {
    fn run(mut self) {
        let mut detacher = Detacher::default();
        let mut batch = Vec::with_capacity(BATCH);
        let mut heard = Instant::now();
        while !self.left.is_empty() && !self.closed.load(Ordering::Acquire) {
            let wait = if batch.is_empty() { Duration::from_millis(100) } else { Duration::from_millis(2) };
            let mut full = false;
            match self.client.poll(wait) {
                Some(Ok(message)) => {
                    heard = Instant::now();
                    let (partition, offset) = (rdkafka::Message::partition(&message), rdkafka::Message::offset(&message));
                    if let Some(end) = self.left.get(&partition).copied() {
                        if offset < end {
                            batch.push(detacher.detach(&message));
                        }
                        if offset + 1 >= end {
                            drop(message);
                            self.done(partition);
                        }
                    }
                    full = batch.len() >= BATCH;
                }
                // The log ends where it ended when the stretch was measured, or it was cut there since.
                Some(Err(Native::PartitionEOF(partition))) => {
                    heard = Instant::now();
                    self.done(partition);
                }
                Some(Err(error @ Native::MessageConsumptionFatal(_))) => return self.fail(error.into()),
                // Outages: the client goes on trying.
                Some(Err(error)) => tracing::debug!(%error, "Kafka log reader"),
                None => full = !batch.is_empty(),
            }
            if heard.elapsed() > PATIENCE {
                return self.fail(self.client.context().explain(KafkaError::Timeout(PATIENCE)));
            }
            if (full || self.left.is_empty()) && !batch.is_empty() {
                let ready = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
                if self.sender.blocking_send(Ok(ready)).is_err() {
                    return;
                }
                heard = Instant::now();
            }
        }
    }

    /// Nothing more of this partition.
    fn done(&mut self, partition: i32) {
        if self.left.remove(&partition).is_some() && !self.left.is_empty() {
            let mut list = TopicPartitionList::new();
            list.add_partition(&self.topic, partition);
            if let Err(error) = self.client.pause(&list) {
                tracing::debug!(%error, partition, "a partition that was read is not paused");
            }
        }
    }

    fn fail(&self, error: KafkaError) {
        // Nobody listens any more: nothing to tell.
        let _ = self.sender.blocking_send(Err(error));
    }
}
