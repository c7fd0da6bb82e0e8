use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use events::TopicSpec;
use kafka::{Event, GroupConsumer, KafkaConfig, Message, Producer, Record};

static NEXT: AtomicU32 = AtomicU32::new(0);

pub fn unique(name: &str) -> String {
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("kt{}-{n}-{name}", std::process::id())
}

pub fn config() -> KafkaConfig {
    let brokers = std::env::var("TEST_KAFKA_BROKERS").expect("TEST_KAFKA_BROKERS names the Kafka to test against");
    KafkaConfig::new(brokers, "kafka-test")
}

pub fn spec(name: &str, partitions: i32) -> TopicSpec {
    TopicSpec { name: name.to_owned(), partitions, retention_ms: 3_600_000 }
}

pub async fn topic(config: &KafkaConfig, partitions: i32) -> String {
    let name = unique("topic");
    kafka::ensure_topics(config, &[spec(&name, partitions)], 1).await.expect("topic");
    name
}

pub async fn produce(producer: &Producer, topic: &str, range: std::ops::Range<u32>) {
    let topic: Arc<str> = topic.into();
    let mut acks = Vec::new();
    for n in range {
        let record = Record::new(Arc::clone(&topic), format!("key-{}", n % 50), n.to_string());
        acks.push(producer.send(record).expect("queued"));
    }
    for ack in acks {
        ack.await.expect("acknowledged");
    }
}

pub fn number(message: &Message) -> u32 {
    std::str::from_utf8(message.value.as_ref().expect("value")).expect("text").parse().expect("number")
}

/// Takes batches (starting assignments as committed) until `enough` says so or 30 seconds passed.
pub async fn take_until(consumer: &mut GroupConsumer, mut enough: impl FnMut(&[Message]) -> bool) -> Vec<Message> {
    let mut all = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !enough(&all) {
        let left = deadline.saturating_duration_since(Instant::now());
        match tokio::time::timeout(left, consumer.next(1000, Duration::from_millis(20))).await.expect("events in time").expect("event") {
            Event::Assigned(assignment) => assignment.start(std::collections::HashMap::new()),
            Event::Revoked(revocation) => revocation.done(),
            Event::Batch(batch) => all.extend(batch),
        }
    }
    all
}
