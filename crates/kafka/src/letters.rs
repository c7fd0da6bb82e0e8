//! Reading dead letters back, for people: outside any group, a few at a time, nothing committed.

use std::time::{Duration, Instant};

use bytes::Bytes;
use events::headers;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError as Native;
use rdkafka::message::{BorrowedMessage, Headers};
use rdkafka::{Message as _, Offset, TopicPartitionList};

use crate::config::KafkaConfig;
use crate::error::KafkaError;
use crate::heard::{Heard, ask};
use crate::topics::partitions;

/// A record that nobody could read, with why and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    pub partition: i32,
    pub offset: i64,
    /// When it was set aside, Unix ms; -1 if unknown.
    pub at: i64,
    pub key: Bytes,
    pub value: Bytes,
    pub reason: String,
    pub source_topic: String,
    pub source_partition: Option<i32>,
    pub source_offset: Option<i64>,
    /// The reader that set it aside.
    pub consumer: String,
    pub traceparent: Option<Bytes>,
}

/// The newest letters of a topic, and how many there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Letters {
    pub count: u64,
    /// Newest first.
    pub letters: Vec<Letter>,
}

/// How many records lie in a topic.
pub async fn record_count(config: &KafkaConfig, topic: &str, timeout: Duration) -> Result<u64, KafkaError> {
    let (client, topic) = (config.client(), topic.to_owned());
    ask(client, move |consumer| {
        let mut count = 0;
        for partition in partitions(consumer, &topic, timeout)? {
            let (low, high) = consumer.fetch_watermarks(&topic, partition, timeout)?;
            count += u64::try_from(high - low).unwrap_or(0);
        }
        Ok(count)
    })
    .await
}

/// The newest `limit` letters of `topic` (a dead-letter topic).
pub async fn newest_letters(config: &KafkaConfig, topic: &str, limit: usize, timeout: Duration) -> Result<Letters, KafkaError> {
    let (client, topic) = (config.consumer("upmesh-letters"), topic.to_owned());
    ask(client, move |consumer| {
        let deadline = Instant::now() + timeout;
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let (mut count, mut ranges) = (0, Vec::new());
        for partition in partitions(consumer, &topic, timeout)? {
            let (low, high) = consumer.fetch_watermarks(&topic, partition, timeout)?;
            count += u64::try_from(high - low).unwrap_or(0);
            if high > low {
                ranges.push((partition, low.max(high.saturating_sub(most)), high));
            }
        }
        let mut letters = read(consumer, &topic, &ranges, deadline)?;
        letters.sort_by_key(|letter| std::cmp::Reverse((letter.at, letter.partition, letter.offset)));
        letters.truncate(limit);
        Ok(Letters { count, letters })
    })
    .await
}

/// One letter; none where nothing lies there (any more).
pub async fn letter_at(
    config: &KafkaConfig,
    topic: &str,
    partition: i32,
    offset: i64,
    timeout: Duration,
) -> Result<Option<Letter>, KafkaError> {
    let (client, topic) = (config.consumer("upmesh-letters"), topic.to_owned());
    ask(client, move |consumer| {
        let deadline = Instant::now() + timeout;
        if !partitions(consumer, &topic, timeout)?.contains(&partition) {
            return Ok(None);
        }
        let (low, high) = consumer.fetch_watermarks(&topic, partition, timeout)?;
        if !(low..high).contains(&offset) {
            return Ok(None);
        }
        let letters = read(consumer, &topic, &[(partition, offset, offset + 1)], deadline)?;
        Ok(letters.into_iter().find(|letter| letter.offset == offset))
    })
    .await
}

/// The records of these ranges (partition, first, one past the last).
fn read(consumer: &BaseConsumer<Heard>, topic: &str, ranges: &[(i32, i64, i64)], deadline: Instant) -> Result<Vec<Letter>, KafkaError> {
    let mut list = TopicPartitionList::with_capacity(ranges.len());
    for (partition, from, _) in ranges {
        list.add_partition_offset(topic, *partition, Offset::Offset(*from))?;
    }
    if ranges.is_empty() {
        return Ok(Vec::new());
    }
    consumer.assign(&list)?;
    let mut open: Vec<(i32, i64)> = ranges.iter().map(|(partition, _, to)| (*partition, *to)).collect();
    let mut letters = Vec::new();
    while !open.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(KafkaError::Timeout(left));
        }
        match consumer.poll(left.min(Duration::from_millis(200))) {
            Some(Ok(message)) => {
                let (partition, offset) = (message.partition(), message.offset());
                if open.iter().any(|(known, to)| *known == partition && offset < *to) {
                    letters.push(letter(&message));
                }
                open.retain(|(known, to)| *known != partition || offset + 1 < *to);
            }
            Some(Err(Native::PartitionEOF(partition))) => open.retain(|(known, _)| *known != partition),
            // Outages are retried within the deadline.
            Some(Err(error)) => tracing::debug!(%error, "dead letters are not read yet"),
            None => {}
        }
    }
    Ok(letters)
}

fn letter(message: &BorrowedMessage<'_>) -> Letter {
    let header = |name: &str| {
        let found = message.headers()?.iter().find(|header| header.key == name)?;
        found.value.map(Bytes::copy_from_slice)
    };
    let text = |name: &str| header(name).map(|value| String::from_utf8_lossy(&value).into_owned()).unwrap_or_default();
    Letter {
        partition: message.partition(),
        offset: message.offset(),
        at: message.timestamp().to_millis().unwrap_or(-1),
        key: Bytes::copy_from_slice(message.key().unwrap_or_default()),
        value: Bytes::copy_from_slice(message.payload().unwrap_or_default()),
        reason: text(headers::REASON),
        source_topic: text(headers::SOURCE_TOPIC),
        source_partition: text(headers::SOURCE_PARTITION).parse().ok(),
        source_offset: text(headers::SOURCE_OFFSET).parse().ok(),
        consumer: text(headers::CONSUMER),
        traceparent: header(headers::TRACEPARENT),
    }
}
