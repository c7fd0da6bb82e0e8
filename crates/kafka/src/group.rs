//! A member of a consumer group. A thread of its own polls without ever stopping; records and
//! rebalances come out as one ordered stream of events.

mod context;
mod inbox;
mod poll;
mod rebalance;

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};

pub use rebalance::{Assignment, Revocation};

use crate::config::KafkaConfig;
use crate::error::KafkaError;
use crate::metrics::KafkaMetrics;
use crate::record::{Message, TopicPartitionOffset};
use crate::topics::blocking;
use context::GroupContext;
use inbox::Inbox;

/// How long a member that joins anew waits for its leave.
const LEAVING: Duration = Duration::from_secs(5);

/// A topic and a partition of it.
pub type Partition = (Arc<str>, i32);

type Native = BaseConsumer<GroupContext>;

/// What the group has for us.
#[derive(Debug)]
pub enum Event {
    /// Partitions are ours from [`Assignment::start`] on; nothing of them comes before.
    Assigned(Assignment),
    /// Partitions go to another member once [`Revocation::done`] is called. Nothing of them comes after.
    Revoked(Revocation),
    /// Records in log order per partition; never empty.
    Batch(Vec<Message>),
}

/// Classic cooperative-sticky group; offsets are committed only by [`Self::commit`].
pub struct GroupConsumer {
    /// Weak: the polling thread owns the client, so that it is never closed on an async thread.
    client: Weak<Native>,
    inbox: Arc<Inbox>,
    config: KafkaConfig,
    group: String,
    topics: Vec<String>,
    metrics: Option<KafkaMetrics>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl GroupConsumer {
    pub fn new(config: &KafkaConfig, group: &str, topics: &[&str]) -> Result<Self, KafkaError> {
        Self::with_metrics(config, group, topics, None)
    }

    pub fn with_metrics(config: &KafkaConfig, group: &str, topics: &[&str], metrics: Option<&KafkaMetrics>) -> Result<Self, KafkaError> {
        let inbox = Arc::new(Inbox::default());
        let context = GroupContext::new(Arc::clone(&inbox), group, metrics.cloned());
        let client: Arc<Native> = Arc::new(config.consumer(group).create_with_context(context)?);
        client.subscribe(topics)?;
        let weak = Arc::downgrade(&client);
        let polled = Arc::clone(&inbox);
        let thread = std::thread::Builder::new()
            .name(format!("kafka-{group}"))
            .spawn(move || poll::run(client, &polled))
            .map_err(|error| KafkaError::Config(format!("no thread for the consumer: {error}")))?;
        Ok(Self {
            client: weak,
            inbox,
            config: config.clone(),
            group: group.to_owned(),
            topics: topics.iter().map(|&topic| topic.to_owned()).collect(),
            metrics: metrics.cloned(),
            thread: Some(thread),
        })
    }

    /// The next event: a rebalance at once, else up to `max` records, waiting up to `linger` for company
    /// after the first. Cancel-safe. An error ends the consumer; outages of the broker are no error.
    pub async fn next(&mut self, max: usize, linger: Duration) -> Result<Event, KafkaError> {
        let event = self.inbox.next(max, linger).await?;
        if let (Event::Batch(batch), Some(metrics)) = (&event, &self.metrics) {
            #[expect(clippy::cast_precision_loss, reason = "a batch is far below 2^52 records")]
            metrics.batch.with_label_values(&[&self.group]).observe(batch.len() as f64);
        }
        Ok(event)
    }

    /// Commits positions (the next offset to read). Partitions that are not ours now are left out:
    /// their new owner's position must not go backwards.
    pub async fn commit(&self, positions: &[TopicPartitionOffset]) -> Result<(), KafkaError> {
        let mut list = TopicPartitionList::with_capacity(positions.len());
        {
            let state = self.inbox.lock();
            for position in positions {
                if state.owned.contains(&(Arc::clone(&position.topic), position.partition)) {
                    list.add_partition_offset(&position.topic, position.partition, Offset::Offset(position.offset))?;
                }
            }
        }
        if list.count() == 0 {
            return Ok(());
        }
        let client = self.client.upgrade().ok_or(KafkaError::Closed)?;
        let deadline = Duration::from_secs(10);
        tokio::time::timeout(deadline, blocking(move || Ok(client.commit(&list, CommitMode::Sync)?)))
            .await
            .map_err(|_| KafkaError::Timeout(deadline))?
    }

    /// Stops handing out records of these partitions until [`Self::resume`]; membership goes on.
    pub fn pause(&self, partitions: &[Partition]) -> Result<(), KafkaError> {
        self.inbox.lock().paused.extend(partitions.iter().cloned());
        Ok(self.client.upgrade().ok_or(KafkaError::Closed)?.pause(&list(partitions)?)?)
    }

    pub fn resume(&self, partitions: &[Partition]) -> Result<(), KafkaError> {
        let mut state = self.inbox.lock();
        state.paused.retain(|paused| !partitions.contains(paused));
        let flow_paused = state.flow_paused;
        drop(state);
        if flow_paused {
            return Ok(()); // The polling thread resumes them when there is room.
        }
        Ok(self.client.upgrade().ok_or(KafkaError::Closed)?.resume(&list(partitions)?)?)
    }

    /// Partitions started and not revoked.
    pub fn assigned(&self) -> Vec<Partition> {
        self.inbox.lock().owned.iter().cloned().collect()
    }

    /// Records in the log that were not handed out yet, per partition; at most five seconds old.
    pub fn lag(&self) -> HashMap<Partition, i64> {
        self.inbox.lock().lags()
    }

    /// The identity of the cluster.
    pub async fn cluster_id(&self) -> Result<String, KafkaError> {
        crate::topics::cluster_id(&self.config, Duration::from_secs(10)).await
    }

    /// Leaves the group, so that others take over at once. Commit before; what was not is read again.
    pub async fn close(mut self, deadline: Duration) -> Result<(), KafkaError> {
        self.leave(deadline).await
    }

    /// Leaves the group and joins it anew, as another member: whatever it gives us is announced again, and nothing of
    /// before comes any more.
    pub async fn rejoin(&mut self) -> Result<(), KafkaError> {
        if let Err(error) = self.leave(LEAVING).await {
            // The group notices by itself, after the session's timeout.
            tracing::warn!(%error, group = self.group, "the consumer did not leave its group");
        }
        let topics: Vec<&str> = self.topics.iter().map(String::as_str).collect();
        *self = Self::with_metrics(&self.config, &self.group, &topics, self.metrics.as_ref())?;
        Ok(())
    }

    async fn leave(&mut self, deadline: Duration) -> Result<(), KafkaError> {
        self.inbox.close();
        let Some(thread) = self.thread.take() else { return Ok(()) };
        let joined = blocking(move || thread.join().map_err(|_| KafkaError::Closed));
        let left = tokio::time::timeout(deadline, joined).await.map_err(|_| KafkaError::Timeout(deadline)).flatten();
        if let Some(metrics) = &self.metrics {
            metrics.forget_lag(&self.group, &self.assigned());
        }
        left
    }
}

impl Drop for GroupConsumer {
    fn drop(&mut self) {
        self.inbox.close();
    }
}

fn list(partitions: &[Partition]) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for (topic, partition) in partitions {
        list.add_partition_offset(topic, *partition, Offset::Invalid)?;
    }
    Ok(list)
}
