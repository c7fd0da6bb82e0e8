//! A reader of all partitions outside any group: every replica sees every record from its start on.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio::sync::{mpsc, watch};

use crate::config::KafkaConfig;
use crate::error::KafkaError;
use crate::heard::Heard;
use crate::record::{Detacher, Message};
use crate::topics::partitions;

/// How often new partitions are looked for.
const REFRESH: Duration = Duration::from_secs(60);
const LOOKUP: Duration = Duration::from_secs(5);

/// Everything written after [`Self::ready`] resolved is delivered; what was there before is not.
pub struct BroadcastConsumer {
    messages: mpsc::Receiver<Message>,
    ready: watch::Receiver<bool>,
    closed: Arc<AtomicBool>,
}

impl BroadcastConsumer {
    /// Returns at once; a broker that is away or a topic that is missing is tried again.
    pub fn new(config: &KafkaConfig, topics: &[&str]) -> Result<Self, KafkaError> {
        let mut native: ClientConfig = config.consumer(&format!("{}-broadcast", config.client_id));
        // A log that began anew is followed from its end, too.
        native.set("auto.offset.reset", "latest").set("statistics.interval.ms", "0");
        let client: BaseConsumer<Heard> = native.create_with_context(Heard::default())?;
        let topics: Vec<String> = topics.iter().map(|&topic| topic.to_owned()).collect();
        let (sender, messages) = mpsc::channel(1024);
        let (ready_sender, ready) = watch::channel(false);
        let closed = Arc::new(AtomicBool::new(false));
        let reader = Reader { client, topics, known: HashMap::new(), closed: Arc::clone(&closed), sender };
        std::thread::Builder::new()
            .name("kafka-broadcast".to_owned())
            .spawn(move || reader.run(&ready_sender))
            .map_err(|error| KafkaError::Config(format!("no thread for the consumer: {error}")))?;
        Ok(Self { messages, ready, closed })
    }

    /// Resolves when the positions are fixed.
    pub async fn ready(&self) {
        let _ = self.ready.clone().wait_for(|ready| *ready).await;
    }

    /// The next record. Cancel-safe.
    pub async fn next(&mut self) -> Result<Message, KafkaError> {
        self.messages.recv().await.ok_or(KafkaError::Closed)
    }
}

impl Drop for BroadcastConsumer {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Release);
    }
}

struct Reader {
    client: BaseConsumer<Heard>,
    topics: Vec<String>,
    known: HashMap<(String, i32), i64>,
    closed: Arc<AtomicBool>,
    sender: mpsc::Sender<Message>,
}

impl Reader {
    fn run(mut self, ready: &watch::Sender<bool>) {
        let mut detacher = Detacher::default();
        let mut refreshed: Option<Instant> = None;
        while !self.closed.load(Ordering::Acquire) {
            if refreshed.is_none_or(|at| at.elapsed() > REFRESH) {
                match self.refresh() {
                    Ok(()) => {
                        refreshed = Some(Instant::now());
                        let _ = ready.send(true);
                    }
                    Err(error) => {
                        tracing::debug!(%error, "looking for the topic's partitions");
                        // Known partitions go on being read; an unknown topic is tried again soon.
                        if self.known.is_empty() {
                            std::thread::sleep(Duration::from_millis(200));
                        } else {
                            refreshed = Some(Instant::now());
                        }
                    }
                }
            }
            match self.client.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    // No group, so nothing is lost by blocking here: a slow service slows only itself.
                    let sent = self.sender.blocking_send(detacher.detach(&message));
                    if sent.is_err() {
                        return;
                    }
                }
                Some(Err(error)) => tracing::debug!(%error, "Kafka broadcast consumer"),
                None => {}
            }
        }
    }

    /// Adds partitions not read yet: at first from their end, later ones (a topic that grew) from their start.
    fn refresh(&mut self) -> Result<(), KafkaError> {
        let mut fresh = TopicPartitionList::new();
        let mut added = Vec::new();
        for topic in &self.topics {
            let grown = self.known.keys().any(|(known, _)| known == topic);
            for partition in partitions(&self.client, topic, LOOKUP)? {
                if self.known.contains_key(&(topic.clone(), partition)) {
                    continue;
                }
                let (low, high) = self.client.fetch_watermarks(topic, partition, LOOKUP)?;
                let start = if grown { low } else { high };
                fresh.add_partition_offset(topic, partition, Offset::Offset(start))?;
                added.push(((topic.clone(), partition), start));
            }
        }
        if !added.is_empty() {
            self.client.incremental_assign(&fresh)?;
            self.known.extend(added);
        }
        Ok(())
    }
}
