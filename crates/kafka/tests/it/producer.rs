use std::time::Duration;

use bytes::Bytes;
use kafka::{BroadcastConsumer, DeadLetterError, DeadLetters, Message, Producer, Record, SendError};

use crate::support::{config, number, produce, spec, topic, unique};

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_made_once_and_the_cluster_has_a_name() {
    let config = config();
    let specs = [spec(&unique("a"), 3), spec(&unique("b"), 1)];
    kafka::ensure_topics(&config, &specs, 1).await.expect("made");
    kafka::ensure_topics(&config, &specs, 1).await.expect("made again");
    assert_eq!(kafka::end_offsets(&config, &specs[0].name, Duration::from_secs(5)).await.expect("offsets"), [0, 0, 0]);
    let id = kafka::cluster_id(&config, Duration::from_secs(5)).await.expect("id");
    assert_eq!(id, kafka::cluster_id(&config, Duration::from_secs(5)).await.expect("id"));
    assert!(!id.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broadcast_reader_sees_what_comes_after_it_is_ready_in_every_replica() {
    let config = config();
    let topic = topic(&config, 3).await;
    let producer = Producer::new(&config).expect("producer");
    produce(&producer, &topic, 0..10).await;
    let mut replicas = [BroadcastConsumer::new(&config, &[&topic]).expect("one"), BroadcastConsumer::new(&config, &[&topic]).expect("two")];
    for replica in &replicas {
        replica.ready().await;
    }
    produce(&producer, &topic, 10..30).await;
    for replica in &mut replicas {
        let mut seen = Vec::new();
        while seen.len() < 20 {
            let message = tokio::time::timeout(Duration::from_secs(20), replica.next()).await.expect("in time").expect("message");
            seen.push(number(&message));
        }
        seen.sort_unstable();
        assert_eq!(seen, (10..30).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_gives_the_record_back() {
    // Nobody listens there, so nothing is ever acknowledged.
    let mut config = kafka::KafkaConfig::new("127.0.0.1:1", "kafka-test");
    config.queue_records = 10;
    config.delivery_timeout = Duration::from_millis(500);
    let producer = Producer::new(&config).expect("producer");
    let mut acks = Vec::new();
    let rejected = loop {
        match producer.send(Record::new("nowhere".into(), "k", acks.len().to_string())) {
            Ok(ack) => acks.push(ack),
            Err(SendError::QueueFull(record)) => break record,
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(rejected.value, Bytes::from(acks.len().to_string()));
    assert!(producer.flush(Duration::from_millis(50)).await.is_err());
    for ack in acks {
        let outcome = tokio::time::timeout(Duration::from_secs(10), ack).await.expect("resolved");
        assert!(outcome.expect_err("nobody acknowledged").is_retryable());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_carries_the_bytes_and_the_reason_and_a_flood_stops() {
    let config = config();
    let topic = topic(&config, 1).await;
    let dead = events::Topics::dead_letter(&topic);
    kafka::ensure_topics(&config, &[spec(&dead, 1)], 1).await.expect("topic");
    let letters = DeadLetters::new(Producer::new(&config).expect("producer"), "tester", None);
    let message = Message {
        topic: topic.as_str().into(),
        partition: 0,
        offset: 42,
        timestamp_ms: 0,
        key: Some(Bytes::from_static(b"key")),
        value: Some(Bytes::from_static(b"\xff\xfe")),
        traceparent: None,
    };
    letters.send(&message, "no JSON").expect("queued").await.expect("acknowledged");
    let mut sent = 1;
    loop {
        match letters.send(&message, "no JSON") {
            Ok(_) => sent += 1,
            Err(DeadLetterError::TooMany { dead, seen }) => {
                assert_eq!((dead, seen), (sent + 1, sent + 1));
                break;
            }
            Err(error) => panic!("{error}"),
        }
        assert!(sent < 1000, "the flood was not stopped");
    }
    let first = raw_first(&config.brokers, &dead);
    assert_eq!(first.0, b"\xff\xfe");
    assert!(first.1.contains(&("upmesh-reason".to_owned(), "no JSON".to_owned())), "{:?}", first.1);
    assert!(first.1.contains(&("upmesh-source-offset".to_owned(), "42".to_owned())));
    assert!(first.1.contains(&("upmesh-consumer".to_owned(), "tester".to_owned())));
}

/// The first record of partition 0 with its headers, read with a bare client.
fn raw_first(brokers: &str, topic: &str) -> (Vec<u8>, Vec<(String, String)>) {
    use rdkafka::consumer::{BaseConsumer, Consumer};
    use rdkafka::message::{Headers, Message as _};
    use rdkafka::{ClientConfig, Offset, TopicPartitionList};

    let consumer: BaseConsumer = ClientConfig::new().set("bootstrap.servers", brokers).set("group.id", "raw").create().expect("consumer");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Beginning).expect("list");
    consumer.assign(&list).expect("assigned");
    for _ in 0..100 {
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(200)) {
            let headers = message.headers().expect("headers").iter();
            let headers = headers.map(|h| (h.key.to_owned(), String::from_utf8_lossy(h.value.unwrap_or_default()).into_owned())).collect();
            return (message.payload().expect("value").to_vec(), headers);
        }
    }
    panic!("nothing in {topic}");
}
