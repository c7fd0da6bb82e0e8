//! Redelivery, disorder, two processors at once and crashes change nothing.

use std::time::Duration;

use testkit::Stack;

use crate::support::{Running, checks_in_history, committed, history, live, produce, producer, results};

const MONITORS: u128 = 20;
const CHECKS: i64 = 20 * 2 * 60;

#[tokio::test(flavor = "multi_thread")]
async fn twice_shuffled_by_two_processors_and_through_crashes_it_is_the_same_bytes() {
    let all = results(MONITORS);

    // The reference: once, in order, one processor.
    let once = Stack::new();
    let topics = once.create_topics(4).await;
    let running = Running::start(&once, &[]).await;
    produce(&producer(&once), &topics, &all).await;
    committed(&once, &topics).await;
    running.stop().await;
    let (rows, state) = (history(&once).await, live(&once).await);
    assert_eq!(checks_in_history(&once).await, CHECKS);
    // Per monitor: latest results, counts, and the block of either region in the hour.
    assert_eq!(state.len(), 20 * (1 + 1 + 2), "{:?}", state.keys());

    // The same topic again, by a group that remembers nothing: as if every offset had been lost.
    let config = kafka::KafkaConfig::new(&once.kafka_brokers, "test");
    let group = format!("{}processor", once.topic_prefix);
    kafka::reset_offsets(&config, &group, &topics.results, Duration::from_secs(10)).await.expect("reset");
    let running = Running::start(&once, &[]).await;
    committed(&once, &topics).await;
    running.stop().await;
    assert_eq!(rows, history(&once).await, "consumed twice");
    assert_eq!(state, live(&once).await, "consumed twice");

    // Shuffled and partly repeated, two processors at once, others killed in between.
    let other = Stack::new();
    let topics = other.create_topics(4).await;
    let mut mixed = all.clone();
    mixed.extend_from_slice(&all[..all.len() / 2]);
    for i in 1..mixed.len() {
        mixed.swap(i, (i * 7919 + 13) % (i + 1));
    }
    let producer = producer(&other);
    let mut running = vec![Running::start(&other, &[]).await, Running::start(&other, &[("FLUSH_SECONDS", "0.05")]).await];
    for (n, part) in mixed.chunks(mixed.len() / 6 + 1).enumerate() {
        produce(&producer, &topics, part).await;
        tokio::time::sleep(Duration::from_millis(100 + 37 * n as u64)).await;
        // A kill: nothing is flushed or committed any more, wherever it was.
        running.remove(0).kill();
        running.push(Running::start(&other, &[("FLUSH_SECONDS", "0.05")]).await);
    }
    committed(&other, &topics).await;
    for running in running {
        running.stop().await;
    }
    assert_eq!(rows, history(&other).await, "shuffled, repeated, two at once, killed");
    assert_eq!(state, live(&other).await, "shuffled, repeated, two at once, killed");
}
