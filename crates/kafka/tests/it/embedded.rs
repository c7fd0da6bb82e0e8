use std::collections::HashMap;
use std::time::Duration;

use kafka::{EmbeddedBroker, Event, GroupConsumer, KafkaConfig, Producer};

use crate::support::{number, produce, spec, take_until};

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_broker_carries_records_groups_and_outages() {
    let broker = EmbeddedBroker::start(&[spec("results", 2)]).expect("broker");
    let config = KafkaConfig::new(broker.bootstrap_servers(), "kafka-test").fetch_wait_ms(50);
    assert!(!kafka::cluster_id(&config, Duration::from_secs(5)).await.expect("id").is_empty());
    let producer = Producer::new(&config).expect("producer");
    produce(&producer, "results", 0..100).await;
    let mut consumer = GroupConsumer::new(&config, "group", &["results"]).expect("consumer");
    let read = take_until(&mut consumer, |all| all.len() >= 100).await;
    assert_eq!(read.len(), 100);

    // An outage is no error to either side; what was produced meanwhile arrives after it.
    broker.set_reachable(false).expect("down");
    let during = tokio::spawn({
        let producer = producer.clone();
        async move { produce(&producer, "results", 100..120).await }
    });
    assert!(tokio::time::timeout(Duration::from_secs(2), consumer.next(10, Duration::ZERO)).await.is_err());
    broker.set_reachable(true).expect("up");
    during.await.expect("acknowledged after the outage");
    let read = take_until(&mut consumer, |all| all.len() >= 20).await;
    assert!(read.iter().all(|message| number(message) >= 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offset_of_another_log_means_the_beginning() {
    let broker = EmbeddedBroker::start(&[spec("results", 1)]).expect("broker");
    let config = KafkaConfig::new(broker.bootstrap_servers(), "kafka-test").fetch_wait_ms(50);
    let producer = Producer::new(&config).expect("producer");
    produce(&producer, "results", 0..10).await;
    let mut consumer = GroupConsumer::new(&config, "group", &["results"]).expect("consumer");
    let Event::Assigned(assignment) = consumer.next(1, Duration::ZERO).await.expect("event") else { panic!("records first") };
    let beyond: HashMap<_, _> = assignment.partitions().iter().map(|partition| (partition.clone(), 9_000)).collect();
    assignment.start(beyond);
    let read = take_until(&mut consumer, |all| all.len() >= 10).await;
    assert_eq!(read[0].offset, 0);
}
