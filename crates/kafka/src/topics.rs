//! Topics at the start, and who the cluster is.

use std::time::Duration;

use events::TopicSpec;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use crate::config::KafkaConfig;
use crate::error::KafkaError;
use crate::heard::ask;

const DEADLINE: Duration = Duration::from_secs(30);
/// For a cluster that is there to say so.
const FIRST_WORD: Duration = Duration::from_secs(5);

/// Creates the topics that are missing, with their settings; those that exist are left as they are.
/// Not for the embedded broker, which has no admin API: [`crate::EmbeddedBroker::start`] makes its own.
pub async fn ensure_topics(config: &KafkaConfig, specs: &[TopicSpec], replication: i32) -> Result<(), KafkaError> {
    // The admin client never says why it has no answer; this one does.
    cluster_id(config, FIRST_WORD).await?;
    let admin: AdminClient<DefaultClientContext> = config.client().create()?;
    let retention: Vec<String> = specs.iter().map(|spec| spec.retention_ms.to_string()).collect();
    let topics: Vec<NewTopic<'_>> = specs
        .iter()
        .zip(&retention)
        .map(|(spec, retention)| {
            NewTopic::new(&spec.name, spec.partitions, TopicReplication::Fixed(replication))
                .set("cleanup.policy", "delete")
                .set("retention.ms", retention)
        })
        .collect();
    let options = AdminOptions::new().request_timeout(Some(DEADLINE)).operation_timeout(Some(DEADLINE));
    for result in admin.create_topics(&topics, &options).await? {
        match result {
            Ok(topic) => tracing::info!(topic, "topic created"),
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => return Err(KafkaError::Transient(format!("topic {topic} could not be created: {code}"))),
        }
    }
    Ok(())
}

/// The identity of the cluster. Offsets kept outside Kafka are stored beside it, so that a log that
/// began anew is noticed.
pub async fn cluster_id(config: &KafkaConfig, timeout: Duration) -> Result<String, KafkaError> {
    let client = config.client();
    ask(client, move |consumer| consumer.client().fetch_cluster_id(timeout).ok_or(KafkaError::Timeout(timeout))).await
}

/// One past the last offset of each partition of `topic`, by partition.
pub async fn end_offsets(config: &KafkaConfig, topic: &str, timeout: Duration) -> Result<Vec<i64>, KafkaError> {
    let client = config.client();
    let topic = topic.to_owned();
    ask(client, move |consumer| {
        partitions(consumer, &topic, timeout)?
            .into_iter()
            .map(|partition| Ok(consumer.fetch_watermarks(&topic, partition, timeout)?.1))
            .collect()
    })
    .await
}

/// What `group` has committed for each partition of `topic`, by partition.
pub async fn committed_offsets(config: &KafkaConfig, group: &str, topic: &str, timeout: Duration) -> Result<Vec<Option<i64>>, KafkaError> {
    let client = config.consumer(group);
    let topic = topic.to_owned();
    ask(client, move |consumer| {
        let mut list = TopicPartitionList::new();
        let partitions = partitions(consumer, &topic, timeout)?;
        for partition in &partitions {
            list.add_partition(&topic, *partition);
        }
        let committed = consumer.committed_offsets(list, timeout)?;
        let offset = |partition: &i32| committed.find_partition(&topic, *partition)?.offset().to_raw().filter(|offset| *offset >= 0);
        Ok(partitions.iter().map(offset).collect())
    })
    .await
}

/// Sets a group without members back to the beginning of `topic`, so that it reads everything again.
pub async fn reset_offsets(config: &KafkaConfig, group: &str, topic: &str, timeout: Duration) -> Result<(), KafkaError> {
    let client = config.consumer(group);
    let topic = topic.to_owned();
    ask(client, move |consumer| {
        let mut list = TopicPartitionList::new();
        for partition in partitions(consumer, &topic, timeout)? {
            let (low, _) = consumer.fetch_watermarks(&topic, partition, timeout)?;
            list.add_partition_offset(&topic, partition, Offset::Offset(low))?;
        }
        Ok(consumer.commit(&list, CommitMode::Sync)?)
    })
    .await
}

/// The partitions of a topic, sorted; an unknown topic is a transient error.
pub(crate) fn partitions<C: rdkafka::consumer::ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    timeout: Duration,
) -> Result<Vec<i32>, KafkaError> {
    let metadata = consumer.fetch_metadata(Some(topic), timeout)?;
    let mut found: Vec<i32> = metadata
        .topics()
        .iter()
        .filter(|found| found.name() == topic && found.error().is_none())
        .flat_map(|found| found.partitions().iter().map(rdkafka::metadata::MetadataPartition::id))
        .collect();
    if found.is_empty() {
        return Err(KafkaError::Transient(format!("topic {topic} is unknown")));
    }
    found.sort_unstable();
    Ok(found)
}

pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, KafkaError> + Send + 'static) -> Result<T, KafkaError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| KafkaError::Closed)?
}
